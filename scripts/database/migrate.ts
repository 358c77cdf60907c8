import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Logger, runMigrations as runQueueMigrations } from 'graphile-worker'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import { ourSchemas } from '../check/catalog.ts'
import { hashOf, nameOf, requireFrozen, storeHashes } from './freeze.ts'
import { createVerifier } from './passwords.ts'
import { isInUse, repeatWhileInUse } from './repeat.ts'
import { dbFolder, isAlwaysApplied, moduleFiles, type SqlFile, sqlFiles } from './sql_files.ts'

const migrationLock = 7_203_001

/** In `app.applied_files`: the database that the files were applied to. */
const placePath = '(this database)'

/** Ends a sentence about a database that {@link Migrated.wasMoved}. */
export const movedReason = 'was restored or copied, or an earlier release migrated it last'

/**
 * SQL that names a database and its roles. A restored or copied database has the rows of another one, and lacks what a dump
 * leaves out: privileges of roles that did not exist, and objects in schemas of Supabase.
 */
const placeSql = `(
  select concat_ws(' ', s.system_identifier, d.oid, 'worker'::regrole::oid, 'sidecar'::regrole::oid)
  from pg_control_system() as s
  join pg_database as d on d.datname = current_database()
)`

/** The changes of a run of {@link migrate}. */
export type Migrated = {
  migrations: string[]
  modules: string[]
  /** Migrations that have run, and that no file has. */
  strangers: string[]
  /** The database is not the one that was last migrated: restored, copied, or unknown. Every file of `modules` was applied. */
  wasMoved: boolean
}

/**
 * Brings a database to what the files say: graphile-worker's schema, `migrations` once each and in order, then every
 * changed file of `modules`, and `modules/database.sql` always, in one transaction. Runs as `postgres`; safe to repeat, also
 * at the same moment. Refuses a database whose migrations are not those of the files, before it changes anything.
 */
export async function migrate(databaseUrl: string, folder = dbFolder): Promise<Migrated> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await takeLock(client)
    await requireOwner(client)
    const { applied, strangers } = await requireFrozen(client, folder)
    await createRoles(client)
    await installQueue(databaseUrl)
    await closeDefaults(client)
    const migrations = await runMigrations(client, folder, applied)
    const modules = await repeatWhileInUse(client, () => applyModules(client, folder))
    return { migrations, strangers, ...modules }
  } finally {
    await client.end()
  }
}

/**
 * Applies `seed`, every file in one transaction, and says how many rows each file inserted. Safe to repeat: an operator's
 * change stays, and a row that an operator deleted stays deleted (`app.claim_seed`).
 */
export async function seed(databaseUrl: string, folder = dbFolder): Promise<{ path: string; rows: number }[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const files = await sqlFiles(folder, 'seed')
    return await repeatWhileInUse(client, async () => {
      const applied: { path: string; rows: number }[] = []
      await client.query('begin')
      for (const { path, text } of files) applied.push({ path, rows: await execute(client, path, text) })
      await client.query('commit')
      return applied
    })
  } finally {
    await client.end()
  }
}

/** Sets the password of a login role; migrations create roles without one. Postgres gets a verifier, not the password. */
export async function setPassword(client: pg.Client, role: string, password: string): Promise<void> {
  await client.query(
    `alter role ${pg.escapeIdentifier(role)} with password ${pg.escapeLiteral(createVerifier(password))}`,
  )
}

/** Allows one migration at a time in a database; waits up to a minute for another one. */
async function takeLock(client: pg.Client): Promise<void> {
  try {
    await client.query("set lock_timeout = '60s'")
    await client.query('select pg_advisory_lock($1)', [migrationLock])
    await client.query('reset lock_timeout')
  } catch (cause) {
    if ((cause as pg.DatabaseError).code !== '55P03') throw cause
    throw new Error(
      'Another migration of this database has been running for a minute. Find it in pg_locks, and try again.',
      {
        cause,
      },
    )
  }
}

/**
 * Refuses another role than the one that made our schemas. Its objects would belong to it, and clients could execute its
 * functions: the default privileges that forbid this are those of the first role.
 */
async function requireOwner(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ role: string; owner: string }>(
    `select current_user as role, n.nspowner::regrole as owner from pg_namespace as n
     where n.nspname = 'app' and n.nspowner <> current_user::regrole`,
  )
  for (const { role, owner } of rows)
    throw new Error(`This database belongs to role ${owner}, and DATABASE_URL names ${role}. Connect as ${owner}.`)
}

/** Creates the roles of worker and sidecar, to which migrations and modules grant: a dump of a database has no roles. */
async function createRoles(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select name from unnest(array['worker', 'sidecar']) as w (name)
     where not exists (select from pg_roles where rolname = w.name)`,
  )
  for (const { name } of rows) await client.query(`create role ${pg.escapeIdentifier(name)} login noinherit`)
}

/**
 * Exposes nothing by default: each grant is written next to its object. Hosted projects grant everything in schema public to
 * the roles of the API by default, and a dump of schemas lacks most default privileges. So this runs before any file creates
 * an object, also in a database whose first migration has run.
 */
async function closeDefaults(client: pg.Client): Promise<void> {
  await client.query(`
    alter default privileges revoke execute on functions from public;
    alter default privileges in schema public
      revoke all on tables from anon, authenticated, service_role;
    alter default privileges in schema public
      revoke all on sequences from anon, authenticated, service_role;
    alter default privileges in schema public
      revoke all on functions from anon, authenticated, service_role`)
}

async function installQueue(databaseUrl: string): Promise<void> {
  const logger = new Logger(() => () => {})
  await runQueueMigrations({ connectionString: databaseUrl, schema: 'graphile_worker', logger })
}

/** Runs the migrations that have not run, each in a transaction of its own that also stores its hash. */
async function runMigrations(client: pg.Client, folder: string, applied: string[]): Promise<string[]> {
  const files = (await sqlFiles(folder, 'migrations')).filter(({ path }) => !applied.includes(nameOf(path)))
  for (const file of files) {
    // The default of app.migrations.hash reads it, where node-pg-migrate notes that the file has run.
    await client.query("select set_config('plinth.migration_hash', $1, false)", [hashOf(file.text)])
    const run = () =>
      runner({
        dbClient: client,
        dir: join(folder, 'migrations'),
        direction: 'up',
        // This one, whatever the order in which node-pg-migrate sorts files of the same time and strangers.
        file: nameOf(file.path),
        checkOrder: false,
        migrationsTable: 'migrations',
        migrationsSchema: 'app',
        createMigrationsSchema: true,
        noLock: true,
        log: () => {},
      })
    try {
      await repeatWhileInUse(client, run)
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      await client.query('rollback')
      throw describe(file, cause)
    }
  }
  await storeHashes(client, folder)
  return files.map(({ path }) => nameOf(path))
}

/**
 * The files that {@link migrate} would apply to a database that has run some migrations; to one that was restored or copied
 * (`wasMoved`), in addition to all files of `modules`.
 */
export async function listPending(
  client: pg.Client,
  folder = dbFolder,
): Promise<{ pending: string[]; wasMoved: boolean }> {
  const { rows } = await client.query<{ name: string }>('select name from app.migrations')
  const applied = new Set(rows.map(({ name }) => name))
  const migrations = (await sqlFiles(folder, 'migrations')).filter(({ path }) => !applied.has(nameOf(path)))
  const { changed, wasMoved } = await findChangedModules(client, folder)
  return { pending: [...migrations, ...(wasMoved ? [] : changed)].map(({ path }) => path), wasMoved }
}

/** Every file of `modules` with its hash, and those of them that the database has not applied. */
async function findChangedModules(client: pg.Client, folder: string) {
  // A new graphile-worker may bring new tables, so a new version of its schema changes the hash of every file.
  const queue = await client.query<{ version: number }>('select max(id) as version from graphile_worker.migrations')
  const files = (await moduleFiles(folder)).map((file) => ({
    ...file,
    hash: createHash('sha256').update(`${queue.rows[0]?.version}\n${file.text}`).digest('hex'),
  }))
  const { rows } = await client.query<{ path: string; hash: string }>('select path, hash from app.applied_files')
  const applied = new Map(rows.map((row) => [row.path, row.hash]))
  const wasMoved = rows.length > 0 && applied.get(placePath) !== (await readPlace(client))
  return { files, changed: files.filter((file) => wasMoved || applied.get(file.path) !== file.hash), wasMoved }
}

async function readPlace(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ place: string }>(`select ${placeSql} as place`)
  return rows[0]?.place
}

/**
 * Revokes every privilege on our functions, before all files grant them again: a restore adds the default privileges of
 * the new database, and loses a `revoke` that stands before a grant to a role that does not exist there.
 */
async function revokeFunctions(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `select format('revoke all on routine %s from public, anon, authenticated, service_role, worker, sidecar', p.oid::regprocedure)
       as statement
     from pg_proc as p
     where p.pronamespace::regnamespace::text = any ($1)
       and p.proowner = current_user::regrole
       and not exists (
         select from pg_depend as d
         where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
       )`,
    [ourSchemas],
  )
  await client.query(rows.map(({ statement }) => statement).join(';'))
}

async function allowsTemporaryObjects(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ allows: boolean }>(
    `select bool_or(has_database_privilege(oid, current_database(), 'temporary')) as allows
     from pg_roles where rolname in ('worker', 'sidecar', 'authenticator')`,
  )
  return rows[0]?.allows ?? false
}

/** Ends the sessions of the doors, which keep the temporary objects that they created while they were allowed to. */
async function endSessions(client: pg.Client): Promise<void> {
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and usename in ('worker', 'sidecar', 'authenticator')`,
  )
}

/** Stores that the files are applied to this database. */
export async function notePlace(client: pg.Client): Promise<void> {
  await client.query(
    `insert into app.applied_files (path, hash) values ($1, ${placeSql})
     on conflict (path) do update set hash = excluded.hash, applied_at = now()
     where applied_files.hash <> excluded.hash`,
    [placePath],
  )
}

async function applyModules(client: pg.Client, folder: string): Promise<{ modules: string[]; wasMoved: boolean }> {
  const wasOpen = await allowsTemporaryObjects(client)
  await client.query('begin')
  const { files, changed, wasMoved } = await findChangedModules(client, folder)
  if (wasMoved) await revokeFunctions(client)
  await applyAll(
    client,
    files.filter((file) => changed.includes(file) || isAlwaysApplied(file)),
  )
  await client.query(
    `insert into app.applied_files (path, hash)
     select path, hash from unnest($1::text[], $2::text[]) as f(path, hash)
     on conflict (path) do update set hash = excluded.hash, applied_at = now()`,
    [changed.map((file) => file.path), changed.map((file) => file.hash)],
  )
  await notePlace(client)
  await client.query('delete from app.applied_files where path <> all ($1)', [
    [...files.map((file) => file.path), placePath],
  ])
  await client.query('select app.register_schedules()')
  if (changed.length > 0) await client.query("notify pgrst, 'reload schema'")
  await client.query('commit')
  if (wasOpen) await endSessions(client)
  return { modules: changed.map((file) => file.path), wasMoved }
}

/** Applies files in order. A file that calls a function of a later file is tried again after the others. */
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
    throw new Error(`These files call functions that no file creates: ${early.map((file) => file.path).join(', ')}`)
  await applyAll(client, early)
}

/** Runs a file's text, and returns how many rows it inserted; an error names file and line. */
async function execute(client: pg.Client, path: string, text: string): Promise<number> {
  try {
    const results = [await client.query(text)].flat()
    return results.reduce((sum, { command, rowCount }) => sum + (command === 'INSERT' ? (rowCount ?? 0) : 0), 0)
  } catch (cause) {
    throw describe({ path, text }, cause as pg.DatabaseError)
  }
}

/** The failure of a migration, a module file or a file of seed data; the message names the file. */
export class FileError extends Error {}

/** An error with file and line, where Postgres names a position. */
function describe({ path, text }: SqlFile, cause: pg.DatabaseError): FileError {
  const line = cause.position ? `:${text.slice(0, Number(cause.position)).split('\n').length}` : ''
  // The signature of a function has changed.
  const advice =
    cause.code === '42P13'
      ? '. Drop it in a migration; a database of your own: npm run reset'
      : isInUse(cause)
        ? '. The database is in use. Run the command again at once, because until it ends, functions may not fit the tables'
        : ''
  return new FileError(`${path}${line}: ${cause.message}${advice}`, { cause })
}
