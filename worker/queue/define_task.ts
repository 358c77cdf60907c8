import type { Task } from 'graphile-worker'
import type { z } from 'zod'
import type { Deps } from '../tasks/deps.ts'

/** A task that still waits for what the process has. */
export type UnboundTask = (services: Pick<Deps, 'db' | 'store' | 'templateStore' | 'logger' | 'steps'>) => Task

/**
 * Makes a task of graphile-worker: its payload is checked first, and `run` gets the deps. Throw to have it run again.
 *
 * A payload that does not fit fails like anything else, attempt after attempt: graphile-worker knows no permanent
 * failure, and while a new version is rolled out, the next attempt may reach a worker that understands the payload.
 */
export function defineTask<Schema extends z.ZodType>(definition: {
  payload: Schema
  run(payload: z.output<Schema>, deps: Deps): Promise<void>
}): UnboundTask {
  return ({ db, store, templateStore, logger, steps }) =>
    async (payload, { job, abortSignal }) => {
      const parsed = definition.payload.safeParse(payload)
      if (!parsed.success) {
        const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'payload'}: ${message}`)
        throw new Error(`The payload does not fit: ${faults.join('; ')}`, { cause: parsed.error })
      }
      const deps = {
        db,
        store,
        templateStore,
        steps,
        logger: logger.child({ task: job.task_identifier, job: job.id }),
        signal: abortSignal,
      }
      await definition.run(parsed.data, deps)
    }
}
