import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import type { Deps } from './deps.ts'

/**
 * Runs the pump while steps are ready. A job of this task is only a wake-up: steps may be ready, and a lost or doubled
 * wake-up changes no result. Each process has one pump, which all jobs of this task share.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { pump, signal }: TaskContext<Pick<Deps, 'pump'>>) {
    await pump.run(signal)
  },
})
