import type pg from 'pg'
import { listVersions } from '../../worker/steps/list_versions.ts'
import { count, type Outcome } from './outcome.ts'

/**
 * Compares the job types that need a handler with the handlers of the worker. A step without a handler, or of a later version
 * than its handler, stays queued, and nothing says so, because another worker may have the handler.
 */
export async function checkHandlers(client: pg.Client): Promise<Outcome> {
  const { handlers } = await import('../../worker/handlers/index.ts')
  return compareHandlers(await readVersions(client), listVersions(handlers))
}

/** Compares the versions of job types with the versions of handlers, both by name. */
export function compareHandlers(types: Record<string, number>, handlers: Record<string, number>): Outcome {
  const isKnown = (name: string) => Object.hasOwn(handlers, name)
  return {
    said: `${count(Object.keys(handlers).length, 'handler')} of worker/handlers, against the job types of db/seed`,
    problems: [
      ...Object.keys(types)
        .filter((name) => !isKnown(name))
        .map((name) => `Job type ${name} has no handler: its steps stay queued.`),
      ...Object.keys(handlers)
        .filter((name) => !Object.hasOwn(types, name))
        .map((name) => `Handler ${name} has no job type: no step can call it.`),
      ...Object.entries(types)
        .filter(([name, version]) => isKnown(name) && handlers[name] !== version)
        .map(
          ([name, version]) =>
            `Job type ${name} has version ${version}, and its handler has version ${handlers[name]}.`,
        ),
    ],
    remedy:
      'Give both the same name and version: the row of job_types in db/seed, and the handler that ' +
      'worker/handlers/<product>/index.ts lists. A group has has_handler false. To raise a version, change three places: ' +
      'version of defineHandler, the row in db/seed (for new databases), and a migration that updates job_types (for ' +
      'existing ones). docs/guide/handlers.md says when.',
  }
}

/** Names the job types whose version differs from their handler's, on a database that older files have made. */
export async function findOldVersions(client: pg.Client): Promise<string[]> {
  const { handlers } = await import('../../worker/handlers/index.ts')
  return compareVersions(await readVersions(client), listVersions(handlers))
}

async function readVersions(client: pg.Client): Promise<Record<string, number>> {
  const { rows } = await client.query<{ name: string; version: number }>(
    'select name, version from public.job_types where has_handler',
  )
  return Object.fromEntries(rows.map(({ name, version }) => [name, version]))
}

function compareVersions(types: Record<string, number>, handlers: Record<string, number>): string[] {
  return Object.entries(types)
    .filter(([name, version]) => Object.hasOwn(handlers, name) && handlers[name] !== version)
    .map(([name, version]) => `Job type ${name} has version ${version}, and its handler has version ${handlers[name]}.`)
}
