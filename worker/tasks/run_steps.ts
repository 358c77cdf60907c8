import { z } from 'zod'
import { defineTask } from '../queue/define_task.ts'

/**
 * Pumps steps of runs while any are ready. A job of this task is a hint that there are some: lost or doubled, it changes no
 * result. Each process has one pump, which all its jobs share.
 */
export default defineTask({
  payload: z.object({}),
  async run(_payload, { steps, signal }) {
    await steps.pump(signal)
  },
})
