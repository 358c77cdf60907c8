import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { claimSteps, completed, exchangeSteps as exchange } from '../../../scripts/testing/steps.ts'
import { requireInvariants } from './invariants.ts'

// Several sweeps at the same moment, next to results, cancellations and deletions: each change is shown, and nothing waits.
let database: TestDatabase
let sweeps: Client[]
let a: Client
let b: Client
let admin: Client
const worker = crypto.randomUUID()

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  sweeps = await Promise.all(Array.from({ length: 10 }, () => database.connect()))
  ;[a, b] = sweeps as [Client, Client]
  await admin.query("insert into job_types (name) values ('noop')")
  // A statement that waits for an open transaction fails. Postgres itself locks a table for a moment when the table grows.
  for (const client of sweeps) await client.query("set lock_timeout = '1s'")
})
afterAll(() => database.drop())
beforeEach(async () => {
  await Promise.all(sweeps.map((client) => client.query('rollback')))
  // A deletion of more than 300 runs leaves their rows to the next sweep.
  await admin.query(
    'delete from app.runs; delete from public.runs; delete from app.run_changes; delete from app.workers',
  )
})

/** Submits so many runs of so many steps each, and returns their ids. */
const submitRuns = async (runs: number, steps = 1): Promise<number[]> => {
  const list = Array.from({ length: steps }, (_, n) => ({ key: `s${n}`, type: 'noop' }))
  const spec = { key: 'root', type: 'group', steps: list }
  const sql = 'select app.submit_run($1, null, null) as id from generate_series(1, $2)'
  return (await admin.query(sql, [spec, runs])).rows.map(({ id }) => Number(id))
}
const submit = async (steps = 1): Promise<number> => (await submitRuns(1, steps))[0] as number
/** Completes every step that is ready. */
const complete = async (): Promise<void> => {
  const steps = await claimSteps(admin, worker, 1000)
  await exchange(
    admin,
    worker,
    steps.map((step) => completed(step)),
  )
}
/** Lets a second pass since the last write of each run. */
const passSecond = () => admin.query("update public.runs set updated_at = updated_at - interval '1 second'")
const publish = async (client: Client): Promise<number> =>
  (await client.query('select app.publish_runs() as n')).rows[0].n
const shown = async (run: number): Promise<string> => {
  const text = "concat_ws(' ', status, progress, steps_done, steps_failed, steps_open)"
  return (await admin.query(`select ${text} as shown from public.runs where job_id = $1`, [run])).rows[0]?.shown
}

test('ten sweeps at the same moment write each of 400 runs once, and none waits', async () => {
  await submitRuns(400)
  await complete()
  await passSecond()
  // A sweep next to another one does nothing, so each repeats until the last change is written.
  const areWritten = async () => (await admin.query('select from app.run_changes')).rowCount === 0
  const written = await Promise.all(
    sweeps.map(async (client) => {
      let sum = 0
      do sum += await publish(client)
      while (!(await areWritten()))
      return sum
    }),
  )
  expect(written.reduce((sum, n) => sum + n, 0)).toBe(400)
  const { rows } = await admin.query(
    'select status, steps_done, steps_open, count(*)::integer as runs from public.runs group by 1, 2, 3',
  )
  expect(rows).toEqual([{ status: 'completed', steps_done: 2, steps_open: 0, runs: 400 }])
  expect((await admin.query('select from app.run_changes')).rowCount).toBe(0)
  await requireInvariants(admin)
})

test('a result does not wait for a sweep of its run, and the next sweep shows the result', async () => {
  const run = await submit(2)
  const steps = await claimSteps(admin, worker, 2)
  const handIn = (client: Client, n: number) => exchange(client, worker, [completed(steps[n] as never)])
  await handIn(admin, 0)
  await passSecond()
  await a.query('begin')
  expect(await publish(a)).toBe(1)
  expect((await handIn(b, 1)).refused).toEqual([])
  // Another sweep passes over the run, and keeps its change.
  expect(await publish(b)).toBe(0)
  await a.query('commit')
  expect(await shown(run)).toBe('running 0.5 1 0 2')
  await passSecond()
  expect(await publish(b)).toBe(1)
  expect(await shown(run)).toBe('completed 1 3 0 0')
  await requireInvariants(admin)
})

test('a sweep that counts before a result is committed leaves the change of the result to the next sweep', async () => {
  const run = await submit(2)
  const steps = await claimSteps(admin, worker, 2)
  await exchange(admin, worker, [completed(steps[0] as never)])
  await passSecond()
  await b.query('begin')
  await exchange(b, worker, [completed(steps[1] as never)])
  expect(await publish(a)).toBe(1)
  await b.query('commit')
  expect(await shown(run)).toBe('running 0.5 1 0 2')
  await passSecond()
  expect(await publish(a)).toBe(1)
  expect(await shown(run)).toBe('completed 1 3 0 0')
})

test('the final status is shown although the worker that swept ends before its commit', async () => {
  const run = await submit()
  await complete()
  await passSecond()
  const dying = await database.connect()
  const { rows } = await dying.query('select pg_backend_pid() as pid')
  await dying.query('begin')
  expect(await publish(dying)).toBe(1)
  const ended = new Promise((resolve) => dying.once('end', resolve))
  await database.asAdmin((client) => client.query('select pg_terminate_backend($1)', [rows[0].pid]))
  await ended
  expect(await shown(run)).toBe('queued 0 0 0 2')
  expect(await publish(a)).toBe(1)
  expect(await shown(run)).toBe('completed 1 2 0 0')
})

test('a run that is deleted during a sweep leaves no row', async () => {
  const run = await submit()
  await complete()
  await passSecond()
  await a.query('begin')
  await publish(a)
  const deleted = admin.query('delete from app.runs where id = $1', [run])
  await a.query('commit')
  await deleted
  expect(await publish(b)).toBe(0)
  expect((await admin.query('select from public.runs')).rowCount).toBe(0)
})

test('a cancellation does not wait for a sweep of its run, and the next sweep shows the cancellation', async () => {
  const run = await submit(2)
  const steps = await claimSteps(admin, worker, 1)
  await exchange(admin, worker, [completed(steps[0] as never)])
  await passSecond()
  await a.query('begin')
  expect(await publish(a)).toBe(1)
  await b.query('begin')
  await b.query("select set_config('request.jwt.claims', $1, true)", [JSON.stringify({ role: 'service_role' })])
  await b.query('select app.cancel_job($1)', [run])
  await b.query('commit')
  await a.query('commit')
  expect(await shown(run)).toBe('running 0.5 1 0 2')
  await passSecond()
  expect(await publish(b)).toBe(1)
  expect(await shown(run)).toMatch(/^cancelled /)
})

test('two sweeps that find runs of an older release insert each row once, and none waits', async () => {
  const runs = await submitRuns(50)
  await admin.query('delete from public.runs; insert into app.run_changes (run_id) select id from app.runs')
  await a.query('begin')
  await publish(a)
  await publish(b)
  await a.query('commit')
  await passSecond()
  await publish(b)
  const { rows } = await admin.query('select job_id from public.runs order by job_id')
  expect(rows.map(({ job_id }) => Number(job_id))).toEqual(runs.sort((one, other) => one - other))
  expect((await admin.query('select from app.run_changes')).rowCount).toBe(0)
  await requireInvariants(admin)
})

test('a run that is deleted while a sweep inserts its row leaves no row', async () => {
  const run = await submit()
  await admin.query('delete from public.runs; insert into app.run_changes (run_id) select id from app.runs')
  await a.query('begin')
  await publish(a)
  const deleted = admin.query('delete from app.runs where id = $1', [run])
  await a.query('commit')
  await deleted
  await publish(b)
  expect((await admin.query('select from public.runs')).rowCount).toBe(0)
  expect((await admin.query('select from app.run_changes')).rowCount).toBe(0)
})
