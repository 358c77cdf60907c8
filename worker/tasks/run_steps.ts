import { z } from 'zod'
import { defineTask, type TaskContext } from '../queue/define_task.ts'
import type { Deps } from './deps.ts'

/**
 * Runs the pump while steps are ready. A job of this task is only a hint that some may be: losing or doubling a hint
 * changes no result. Each process has one pump, shared by all jobs of this task.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { pump, signal }: TaskContext<Deps>) {
    await pump.run(signal)
  },
})
