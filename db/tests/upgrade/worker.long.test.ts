import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { makeRun } from '../../../scripts/chaos/make_run.ts'
import { migrateAlone, prepareDatabase } from '../../../scripts/testing/cluster.ts'
import { openDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { testTypes } from '../../../scripts/testing/handlers.ts'
import { withRelease } from '../../../scripts/testing/old_database.ts'
import { until } from '../../../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorkers } from '../../../scripts/testing/workers.ts'
import type { StepSpec } from '../../../worker/steps/define_handler.ts'
import { requireInvariants } from '../20_jobs/invariants.ts'

// A rolling deployment: worker processes of c5e8e03 on a database that the current files have migrated.

type Door = { name: string; role: string; required: string[]; all: string[]; result: string }

let database: TestDatabase
let client: Client
let workers: TestWorkers
let oldFolder: string
let oldDoors: Door[]

beforeAll(async () => {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  await withRelease('c5e8e03', (folder) => prepareDatabase(inject('cluster'), name, folder))
  database = openDatabase(name)
  client = await database.connect()
  oldDoors = await listDoors()
  await migrateAlone(inject('cluster'), name)
  await client.query(testTypes)
  await client.query("update app.settings set job_lease = '3 seconds', job_events_are_kept = true")
  workers = createTestWorkers()
  oldFolder = mkdtempSync(join(tmpdir(), 'plinth-c5e8e03-'))
  await promisify(execFile)('tar', ['-xzf', join(import.meta.dirname, 'c5e8e03_worker.tar.gz'), '-C', oldFolder])
  symlinkSync(resolve(import.meta.dirname, '../../../node_modules'), join(oldFolder, 'node_modules'))
})
afterEach(() => workers.stop())
afterAll(async () => {
  await database.drop()
  workers.remove()
  rmSync(oldFolder, { recursive: true, force: true })
})

/** The functions behind the doors of worker and sidecar, with their arguments. */
async function listDoors(): Promise<Door[]> {
  const { rows } = await client.query<Door>(
    `select
       format('%s.%s', n.nspname, p.proname) as name,
       n.nspname::text as role,
       coalesce(p.proargnames[1 : p.pronargs - p.pronargdefaults], '{}') as required,
       coalesce(p.proargnames[1 : p.pronargs], '{}') as all,
       pg_get_function_result(p.oid) as result
     from pg_proc as p
     join pg_namespace as n on n.oid = p.pronamespace
     where n.nspname in ('worker', 'sidecar') and has_function_privilege(n.nspname::text, p.oid, 'execute')
     order by 1`,
  )
  return rows
}

const startOld = async () => {
  const program = [join(oldFolder, 'scripts/testing/worker.ts')]
  const worker = await workers.start('old', database.url('worker'), { program })
  await until('the old worker is healthy', async () => (await worker.health()) === 200)
  return worker
}
const startNew = async () => {
  const worker = await workers.start('new', database.url('worker'))
  await until('the new worker is healthy', async () => (await worker.health()) === 200)
  return worker
}

async function submit(spec: StepSpec): Promise<number> {
  const { rows } = await client.query('select app.submit_run($1, null, null) as id', [JSON.stringify(spec)])
  return Number(rows[0].id)
}
const haveEnded = async (...ids: number[]) =>
  (await client.query('select from app.runs where id = any ($1) and finished_at is null', [ids])).rowCount === 0
const jobs = async (id: number) =>
  (
    await client.query(
      'select key, status, error_slug as slug, output from jobs where root_id = $1 order by array_position($2, key), id',
      [id, ['run', 'first', 'nap', 'flaky', 'poll', 'tree', 'last']],
    )
  ).rows
/** How often the steps of runs started, by worker. */
const startsOf = async (ids: number[]) =>
  (
    await client.query(
      `select count(*)::int as starts, count(distinct e.job_id)::int as steps
       from app.job_events as e join jobs as j on j.id = e.job_id
       where j.root_id = any ($1) and e.status = 'running'`,
      [ids],
    )
  ).rows[0]

test('each function that worker and sidecar of c5e8e03 may call accepts their calls and returns the same type', async () => {
  expect(oldDoors.length).toBeGreaterThan(18)
  for (const { name, role, required, all, result } of oldDoors) {
    const door = await database.connect(role as 'worker' | 'sidecar')
    for (const names of [required, all]) {
      // Without types, like the calls of db.ts: a second function with these names would be ambiguous.
      const args = names.map((arg, index) => `"${arg}" => $${index + 1}`).join(', ')
      await expect(door.query(`prepare call as select ${name}(${args})`), `${name}(${args})`).resolves.toBeDefined()
      await door.query('deallocate call')
    }
    expect((await listDoors()).find((one) => one.name === name)?.result, name).toBe(result)
  }
})

test('a worker of c5e8e03 completes, fails and reschedules steps, and ends at SIGTERM', async () => {
  const old = await startOld()
  const id = await submit(makeRun(5))
  const failing = await submit({
    key: 'run',
    type: 'group',
    steps: [
      { key: 'huge', type: 'huge', on_failure: 'continue' },
      { key: 'picky', type: 'picky', input: { name: 'nul' }, on_failure: 'continue' },
      { key: 'wrong', type: 'nap', input: { ms: 'x' }, on_failure: 'skip_dependents' },
      { key: 'after', type: 'noop', depends_on: ['wrong'] },
      { key: 'last', type: 'noop', depends_on: ['huge', 'picky'] },
    ],
  })
  await until('both runs end', () => haveEnded(id, failing))
  expect((await jobs(id)).filter(({ status }) => status !== 'completed')).toEqual([])
  expect((await jobs(id)).find(({ key }) => key === 'last').output).toEqual({ of: ['nap', 'flaky', 'poll', 'tree'] })
  expect(Object.fromEntries((await jobs(failing)).map(({ key, status, slug }) => [key, slug ?? status]))).toEqual({
    run: 'completed',
    huge: 'output_too_large',
    picky: 'output_invalid',
    wrong: 'input_invalid',
    after: 'skipped',
    last: 'completed',
  })
  process.kill(old.pid, 'SIGTERM')
  expect(await old.exited).toBe('exit code 0')
  expect((await client.query('select count(*)::int as n from app.workers')).rows).toEqual([{ n: 0 }])
  expect(old.readLog()).not.toMatch(/42883|42725|does not exist|not unique/)
})

test('heartbeats of a worker of c5e8e03 keep its steps, also while a new worker sweeps', async () => {
  await startOld()
  const id = await submit({ key: 'run', type: 'nap', input: { ms: 6500 } })
  const isRunning = async () => (await jobs(id))[0].status === 'running'
  await until('the old worker runs the step', isRunning)
  await startNew()
  await until('the run ends', () => haveEnded(id))
  expect(await startsOf([id])).toEqual({ starts: 1, steps: 1 })
  expect((await jobs(id))[0].status).toBe('completed')
})

test('a worker of c5e8e03 requeues the steps of a new worker that died', async () => {
  const current = await startNew()
  const id = await submit({ key: 'run', type: 'nap', input: { ms: 1500 } })
  await until('the new worker runs the step', async () => (await jobs(id))[0].status === 'running')
  process.kill(current.pid, 'SIGKILL')
  await startOld()
  await until('the run ends', () => haveEnded(id))
  expect((await jobs(id))[0].status).toBe('completed')
})

test('old and new workers together complete each step exactly once', async () => {
  await Promise.all([startOld(), startNew(), startOld()])
  const ids: number[] = []
  for (let n = 0; n < 24; n++) ids.push(await submit(makeRun(n)))
  await until('all runs end', () => haveEnded(...ids))
  const { rows } = await client.query(
    `select
       (select count(*)::int from jobs where root_id = any ($1) and status <> 'completed') as uncompleted,
       (
         select count(*)::int from (
           select e.job_id from app.job_events as e join jobs as j on j.id = e.job_id
           where j.root_id = any ($1) and e.status = 'completed' group by 1 having count(*) > 1
         ) as t
       ) as twice`,
    [ids],
  )
  expect(rows).toEqual([{ uncompleted: 0, twice: 0 }])
  await requireInvariants(client)
})
