import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { testTypes } from '../../scripts/testing/handlers.ts'
import type { Poison } from '../../scripts/testing/poison.ts'
import { until } from '../../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorkers } from '../../scripts/testing/workers.ts'
import { accidentMessages } from './accidents.ts'

// Poisoned steps and healthy ones in one real worker process, which is started again whenever it ends.

let database: TestDatabase
let client: Client
let workers: TestWorkers

/** Keeps the highest counts of each step, because a step that has ended has no row in the queue. */
const countCharges = `
  create table app.charges (job_id bigint primary key, failures integer, losses integer);
  create function app.note_charge() returns trigger language plpgsql security definer as $$
  begin
    insert into app.charges as c values (new.job_id, new.failures, new.losses)
    on conflict (job_id) do update set
      failures = greatest(c.failures, excluded.failures),
      losses = greatest(c.losses, excluded.losses);
    return null;
  end
  $$;
  create trigger note_charge after update on app.job_queue for each row execute function app.note_charge()`

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query(testTypes)
  await client.query(countCharges)
  await client.query("update app.settings set job_lease = '3 seconds'")
  await client.query("update job_types set max_failures = 1, max_losses = 2 where name = 'poison'")
  workers = createTestWorkers()
})
afterEach(() => workers.stop())
afterAll(async () => {
  await database.drop()
  workers.remove()
})

async function submit(steps: object[]): Promise<number> {
  const spec = JSON.stringify({ key: 'root', type: 'group', steps })
  return Number((await client.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id)
}
const submitPoisons = (kinds: Poison[]) =>
  submit(kinds.map((kind, n) => ({ key: `p${n}`, type: 'poison', input: { kind }, on_failure: 'continue' })))
const submitNaps = (ms: number) =>
  submit(Array.from({ length: 6 }, (_, n) => ({ key: `nap${n}`, type: 'nap', input: { ms } })))

type Row = { status: string; error_slug: string | null; error_message: string | null; failures: number; losses: number }
async function readSteps(run: number): Promise<Row[]> {
  const { rows } = await client.query(
    `select j.status, j.error_slug, j.error_message, coalesce(c.failures, 0) as failures, coalesce(c.losses, 0) as losses
    from jobs as j
    left join app.charges as c on c.job_id = j.id
    where j.root_id = $1 and j.parent_id is not null
    order by j.id`,
    [run],
  )
  return rows
}
const untilEnded = (run: number) =>
  until(
    'the run ends',
    async () => (await client.query('select finished_at from app.runs where id = $1', [run])).rows[0].finished_at,
    200,
  )

test('handlers that cause accidents fail with handler_crashed, and six other steps count nothing', async () => {
  const kinds: [Poison, string][] = [
    ['rejection in a timer', accidentMessages.rejection],
    ['rejection that nothing awaits', accidentMessages.rejection],
    ['throw in a timer', accidentMessages.exception],
    ['error event without a listener', accidentMessages.exception],
    ['process.exit', accidentMessages.exit],
  ]
  const naps = await submitNaps(1000)
  const poisons = await submitPoisons(kinds.map(([kind]) => kind))
  const worker = workers.supervise('accidents', database.url('worker'))
  await untilEnded(poisons)
  await untilEnded(naps)
  expect(await readSteps(poisons)).toMatchObject(
    kinds.map(([, error_message]) => ({ status: 'failed', error_slug: 'handler_crashed', error_message, losses: 0 })),
  )
  expect(await readSteps(naps)).toMatchObject(
    Array.from({ length: 6 }, () => ({ status: 'completed', failures: 0, losses: 0 })),
  )
  const log = worker.readLog()
  for (const secret of ['secret 1', 'secret 2', 'secret 3', 'secret 4']) expect(log).toContain(secret)
  expect(log).toMatch(/"kind":"rejection","step":\d+,"type":"poison","err":.*"msg":"Process had an accident"/)
  expect(log).toContain('"how":"exit code 1"')
})

test('an accident of a handler that has completed changes no step', async () => {
  const naps = await submitNaps(1000)
  const poisons = await submitPoisons(['rejection after its end'])
  const worker = workers.supervise('after', database.url('worker'))
  await untilEnded(naps)
  expect(worker.readLog()).toMatch(/"type":"poison".*secret 6.*"msg":"Process had an accident"/)
  expect([...(await readSteps(poisons)), ...(await readSteps(naps))]).toMatchObject(
    Array.from({ length: 7 }, () => ({ status: 'completed', failures: 0, losses: 0 })),
  )
})

test('an accident of a handler whose run is cancelled charges no other step', async () => {
  const naps = await submitNaps(2000)
  const poisons = await submitPoisons(['throw in a listener of the signal'])
  const worker = workers.supervise('cancelled', database.url('worker'))
  const isShown = `select from jobs where root_id = ${poisons} and status = 'running'`
  await until('the step has run for a while', async () => (await client.query(isShown)).rowCount === 1)
  await client.query('select app.cancel_runs($1)', [[poisons]])
  await until('the accident', async () => worker.readLog().includes('Process had an accident'))
  await untilEnded(naps)
  expect(worker.readLog()).toMatch(/"type":"poison".*secret 7.*"msg":"Process had an accident"/)
  expect(await readSteps(naps)).toMatchObject(
    Array.from({ length: 6 }, () => ({ status: 'completed', failures: 0, losses: 0 })),
  )
})

test('an accident of a task charges no step', async () => {
  const naps = await submitNaps(2000)
  const worker = workers.supervise('task', database.url('worker'))
  const isRunning = `select from app.job_queue where run_id = ${naps} and status = 'running'`
  await until('the steps run', async () => (await client.query(isRunning)).rowCount === 6)
  const payload: { kind: Poison } = { kind: 'rejection in a timer' }
  await client.query("select graphile_worker.add_job('poison', $1::json, max_attempts => 1)", [payload])
  await until('the accident', async () => worker.readLog().includes('Process had an accident'))
  await untilEnded(naps)
  expect(worker.readLog()).toMatch(/"task":"poison".*"msg":"Process had an accident"/)
  expect(await readSteps(naps)).toMatchObject(
    Array.from({ length: 6 }, () => ({ status: 'completed', failures: 0, losses: 0 })),
  )
})

test('after an accident a worker ends, also if the database does not answer', async () => {
  const run = await submit([{ key: 'p', type: 'poison', input: { kind: 'throw in a timer', afterMs: 2000 } }])
  const worker = await workers.start('unanswered', database.url('worker'))
  const isRunning = `select from app.job_queue where run_id = ${run} and status = 'running'`
  await until('it runs', async () => (await client.query(isRunning)).rowCount === 1)
  const { rows } = await client.query(
    "select pid from pg_stat_activity where datname = current_database() and usename = 'worker'",
  )
  for (const { pid } of rows) process.kill(pid, 'SIGSTOP')
  try {
    await until('the accident', async () => worker.readLog().includes('Process had an accident'))
    // The connections answer only afterwards.
    expect(await worker.exited).toBe('exit code 1')
  } finally {
    for (const { pid } of rows) process.kill(pid, 'SIGCONT')
  }
  await client.query('delete from app.runs where id = $1', [run])
})

test('an accident without an async context is a loss of each running step; a step that ran alone fails', async () => {
  // The last nap is so long that it still runs when the accident happens, also on a busy machine.
  const naps = await submit(
    [300, 300, 300, 300, 300, 6000].map((ms, n) => ({ key: `nap${n}`, type: 'nap', input: { ms } })),
  )
  workers.supervise('unexplained', database.url('worker'))
  await until('the last nap runs', async () => (await readSteps(naps)).at(-1)?.status === 'running')
  const poisons = await submitPoisons(['throw in a listener that another context calls'])
  await untilEnded(poisons)
  await untilEnded(naps)
  expect(await readSteps(poisons)).toMatchObject([{ status: 'failed', error_slug: 'worker_lost', failures: 0 }])
  const neighbours = await readSteps(naps)
  expect(neighbours).toMatchObject(Array.from({ length: 6 }, () => ({ status: 'completed', failures: 0 })))
  expect(Math.max(...neighbours.map(({ losses }) => losses))).toBe(1)
  expect(neighbours.at(-1)?.losses).toBe(1)
})

test('a step that uses up all memory fails, and its neighbours complete with one loss at most', async () => {
  // One loss is enough, because each loss waits for a lease.
  await client.query("update job_types set max_losses = 1 where name = 'poison'")
  const poisons = await submitPoisons(['out of memory'])
  const naps = await submitNaps(500)
  const worker = workers.supervise('memory', database.url('worker'), {
    env: { NODE_OPTIONS: '--max-old-space-size=80' },
  })
  await untilEnded(poisons)
  await untilEnded(naps)
  expect(worker.readLog()).toContain('heap out of memory')
  expect(await readSteps(poisons)).toMatchObject([{ status: 'failed', error_slug: 'worker_lost', failures: 0 }])
  const neighbours = await readSteps(naps)
  expect(neighbours).toMatchObject(Array.from({ length: 6 }, () => ({ status: 'completed', failures: 0 })))
  expect(Math.max(...neighbours.map(({ losses }) => losses))).toBeLessThanOrEqual(1)
})
