import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { Logger, runMigrations as runQueueMigrations } from 'graphile-worker'
import { runner } from 'node-pg-migrate'
import pg from 'pg'

const dbFolder = resolve(import.meta.dirname, '../../db')

/** Where migrations stand. */
export const migrationsFolder = join(dbFolder, 'migrations')

const migrationLock = 7_203_001

/** What a run of {@link migrate} changed. */
export type Migrated = {
  migrations: string[]
  modules: string[]
  /** Migrations that have run, and that no file has. */
  strangers: string[]
}

/**
 * Brings a database to what the files say: graphile-worker's schema, `db/migrations` once each and in order, then
 * every changed file of `db/modules`, in one transaction. Runs as `postgres`; safe to repeat, also at the same moment.
 */
export async function migrate(databaseUrl: string): Promise<Migrated> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await takeLock(client)
    await installQueue(databaseUrl)
    const migrations = await runMigrations(client)
    return { migrations, modules: await applyModules(client), strangers: await listStrangers(client) }
  } finally {
    await client.end()
  }
}

/** Applies `db/seed`, every file in one transaction. Safe to repeat: an operator's change stays. */
export async function seed(databaseUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const files = await sqlFiles(join(dbFolder, 'seed'))
    await client.query('begin')
    for (const file of files) await execute(client, file.path, file.text)
    await client.query('commit')
    return files.map((file) => file.path)
  } finally {
    await client.end()
  }
}

/** Sets the password of a login role; migrations make roles without. */
export async function setPassword(client: pg.Client, role: string, password: string): Promise<void> {
  await client.query(`alter role ${pg.escapeIdentifier(role)} with password ${pg.escapeLiteral(password)}`)
}

/** The files of `db/modules` in the order in which they are applied: functions, then triggers, access, schedules. */
export async function moduleFiles(): Promise<SqlFile[]> {
  const rank = (path: string) =>
    ['triggers.sql', 'access.sql', 'schedules.sql'].findIndex((name) => path.endsWith(`/${name}`))
  const folder = (path: string) => path.slice(0, path.lastIndexOf('/'))
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const files = await sqlFiles(join(dbFolder, 'modules'))
  return files.sort(
    (a, b) => byText(folder(a.path), folder(b.path)) || rank(a.path) - rank(b.path) || byText(a.path, b.path),
  )
}

/** An SQL file: its path from the project's root, and its text. */
export type SqlFile = { path: string; text: string }

/** Every `.sql` file below a folder, sorted by path. */
export async function sqlFiles(folder: string): Promise<SqlFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return Promise.all(
    paths.map(async (path) => ({ path: relative(resolve(dbFolder, '..'), path), text: await readFile(path, 'utf8') })),
  )
}

/** One migration at a time in a database; another one is waited for, but not for ever. */
async function takeLock(client: pg.Client): Promise<void> {
  try {
    await client.query("set lock_timeout = '60s'")
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    await client.query('reset lock_timeout')
  } catch (cause) {
    if ((cause as pg.DatabaseError).code !== '55P03') throw cause
    throw new Error('Another migration of this database has been running for a minute: see pg_locks, and try again.', {
      cause,
    })
  }
}

async function installQueue(databaseUrl: string): Promise<void> {
  const logger = new Logger(() => () => {})
  await runQueueMigrations({ connectionString: databaseUrl, schema: 'graphile_worker', logger })
}

async function runMigrations(client: pg.Client): Promise<string[]> {
  try {
    const done = await runner({
      dbClient: client,
      dir: migrationsFolder,
      direction: 'up',
      migrationsTable: 'migrations',
      migrationsSchema: 'app',
      createMigrationsSchema: true,
      noLock: true,
      log: () => {},
    })
    return done.map((migration) => migration.name)
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause
    await client.query('rollback')
    // Each migration commits by itself, so the one that failed is the first that is missing.
    const { rows } = await client.query<{ name: string }>('select name from app.migrations')
    const names = new Set(rows.map((row) => row.name))
    const file = (await sqlFiles(migrationsFolder)).find(({ path }) => !names.has(basename(path, '.sql')))
    throw file ? describe(file, cause) : cause
  }
}

async function listStrangers(client: pg.Client): Promise<string[]> {
  const files = new Set((await sqlFiles(migrationsFolder)).map(({ path }) => basename(path, '.sql')))
  const { rows } = await client.query<{ name: string }>('select name from app.migrations order by id')
  return rows.flatMap(({ name }) => (files.has(name) ? [] : [name]))
}

async function applyModules(client: pg.Client): Promise<string[]> {
  // A new graphile-worker may bring new tables, so its schema's version counts as a change of every file.
  const queue = await client.query<{ version: number }>('select max(id) as version from graphile_worker.migrations')
  const files = (await moduleFiles()).map((file) => ({
    ...file,
    hash: createHash('sha256').update(`${queue.rows[0]?.version}\n${file.text}`).digest('hex'),
  }))
  await client.query('begin')
  const { rows } = await client.query<{ path: string; hash: string }>('select path, hash from app.applied_files')
  const applied = new Map(rows.map((row) => [row.path, row.hash]))
  const changed = files.filter((file) => applied.get(file.path) !== file.hash)
  await applyAll(client, changed)
  await client.query(
    `insert into app.applied_files (path, hash)
     select path, hash from unnest($1::text[], $2::text[]) as f(path, hash)
     on conflict (path) do update set hash = excluded.hash, applied_at = now()`,
    [changed.map((file) => file.path), changed.map((file) => file.hash)],
  )
  await client.query('delete from app.applied_files where path <> all ($1)', [files.map((file) => file.path)])
  await client.query('select app.register_schedules()')
  if (changed.length > 0) await client.query("notify pgrst, 'reload schema'")
  await client.query('commit')
  return changed.map((file) => file.path)
}

/** Applies files in order; one that calls a function that comes later is tried again after the rest. */
async function applyAll(client: pg.Client, files: SqlFile[]): Promise<void> {
  const early: SqlFile[] = []
  for (const [index, file] of files.entries()) {
    await client.query('savepoint file')
    try {
      await execute(client, file.path, file.text)
    } catch (error) {
      const isEarly = ((error as Error).cause as pg.DatabaseError).code === '42883'
      if (!isEarly || index === files.length - 1) throw error
      await client.query('rollback to savepoint file')
      early.push(file)
    }
  }
  if (early.length === 0) return
  if (early.length === files.length)
    throw new Error(`These files need functions that no file has: ${early.map((file) => file.path).join(', ')}`)
  await applyAll(client, early)
}

/** Runs a file's text, and names file and line where it fails. */
async function execute(client: pg.Client, path: string, text: string): Promise<void> {
  try {
    await client.query(text)
  } catch (cause) {
    throw describe({ path, text }, cause as pg.DatabaseError)
  }
}

/** What Postgres said of a file, with the line where it said where. */
function describe({ path, text }: SqlFile, cause: pg.DatabaseError): Error {
  const line = cause.position ? `:${text.slice(0, Number(cause.position)).split('\n').length}` : ''
  // A function of another signature.
  const advice = cause.code === '42P13' ? '. Drop it in a migration; a database of your own: npm run reset' : ''
  return new Error(`${path}${line}: ${cause.message}${advice}`, { cause })
}
