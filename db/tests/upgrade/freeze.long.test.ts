import { execFile } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { hashOf, nameOf, readHashes } from '../../../scripts/database/freeze.ts'
import { migrate as migrateAs } from '../../../scripts/database/migrate.ts'
import { dbFolder, sqlFiles } from '../../../scripts/database/sql_files.ts'
import { adminConfig } from '../../../scripts/local/postgres.ts'
import { asAdmin, databaseUrl, migrateAlone } from '../../../scripts/testing/cluster.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { prepareOldDatabase, withRelease } from '../../../scripts/testing/old_database.ts'
import { until } from '../../../scripts/testing/waiting.ts'

// Refusals of db:migrate. Each test edits a copy of db/, and its own database stays as it was.

let database: TestDatabase
let folder: string
const jobs = '20261120100300_jobs'
const inFolder = (name: string) => join(folder, 'migrations', `${name}.sql`)
const migrate = (name: string, from: string) => migrateAlone(inject('cluster'), name, from)
const refusal = async (name = database.name) =>
  migrate(name, folder).then(
    () => 'nothing was refused',
    (error: Error) => error.message,
  )
const ran = async () => {
  const client = await database.connect()
  return (await client.query('select name, hash from app.migrations order by name')).rows
}

beforeEach(async () => {
  database = await createDatabase()
  folder = join(mkdtempSync(join(tmpdir(), 'plinth-freeze-')), 'db')
  for (const part of ['migrations', 'modules', 'seed', 'migration_hashes.txt', 'baseline.txt'])
    cpSync(join(dbFolder, part), join(folder, part), { recursive: true })
})
afterEach(async () => {
  rmSync(resolve(folder, '..'), { recursive: true })
  await database.drop()
})

test('every migration is stored with its hash, and the same files are not refused', async () => {
  const hashes = await readHashes(join(dbFolder, 'migration_hashes.txt'))
  expect(await ran()).toEqual([...hashes].map(([name, hash]) => ({ name, hash })))
  expect(await migrate(database.name, folder)).toEqual({
    migrations: [],
    modules: [],
    strangers: [],
    wasMoved: false,
  })
})

test('an edited migration is refused, and the refusal says what to do', async () => {
  const before = await ran()
  appendFileSync(inFolder(jobs), '\n-- A comment is an edit, too.\n')
  writeFileSync(inFolder('29991231000000_later'), '-- Why.\ncreate table app.later ();\n')
  expect(await refusal()).toBe(
    `db/migrations/${jobs}.sql has changed since this database ran it. Restore the file (git log -- db/migrations/${jobs}.sql ` +
      'shows its versions) and write a new migration: npm run db:new. A local database can be made again instead: npm run reset',
  )
  expect(await ran()).toEqual(before)
})

test('another kind of line ending is not an edit', async () => {
  const { readFileSync } = await import('node:fs')
  writeFileSync(inFolder(jobs), readFileSync(inFolder(jobs), 'utf8').replaceAll('\n', '\r\n'))
  expect((await migrate(database.name, folder)).migrations).toEqual([])
})

test('a renamed migration is refused instead of run a second time', async () => {
  renameSync(inFolder(jobs), inFolder('20261120100301_work'))
  expect(await refusal()).toContain(
    `ran db/migrations/20261120100301_work.sql under the name ${jobs}.sql, and would run it a second time.`,
  )
})

test('a migration that is older than one that has run is refused', async () => {
  writeFileSync(inFolder('20261120100301_late'), '-- Why.\nselect 1;\n')
  expect(await refusal()).toMatch(
    /^db\/migrations\/20261120100301_late.sql is older than \d{14}_\w+.sql, which this database has already run/,
  )
})

test('a migration without a file is named, and stops nothing', async () => {
  rmSync(inFolder('20261120100600_dramas'))
  expect((await migrate(database.name, folder)).strangers).toEqual(['20261120100600_dramas'])
})

test('a new migration runs after a migration without a file', async () => {
  rmSync(inFolder('20261127100510_require_hints'))
  writeFileSync(inFolder('29991231000000_later'), '-- Why.\nselect 1;\n')
  expect(await migrate(database.name, folder)).toMatchObject({
    migrations: ['29991231000000_later'],
    strangers: ['20261127100510_require_hints'],
  })
})

test('migrations of the same time run in the order of their names, each with its own hash', async () => {
  // node-pg-migrate would take 2 before 10.
  writeFileSync(inFolder('29991231000000_step_10'), '-- Why.\ncreate table app.steps_seen ();\n')
  writeFileSync(inFolder('29991231000000_step_2'), '-- Why.\ndrop table app.steps_seen;\n')
  expect((await migrate(database.name, folder)).migrations).toEqual(['29991231000000_step_10', '29991231000000_step_2'])
  expect(await migrate(database.name, folder)).toMatchObject({ migrations: [] })
})

test('a new migration stores its hash in its own transaction', async () => {
  writeFileSync(inFolder('29991231000000_fails'), '-- Why.\nselect 1;\nselect 1 / 0;\n')
  expect(await refusal()).toBe('db/migrations/29991231000000_fails.sql: division by zero')
  writeFileSync(inFolder('29991231000000_fails'), "-- Why.\nselect set_config('plinth.seen', 'x', false);\n")
  expect((await migrate(database.name, folder)).migrations).toEqual(['29991231000000_fails'])
  expect((await ran()).at(-1)).toEqual({
    name: '29991231000000_fails',
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  appendFileSync(inFolder('29991231000000_fails'), 'select 2;\n')
  expect(await refusal()).toContain('29991231000000_fails.sql has changed since this database ran it')
})

test('another role than the owner is refused, also a superuser', async () => {
  const { port, secrets } = inject('cluster')
  const { user, password } = adminConfig({ port, adminPassword: secrets.adminPassword }, database.name)
  await expect(migrateAs(`postgres://${user}:${password}@127.0.0.1:${port}/${database.name}`, folder)).rejects.toThrow(
    'This database belongs to role postgres, and DATABASE_URL names supabase_admin. Connect as postgres.',
  )
})

test('db:migrate names what no file makes any more', async () => {
  const client = await database.connect()
  await client.query('create function app.left_over(a integer) returns integer language sql return a')
  await client.query('create function public.cancel_job(id integer) returns text language sql return null')
  await client.query(
    'create trigger _999_left_over before update on public.users for each row execute function app.tg__touch_updated_at()',
  )
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) =>
    execFile(
      process.execPath,
      [resolve(dbFolder, '../scripts/db_migrate.ts')],
      { env: { ...process.env, DATABASE_URL: database.url() } },
      (_error, stdout, stderr) => done({ stdout, stderr }),
    ),
  )
  expect(stdout).toBe('Nothing to do.\n')
  const advice = 'No file creates this object any more: drop the object in a new migration (npm run db:new).'
  expect(stderr.split('\n')).toEqual([
    `Left over: function app.left_over(a integer). ${advice}`,
    `Left over: one of function public.cancel_job(id integer), function public.cancel_job(job_id bigint). ${advice}`,
    `Left over: trigger _999_left_over on public.users. ${advice}`,
    '',
  ])
})

test('the archive of c5e8e03 has the released migrations', async () => {
  const released = await readHashes(join(dbFolder, 'migration_hashes.txt'))
  const archived = await withRelease('c5e8e03', (archive) => sqlFiles(archive, 'migrations'))
  expect(archived).toHaveLength(9)
  for (const { path, text } of archived) expect(hashOf(text), path).toBe(released.get(nameOf(path)))
})

test('a database that is older than c5e8e03 is refused, and c5e8e03 is adopted with the released hashes', async () => {
  const cluster = inject('cluster')
  const name = `${database.name}_old`
  await prepareOldDatabase(cluster, name)
  try {
    // Before 294f5bc, app.runs had a foreign key to its owner.
    await asAdmin(cluster, name, (admin) =>
      admin.query(
        'alter table app.runs add constraint runs_owner_id_fkey foreign key (owner_id) references auth.users (id)',
      ),
    )
    expect(await refusal(name)).toBe(
      'This database is older than commit c5e8e03, and its migrations were edited later: table app.runs differs. It has run 9 ' +
        'migrations. Only databases of c5e8e03 or newer can be migrated. A local database can be made again: npm run reset. ' +
        'For any other one, make a new database and load the data into it.',
    )
    await asAdmin(cluster, name, (admin) => admin.query('alter table app.runs drop constraint runs_owner_id_fkey'))
    // An operator may add an index.
    await asAdmin(cluster, name, (admin) => admin.query('create index mine on app.runs (owner_id, finished_at)'))
    appendFileSync(inFolder(jobs), '\n')
    expect(await refusal(name)).toContain(`${jobs}.sql has changed since this database ran it`)
    cpSync(join(dbFolder, 'migrations'), join(folder, 'migrations'), { recursive: true })
    expect((await migrate(name, folder)).migrations).toContain('20261127100500_hash_migrations')
    const { rows } = await asAdmin(cluster, name, (admin) =>
      admin.query<{ name: string; hash: string }>('select name, hash from app.migrations order by name'),
    )
    expect(new Map(rows.map((row) => [row.name, row.hash]))).toEqual(
      await readHashes(join(dbFolder, 'migration_hashes.txt')),
    )
  } finally {
    await asAdmin(cluster, 'postgres', (admin) => admin.query(`drop database if exists ${name} with (force)`))
  }
})

test('an upgrade of c5e8e03 that was interrupted goes on', async () => {
  const cluster = inject('cluster')
  const name = `${database.name}_old`
  await prepareOldDatabase(cluster, name)
  const reader = new pg.Client(databaseUrl(cluster, name))
  await reader.connect()
  const watcher = await database.connect()
  try {
    await reader.query('begin')
    await reader.query('select from public.dramas')
    const refused = refusal(name)
    await until('the migration waits for the reader, and is interrupted', async () => {
      // Not by the reader, whose transaction sees one state of pg_stat_activity.
      const { rowCount } = await watcher.query(
        `select pg_cancel_backend(pid) from pg_stat_activity
         where datname = $1 and wait_event_type = 'Lock'`,
        [name],
      )
      return rowCount === 1
    })
    expect(await refused).toBe('db/migrations/20261127100400_drama_limits.sql: canceling statement due to user request')
    await reader.query('rollback')
    expect((await migrate(name, folder)).migrations[0]).toBe('20261127100400_drama_limits')
    const { rows } = await reader.query('select name, hash from app.migrations order by name')
    expect(rows).toEqual(await ran())
  } finally {
    await reader.end()
    await asAdmin(cluster, 'postgres', (admin) => admin.query(`drop database if exists ${name} with (force)`))
  }
})
