import type pg from 'pg'
import { count, type Outcome } from './outcome.ts'

/**
 * Compares the job types that need a handler with the handlers of the worker. A step without a handler stays queued, and
 * nothing says so, because another worker may have the handler.
 */
export async function checkHandlers(client: pg.Client): Promise<Outcome> {
  const { handlers } = await import('../../worker/handlers/index.ts')
  const { rows } = await client.query<{ name: string }>('select name from public.job_types where has_handler')
  return compareHandlers(
    rows.map(({ name }) => name),
    Object.keys(handlers),
  )
}

/** Compares names of job types with names of handlers. */
export function compareHandlers(types: string[], handlers: string[]): Outcome {
  return {
    said: `${count(handlers.length, 'handler')} of worker/handlers, against the job types of db/seed`,
    problems: [
      ...types
        .filter((name) => !handlers.includes(name))
        .map((name) => `Job type ${name} has no handler: its steps stay queued.`),
      ...handlers
        .filter((name) => !types.includes(name))
        .map((name) => `Handler ${name} has no job type: no step can call it.`),
    ],
    remedy:
      'Give both the same name: the row of job_types in db/seed, and the key in worker/handlers/<product>/index.ts, which ' +
      'worker/handlers/index.ts lists. A group has has_handler false.',
  }
}
