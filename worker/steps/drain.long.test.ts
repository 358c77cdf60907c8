import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { testTypes } from '../../scripts/testing/handlers.ts'
import { until } from '../../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorker, type TestWorkers } from '../../scripts/testing/workers.ts'

// How real worker processes stop, and handlers that ignore their signals. The provider is a server that counts its calls.

let database: TestDatabase
let client: Client
let workers: TestWorkers
let provider: Server
let url: string
let answerMs = 0
let calls: { pid: string }[] = []
/** The calls that the provider has not answered yet, and the most at a time: of one process, and of all. */
let open = new Map<string, number>()
let mostOfOne = 0
let mostOfAll = 0

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query(testTypes)
  workers = createTestWorkers()
  provider = createServer((request, response) => {
    const end = count(request)
    setTimeout(() => {
      end()
      response.end('answered')
    }, answerMs)
  })
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`
})
beforeEach(() => {
  calls = []
  open = new Map()
  mostOfOne = 0
  mostOfAll = 0
})
afterEach(async () => {
  await workers.stop()
  await client.query('delete from app.runs')
})
afterAll(async () => {
  await database.drop()
  workers.remove()
  provider.closeAllConnections()
  provider.close()
})

function count({ headers }: IncomingMessage): () => void {
  const pid = String(headers['x-pid'])
  const add = (n: number) => {
    open.set(pid, (open.get(pid) ?? 0) + n)
    mostOfOne = Math.max(mostOfOne, open.get(pid) ?? 0)
    mostOfAll = Math.max(
      mostOfAll,
      [...open.values()].reduce((sum, one) => sum + one),
    )
  }
  calls.push({ pid })
  add(1)
  return () => add(-1)
}

async function submit(steps: object[]): Promise<number> {
  const spec = JSON.stringify({ key: 'root', type: 'group', steps })
  return Number((await client.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id)
}
const submitCalls = (n: number, input: object = {}) =>
  submit(
    Array.from({ length: n }, (_, index) => ({
      ...{ key: `call${index}`, type: 'call', input: { url, ...input }, on_failure: 'continue' },
    })),
  )
const start = (name: string, env: NodeJS.ProcessEnv = {}) => workers.start(name, database.url('worker'), { env })
const untilEnded = (run: number) =>
  until(
    'the run ends',
    async () => (await client.query('select finished_at from app.runs where id = $1', [run])).rows[0].finished_at,
  )
const readQueue = async (run: number) =>
  (
    await client.query(
      'select status, failures, losses from app.job_queue where run_id = $1 and parent_id is not null order by job_id',
      [run],
    )
  ).rows
const readSlugs = async (run: number) =>
  (
    await client.query('select status, error_slug from jobs where root_id = $1 and parent_id is not null order by id', [
      run,
    ])
  ).rows
const signal = (worker: TestWorker) => process.kill(worker.pid, 'SIGTERM')

test('a deployment in the middle of calls buys none of them twice', async () => {
  answerMs = 1500
  const run = await submitCalls(8)
  const old = await start('old', { WORKER_DRAIN_SECONDS: '20', WORKER_STEP_CONCURRENCY: '4' })
  await until('four calls are open', async () => calls.length >= 4)
  signal(old)
  await start('new')
  expect(await old.exited).toBe('exit code 0')
  await untilEnded(run)
  expect(await readSlugs(run)).toEqual(Array.from({ length: 8 }, () => ({ status: 'completed', error_slug: null })))
  expect(calls).toHaveLength(8)
})

test('a step that outlasts the drain is returned at once, also if its handler ignores the signal', async () => {
  const run = await submit([
    { key: 'nap', type: 'nap', input: { ms: 60_000 } },
    { key: 'stubborn', type: 'nap', input: { ms: 60_000, ignoresSignal: true } },
  ])
  const worker = await start('short', { WORKER_DRAIN_SECONDS: '0.5' })
  await until('both run', async () => (await readQueue(run)).every(({ status }) => status === 'running'))
  const since = performance.now()
  signal(worker)
  expect(await worker.exited).toBe('exit code 0')
  expect(performance.now() - since).toBeGreaterThan(500)
  expect(await readQueue(run)).toEqual([
    { status: 'queued', failures: 0, losses: 0 },
    { status: 'queued', failures: 0, losses: 0 },
  ])
  expect((await client.query('select from app.workers')).rowCount).toBe(0)
  expect(worker.readLog()).toMatch(/"steps":\[\d+,\d+\],"types":\["nap"\],"msg":"Running steps were aborted"/)
})

test('a second signal ends the drain, and a third ends the process', async () => {
  const run = await submit([{ key: 'nap', type: 'nap', input: { ms: 60_000, ignoresSignal: true } }])
  const isRunning = async () => (await readQueue(run))[0]?.status === 'running'
  const patient = await start('patient', { WORKER_DRAIN_SECONDS: '60' })
  await until('it runs', isRunning)
  signal(patient)
  await until('it drains', async () => patient.readLog().includes('Shutdown started'))
  signal(patient)
  expect(await patient.exited).toBe('exit code 0')
  expect(await readQueue(run)).toEqual([{ status: 'queued', failures: 0, losses: 0 }])

  const interrupted = await start('interrupted', { WORKER_DRAIN_SECONDS: '60' })
  await until('it runs again', isRunning)
  signal(interrupted)
  await until('it drains', async () => interrupted.readLog().includes('Shutdown started'))
  // Both at once, because the process ends about a second after the second signal. Two signals of a kind could become one.
  process.kill(interrupted.pid, 'SIGTERM')
  process.kill(interrupted.pid, 'SIGINT')
  expect(await interrupted.exited).toBe('exit code 1')
  expect(interrupted.readLog()).toContain('Shutdown was hurried')
})

test('handlers that ignore their timeout never exceed the slots of a process or the limit of their type', async () => {
  answerMs = 2800
  await client.query("update job_types set timeout = '200 ms', running_limit = 3 where name = 'call'")
  const both = await Promise.all(['first', 'second'].map((name) => start(name, { WORKER_STEP_CONCURRENCY: '2' })))
  for (const worker of both) await until('the worker is healthy', async () => (await worker.health()) === 200)
  const run = await submitCalls(6, { ignoresSignal: true })
  await untilEnded(run)
  await client.query("update job_types set timeout = '1 minute', running_limit = null where name = 'call'")
  expect(await readSlugs(run)).toEqual(Array.from({ length: 6 }, () => ({ status: 'failed', error_slug: 'timed_out' })))
  expect([calls.length, mostOfOne, mostOfAll]).toEqual([6, 2, 3])
})

test('a worker with a handler that ignores its signal for too long says so, drains and ends', async () => {
  answerMs = 1500
  const run = await submit([
    { key: 'stubborn', type: 'stubborn', input: { ms: 60_000 }, on_failure: 'continue' },
    { key: 'call', type: 'call', input: { url } },
  ])
  const program = [`${import.meta.dirname}/../../scripts/testing/worker.ts`, '300']
  const env = { WORKER_DRAIN_SECONDS: '10' }
  const worker = await workers.start('ignoring', database.url('worker'), { env, program })
  expect(await worker.exited).toBe('exit code 1')
  expect(worker.readLog().match(/"type":"stubborn","msg":"Handler ignored its abort signal"/g)).toHaveLength(1)
  // The other step has ended within the drain.
  expect(await readQueue(run)).toEqual([{ status: 'queued', failures: 1, losses: 0 }])
  expect(await readSlugs(run)).toMatchObject([{ error_slug: 'timed_out' }, { status: 'completed' }])
  expect(calls).toHaveLength(1)
})
