import { z } from 'zod'
import { defineTask } from '../queue/define_task.ts'

/**
 * Runs a schedule of `app.schedules` batch by batch, each in a short transaction of its own, until nothing is left.
 * Safe to repeat; stopped before the end, it fails, so that another worker goes on within seconds.
 */
export default defineTask({
  payload: z.object({ name: z.string() }),
  async run({ name }, { db, logger, signal }) {
    const startedAt = performance.now()
    let handled = 0
    let batch: number
    do {
      const [row] = await db.call<{ run_schedule: number }>('worker.run_schedule', { name })
      batch = row?.run_schedule ?? 0
      handled += batch
    } while (batch > 0 && !signal.aborted)
    logger.info({ schedule: name, handled, duration_ms: Math.round(performance.now() - startedAt) }, 'Schedule ran')
    if (batch > 0) throw new Error(`Schedule "${name}" was stopped before its end`)
  },
})
