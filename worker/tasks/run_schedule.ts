import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import type { Deps } from './deps.ts'

/**
 * Runs a schedule of `app.schedules` in batches, each in a short transaction, until a batch has nothing to do. Safe to
 * repeat. When the worker stops first, the job fails, so another worker continues within seconds.
 */
export default defineTask({
  payload: z.object({ name: z.string() }),
  async run({ name }, { db, logger, signal }: TaskContext<Deps>) {
    const startedAt = performance.now()
    let handled = 0
    let batch: number
    do {
      const [row] = await db.call<{ run_schedule: number }>('worker.run_schedule', { name })
      batch = row?.run_schedule ?? 0
      handled += batch
    } while (batch > 0 && !signal.aborted)
    logger.info({ schedule: name, handled, duration_ms: Math.round(performance.now() - startedAt) }, 'Schedule ran')
    if (batch > 0) throw new Error(`Schedule "${name}" was interrupted; another worker continues it`)
  },
})
