import type { Task } from 'graphile-worker'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { describeIssues } from '../shared/describe_issues.ts'
import { serializeError } from '../shared/serialize_error.ts'

const messageMax = 2000

/** The second argument of `run`: the services that the tasks need, and what belongs to this one job. */
export type TaskContext<Deps = unknown> = Deps & {
  /** Logs the task's name and the job's id with each line. */
  logger: Logger
  /** Aborts at the end of the drain when the worker stops: return or throw within 1 s. A job that throws runs again. */
  signal: AbortSignal
}

/** A task without its services: call it with them. */
export type TaskFactory<Deps> = (services: Deps & { logger: Logger }) => Task

/**
 * Defines a task of graphile-worker: checks the payload, then calls `run`. Throw to have the job run again. `Deps` is
 * inferred from the type of `run`'s second parameter, so this file imports no task.
 *
 * A payload that does not match its schema fails like any other error, attempt after attempt. graphile-worker has no
 * permanent failures, and during a rollout the next attempt may reach a worker that understands the payload.
 */
export function defineTask<Schema extends z.ZodType, Deps = unknown>(definition: {
  payload: Schema
  run(payload: z.output<Schema>, context: TaskContext<Deps>): Promise<void>
}): TaskFactory<Deps> {
  return (services) =>
    async (payload, { job, abortSignal }) => {
      const parsed = definition.payload.safeParse(payload)
      if (!parsed.success) {
        throw new Error(`The payload does not match its schema: ${describeIssues(parsed.error)}`, {
          cause: parsed.error,
        })
      }
      try {
        await definition.run(parsed.data, {
          ...services,
          logger: services.logger.child({ task: job.task_identifier, job: job.id }),
          signal: abortSignal,
        })
      } catch (error) {
        throw toStorable(error)
      }
    }
}

/**
 * Returns an error whose message graphile-worker can store as the last error of the job. graphile-worker ends, with all
 * running jobs, if it cannot store a message, for example because of \u0000. It stores no text of a value that is not an error.
 */
function toStorable(error: unknown): Error {
  try {
    if (error instanceof Error && error.message.length <= messageMax && !error.message.includes('\u0000')) return error
  } catch {
    // A getter or a proxy throws.
  }
  return new Error(serializeError(error).message.replaceAll('\u0000', ''), { cause: error })
}
