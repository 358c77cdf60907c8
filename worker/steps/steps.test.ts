import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../../scripts/local/process.ts'
import { spacesEnv } from '../../scripts/local/services.ts'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { startFaultyDatabase } from '../../scripts/testing/faulty_database.ts'
import { testTypes } from '../../scripts/testing/handlers.ts'
import type { StepSpec } from './define_handler.ts'

// The steps of runs in real worker processes, with handlers for tests.
let database: TestDatabase
let client: Client
let home: string
const workers: Child[] = []

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query(testTypes)
  await client.query("update app.settings set job_lease = '3 seconds'")
  await client.query(`select set_config('request.jwt.claims', '{"role": "service_role"}', false)`)
  home = mkdtempSync(join(tmpdir(), 'plinth-steps-'))
})
afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop('SIGTERM', 6000))))
afterAll(async () => {
  await database.drop()
  rmSync(home, { recursive: true, force: true })
})

async function startWorker(url = database.url('worker')): Promise<Child> {
  const child = startChild(
    home,
    'worker',
    process.execPath,
    [join(import.meta.dirname, '../../scripts/testing/worker.ts')],
    {
      env: {
        ...systemEnv(),
        DATABASE_URL: url,
        WORKER_HEALTH_PORT: String(await freePort()),
        WORKER_DRAIN_SECONDS: '0',
        // No step of these tests uses the object store.
        ...spacesEnv(1),
      },
    },
  )
  workers.push(child)
  return child
}

const submit = async (steps: StepSpec[], root: Partial<StepSpec> = {}): Promise<number> =>
  Number(
    (
      await client.query('select submit_run($1) as id', [
        JSON.stringify({ key: 'root', type: 'group', steps, ...root }),
      ])
    ).rows[0].id,
  )
const jobs = async (id: number) =>
  Object.fromEntries(
    (
      await client.query('select key, status, error_slug, output, progress from jobs where root_id = $1', [id])
    ).rows.map(({ key, ...rest }) => [key, rest]),
  )

async function until(what: string, fact: () => Promise<unknown>, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(25)) if (await fact()) return
  throw new Error(`It never happened: ${what}. ${readFileSync(join(home, 'logs', 'worker.log'), 'utf8').slice(-2000)}`)
}
const ended = async (id: number) =>
  (await client.query('select finished_at from app.runs where id = $1', [id])).rows[0].finished_at !== null
const running = async () =>
  (await client.query("select count(*)::int as steps from app.job_queue where status = 'running'")).rows[0].steps

test('steps run in order and get the outputs of their dependencies', async () => {
  await startWorker()
  const id = await submit([
    { key: 'first', type: 'noop' },
    { key: 'tree', type: 'branch', input: { children: 4, depth: 2 }, depends_on: ['first'], collect: 'children' },
    { key: 'flaky', type: 'flaky', input: { failures: 2 }, depends_on: ['first'] },
    { key: 'poll', type: 'poll', input: { turns: 3 } },
    { key: 'last', type: 'noop', depends_on: ['tree', 'flaky', 'poll'] },
  ])
  await until('the run ends', () => ended(id))
  expect(await jobs(id)).toMatchObject({
    root: { status: 'completed', progress: 1 },
    flaky: { status: 'completed', output: { failures: 2 } },
    poll: { output: { turns: 3 } },
    last: { output: { of: ['tree', 'flaky', 'poll'] } },
  })
})

test('a failure has a slug: too large, not matching the schema, not storable, timed out', async () => {
  await client.query("update job_types set max_input_bytes = 9 where name = 'picky'")
  await startWorker()
  const id = await submit([
    { key: 'huge', type: 'huge', on_failure: 'continue' },
    { key: 'number', type: 'picky', input: { name: 'x' }, on_failure: 'continue' },
    { key: 'input', type: 'picky', input: { name: 1 }, on_failure: 'continue' },
    { key: 'stubborn', type: 'stubborn', input: {}, on_failure: 'continue' },
    { key: 'after', type: 'noop', depends_on: ['huge'] },
    { key: 'crowded', type: 'picky', input: { name: 'x' }, depends_on: ['after'], on_failure: 'continue' },
  ])
  await until('the run ends', () => ended(id))
  expect(await jobs(id)).toMatchObject({
    root: { status: 'completed' },
    huge: { status: 'failed', error_slug: 'output_too_large' },
    number: { status: 'failed', error_slug: 'output_invalid' },
    input: { status: 'failed', error_slug: 'input_invalid' },
    stubborn: { status: 'failed', error_slug: 'timed_out' },
    after: { status: 'completed', output: { of: ['huge'] } },
    crowded: { status: 'failed', error_slug: 'input_too_large' },
  })
})

test('a cancelled run stops its handlers within 2 s, and clients see the running steps', async () => {
  await startWorker()
  const id = await submit([{ key: 'nap', type: 'nap', input: { ms: 60_000 } }])
  await until('it is seen running, with progress', async () => {
    const { nap } = await jobs(id)
    return nap.status === 'running' && nap.progress === 0.5
  })
  await client.query('select cancel_job($1)', [id])
  expect((await jobs(id))['nap'].status).toBe('cancelled')
  await until(
    'the handler is stopped',
    async () => readFileSync(join(home, 'logs', 'worker.log'), 'utf8').includes('"Result was refused"'),
    2.5,
  )
})

test('a worker that stops returns its steps at once, without counting failures', async () => {
  const worker = await startWorker()
  const id = await submit([{ key: 'nap', type: 'nap', input: { ms: 60_000 } }])
  await until('it runs', running)
  process.kill(worker.pid, 'SIGTERM')
  const how = await worker.exited
  expect(how, readFileSync(join(home, 'logs', 'worker.log'), 'utf8').slice(-3000)).toBe('exit code 0')
  const { rows } = await client.query(
    'select status, failures from app.job_queue where run_id = $1 and parent_id is not null',
    [id],
  )
  expect(rows).toEqual([{ status: 'queued', failures: 0 }])
  expect((await client.query('select from app.workers')).rowCount).toBe(0)
  await client.query('select cancel_job($1)', [id])
})

test('another worker claims the steps of a killed worker, and a failure is counted', async () => {
  const doomed = await startWorker()
  const id = await submit([{ key: 'nap', type: 'nap', input: { ms: 3000 } }])
  await until('it runs', running)
  process.kill(doomed.pid, 'SIGKILL')
  await startWorker()
  await until('the run ends', () => ended(id), 30)
  expect((await jobs(id))['nap']).toMatchObject({ status: 'completed' })
})

test('a worker that was paused changes nothing with its stale fences', async () => {
  const paused = await startWorker()
  const id = await submit([{ key: 'nap', type: 'nap', input: { ms: 2500 } }])
  await until('it runs', running)
  const fence = async () =>
    (await client.query("select max(fence)::int as fence from app.job_queue where status = 'running'")).rows[0].fence
  const first = await fence()
  process.kill(paused.pid, 'SIGSTOP')
  const other = await startWorker()
  await until('another one has it', async () => ((await fence()) ?? 0) > first, 30)
  process.kill(paused.pid, 'SIGCONT')
  await until('the run ends', () => ended(id), 30)
  expect((await jobs(id))['nap']).toMatchObject({ status: 'completed', output: { napped: 2500 } })
  await until('both are well', async () => (await client.query('select from app.workers')).rowCount === 2)
  expect(other.pid).not.toBe(paused.pid)
})

test('steps whose answer was lost are claimed again, although their worker lives', async () => {
  const faulty = await startFaultyDatabase(inject('cluster').port)
  try {
    await startWorker(faulty.through(database.url('worker')))
    await ended(await submit([{ key: 'first', type: 'noop' }]))
    faulty.breakAt('worker.exchange_work', 'after', 1)
    const id = await submit([{ key: 'a', type: 'noop' }])
    await until('the run ends', () => ended(id), 30)
    expect((await jobs(id))['a']).toMatchObject({ status: 'completed' })
  } finally {
    faulty.stop()
  }
})
