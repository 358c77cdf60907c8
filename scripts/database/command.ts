import { resolve } from 'node:path'
import pg from 'pg'
import { homeFolder, readEnv } from '../local/home.ts'

// What db:migrate, db:seed, db:new and db:check share.

export const root = resolve(import.meta.dirname, '../..')

/** The database that is meant: `DATABASE_URL`, else that of the local stack that runs, else none. */
export function findDatabaseUrl(): string | undefined {
  const databaseUrl = process.env['DATABASE_URL'] || readEnv(homeFolder())?.['DATABASE_URL']
  if (databaseUrl === undefined || /^postgres(ql)?:\/\/./.test(databaseUrl)) return databaseUrl
  throw new Error('DATABASE_URL must be a URL like postgres://role:password@host:5432/name.')
}

/** Does something to the database that is meant, and says file by file what it did. */
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
    console.error('Which database? Set DATABASE_URL, or start the local stack with npm start.')
  } catch (error) {
    console.error((error as Error).message)
  }
  return process.exit(2)
}

/** One message: what went wrong, and what Postgres hints at. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError) return `The database does not answer: ${error.errors.map(String).join(', ')}`
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (code?.startsWith('E') && 'syscall' in error) return `The database does not answer: ${error.message}`
  const { code: state } = (error.cause ?? error) as pg.DatabaseError
  // A schema, a function or a table of ours that is not there.
  const isBehind = state !== undefined && ['3F000', '42883', '42P01'].includes(state)
  return isBehind ? `${withHint(error)}\nIs it migrated? npm run db:migrate` : withHint(error)
}

function withHint(error: Error): string {
  const source = error.cause instanceof pg.DatabaseError ? error.cause : error
  const { detail, hint, code } = source as pg.DatabaseError
  // What a function of ours says is a sentence as it is.
  const message = code?.startsWith('PT') ? source.message : error.message
  return [message, detail, hint].filter(Boolean).join('\n')
}
