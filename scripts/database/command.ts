import { resolve } from 'node:path'
import pg from 'pg'
import { explainTls, postgresUrl } from '../../worker/shared/database_url.ts'
import { homeFolder, readEnv } from '../local/home.ts'
import { FileError } from './migrate.ts'

// Shared by db:migrate, db:seed, db:new and db:check.

export const root = resolve(import.meta.dirname, '../..')

/**
 * The database to work on: `DATABASE_URL`, otherwise that of the running local stack, otherwise none. Refuses a URL that
 * worker and sidecar refuse.
 */
export function findDatabaseUrl(): string | undefined {
  const databaseUrl = process.env['DATABASE_URL'] || readEnv(homeFolder())?.['DATABASE_URL']
  if (databaseUrl === undefined) return undefined
  const parsed = postgresUrl.safeParse(databaseUrl)
  if (parsed.success) return parsed.data
  throw new Error(`DATABASE_URL ${parsed.error.issues[0]?.message}.`)
}

/** Does something to the database of {@link findDatabaseUrl}, and prints each change. */
export async function runOnDatabase(work: (databaseUrl: string) => Promise<string[]>): Promise<void> {
  const databaseUrl = databaseUrlOrExit()
  try {
    const lines = await work(databaseUrl)
    console.log(lines.length > 0 ? lines.join('\n') : 'Nothing to do.')
  } catch (error) {
    console.error(describeFailure(error))
    process.exit(1)
  }
}

function databaseUrlOrExit(): string {
  try {
    const databaseUrl = findDatabaseUrl()
    if (databaseUrl !== undefined) return databaseUrl
    console.error('No database: set DATABASE_URL, or start the local stack with npm start.')
  } catch (error) {
    console.error((error as Error).message)
  }
  return process.exit(2)
}

/** One message: the error, and the hint of Postgres. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError) return `The database does not answer: ${error.errors.map(String).join(', ')}`
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (code?.startsWith('E') && 'syscall' in error) return `The database does not answer: ${error.message}`
  const tls = explainTls(error)
  if (tls !== undefined) return `The database cannot be reached: ${error.message}\n${tls}`
  const { code: state } = (error.cause ?? error) as pg.DatabaseError
  // A schema, function or table of ours is missing.
  const isBehind = !(error instanceof FileError) && ['3F000', '42883', '42P01'].includes(state ?? '')
  return isBehind ? `${withHint(error)}\nIf the database is not migrated, run npm run db:migrate.` : withHint(error)
}

function withHint(error: Error): string {
  const source = error.cause instanceof pg.DatabaseError ? error.cause : error
  const { detail, hint, code } = source as pg.DatabaseError
  // A message of our own functions is a complete sentence.
  const message = code?.startsWith('PT') ? source.message : error.message
  return [message, detail, hint].filter(Boolean).join('\n')
}
