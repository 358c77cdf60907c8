import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../../scripts/local/process.ts'
import { spacesEnv } from '../../scripts/local/services.ts'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { startFaultyDatabase } from '../../scripts/testing/faulty_database.ts'
import { testTypes } from '../../scripts/testing/handlers.ts'
import type { StepSpec } from '../steps/define_handler.ts'

// Worker processes that stall, are paused, or are cut off. The tests run at the same time, each with its own database.
let home: string
const clean: (() => Promise<unknown>)[] = []
const databases: TestDatabase[] = []

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'plinth-heartbeat-'))
})
afterAll(async () => {
  await Promise.all(clean.map((one) => one()))
  for (const database of databases) await database.drop()
  rmSync(home, { recursive: true, force: true })
})

/** A database with this lease, for workers of one test. */
async function open(name: string, lease: string) {
  const database = await createDatabase()
  databases.push(database)
  const client = await database.connect()
  await client.query(testTypes)
  await client.query(`update app.settings set job_lease = '${lease}'`)
  const logs: string[] = []

  async function start(options: { url?: string; env?: Record<string, string> } = {}): Promise<Child> {
    const file = join(import.meta.dirname, '../../scripts/testing/worker.ts')
    const worker = startChild(home, `${name}-${logs.length}`, process.execPath, [file], {
      env: {
        ...systemEnv(),
        DATABASE_URL: options.url ?? database.url('worker'),
        WORKER_HEALTH_PORT: String(await freePort()),
        LOG_LEVEL: 'debug',
        ...spacesEnv(1),
        ...options.env,
      },
    })
    logs.push(worker.log)
    clean.push(() => worker.stop('SIGKILL', 1))
    return worker
  }
  const lines = () =>
    logs
      .flatMap((log) => readFileSync(log, 'utf8').split('\n'))
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  return {
    ...{ database, client, start, lines },
    /** How often each handler began, by key. */
    begun(): Record<string, number> {
      const counts: Record<string, number> = {}
      for (const { msg, key } of lines()) if (msg === 'Handler began') counts[key] = (counts[key] ?? 0) + 1
      return counts
    },
    workers: (count: number) =>
      until(async () => (await client.query('select from app.workers where versions is not null')).rowCount === count),
  }
}

/** Starts a worker, and another one whenever it ends. Returns a function that ends this. */
function supervise(start: () => Promise<Child>): () => Promise<void> {
  let isOver = false
  let worker: Child | undefined
  const ended = (async () => {
    while (!isOver) {
      worker = await start()
      await worker.exited
    }
  })()
  return async () => {
    isOver = true
    await worker?.stop('SIGKILL', 1)
    await ended
  }
}

const submit = async (client: Client, steps: StepSpec[]): Promise<number> => {
  const spec = JSON.stringify({ key: 'root', type: 'group', steps })
  return Number((await client.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id)
}
const naps = (count: number, ms: number): StepSpec[] =>
  Array.from({ length: count }, (_, n) => ({ key: `nap-${n}`, type: 'nap', input: { ms }, on_failure: 'continue' }))
const jobs = async (client: Client, run: number) =>
  (
    await client.query(
      `select j.key, j.status, j.error_slug, q.failures, q.losses from jobs as j left join app.job_queue as q on q.job_id = j.id
      where j.root_id = $1 and j.parent_id is not null order by j.id`,
      [run],
    )
  ).rows
const hasEnded = async (client: Client, run: number) =>
  (await client.query('select from app.runs where id = $1 and finished_at is not null', [run])).rowCount === 1
async function until(fact: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 120_000; !(await fact()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`It never happened: ${fact}`)
  }
}
const once = (keys: string[]) => Object.fromEntries(keys.map((key) => [key, 1]))

test.concurrent('a handler that computes for longer than the lease completes, and another worker runs the steps that wait for it', async () => {
  const { client, start, begun, lines, workers } = await open('compute', '4 seconds')
  await start()
  await workers(1)
  const running = naps(3, 2000)
  const first = await submit(client, running)
  await until(async () => Object.keys(begun()).length === 3)
  const waiting = naps(3, 100).map((step) => ({ ...step, key: `waiting-${step.key}` }))
  const compute = { key: 'compute', type: 'compute', input: { ms: 15_000 }, priority: -1 }
  const second = await submit(client, [compute, ...waiting])
  await until(async () => begun()['compute'] === 1)
  await start()
  await until(async () => (await jobs(client, second)).slice(1).every(({ status }) => status === 'completed'))
  expect((await jobs(client, second))[0]).toMatchObject({ key: 'compute', status: 'running', failures: 0, losses: 0 })
  expect(lines()).toContainEqual(
    expect.objectContaining({ msg: 'A handler blocks the event loop', types: { compute: 1, nap: 3 }, returned: 3 }),
  )
  await until(async () => (await hasEnded(client, first)) && (await hasEnded(client, second)))
  expect([...(await jobs(client, first)), ...(await jobs(client, second))]).toMatchObject(
    Array.from({ length: 7 }, () => ({ status: 'completed', error_slug: null })),
  )
  expect(begun()).toEqual(once(['compute', ...[...running, ...waiting].map(({ key }) => key)]))
})

test.concurrent('steps of a worker whose connections are frozen count no loss', async () => {
  const { database, client, start, begun, workers } = await open('frozen', '6 seconds')
  const faulty = await startFaultyDatabase(inject('cluster').port)
  clean.push(async () => faulty.stop())
  await start({ url: faulty.through(database.url('worker')) })
  await workers(1)
  const run = await submit(client, naps(3, 12_000))
  await until(async () => (await jobs(client, run)).every(({ status }) => status === 'running'))
  await start()
  await workers(2)
  faulty.freeze()
  await until(() => hasEnded(client, run))
  expect(begun()).toEqual(once(['nap-0', 'nap-1', 'nap-2']))
})

test.concurrent('an endless handler fails after three losses, and its neighbours complete', async () => {
  const { client, start, begun, lines } = await open('endless', '30 seconds')
  const endSupervision = supervise(() => start({ env: { WORKER_STALL_SECONDS: '3' } }))
  clean.push(endSupervision)
  const steps = naps(3, 300)
  const run = await submit(client, [{ key: 'endless', type: 'compute', input: {}, on_failure: 'continue' }, ...steps])
  await until(() => hasEnded(client, run))
  expect(await jobs(client, run)).toMatchObject([
    { key: 'endless', status: 'failed', error_slug: 'worker_stalled' },
    ...steps.map(({ key }) => ({ key, status: 'completed', error_slug: null })),
  ])
  // Each nap began with the first attempt of the endless step, or later and once.
  const { endless, ...others } = begun()
  expect(endless).toBe(3)
  expect(Math.max(...Object.values(others))).toBeLessThanOrEqual(2)
  const stalls = lines().filter(({ event }) => event === 'event_loop_stalled')
  expect(stalls.map(({ level, types }) => [level, types.compute])).toEqual([
    ['error', 1],
    ['error', 1],
    ['error', 1],
  ])
  // The last two attempts ran alone.
  expect(stalls.slice(1).map(({ types }) => types)).toEqual([{ compute: 1 }, { compute: 1 }])
})

/** A worker with one slot that is paused while it has claimed ten steps ahead. */
async function pauseAhead(name: string, lease: string) {
  const opened = await open(name, lease)
  const { client, start, workers } = opened
  const worker = await start({ env: { WORKER_STEP_CONCURRENCY: '1' } })
  await workers(1)
  // Quick steps teach the worker to claim ahead.
  const quick = Array.from({ length: 150 }, (_, n) => ({ key: `noop-${n}`, type: 'noop' }))
  const first = await submit(client, quick)
  await until(() => hasEnded(client, first))
  // Directly after the pause this step ends, and the next one begins, before any timer or answer is handled.
  const long = { key: 'long', type: 'compute', input: { ms: 1500 }, priority: -1 }
  const run = await submit(client, [long, ...naps(10, 5)])
  await until(async () => {
    const { rowCount } = await client.query("select from app.job_queue where status = 'running'")
    return rowCount === 11 && opened.begun()['long'] === 1
  })
  process.kill(worker.pid, 'SIGSTOP')
  expect(opened.begun()).toEqual({ long: 1 })
  return { ...opened, run, resume: () => process.kill(worker.pid, 'SIGCONT') }
}
const ahead = naps(10, 5).map(({ key }) => key)

test.concurrent('a worker that was paused for longer than the lease begins none of the steps that it had claimed ahead', async () => {
  const { client, run, start, workers, resume, begun, lines } = await pauseAhead('long-pause', '3 seconds')
  await start()
  await workers(2)
  await until(() => hasEnded(client, run))
  const before = begun()
  expect(before).toEqual({ ...once(ahead), long: 2 })
  resume()
  await until(async () => lines().some(({ msg }) => msg === 'Result was refused'))
  expect(begun()).toEqual(before)
})

test.concurrent('a worker that was paused for less than the lease returns the steps that it had claimed ahead', async () => {
  const { client, run, resume, begun } = await pauseAhead('short-pause', '20 seconds')
  await sleep(3000)
  await client.query(`
    create table app.returned (id bigint);
    create function app.note_returned() returns trigger language plpgsql security definer as
      'begin insert into app.returned values (new.job_id); return new; end';
    create trigger note_returned after update on app.job_queue for each row
      when (old.status = 'running' and new.status = 'queued') execute function app.note_returned();
  `)
  resume()
  await until(() => hasEnded(client, run))
  expect(begun()).toEqual({ ...once(ahead), long: 1 })
  expect((await client.query('select from app.returned')).rowCount).toBe(10)
})

test.concurrent('a worker whose heartbeat thread dies returns its steps and exits', async () => {
  const { client, start, workers, lines } = await open('death', '30 seconds')
  const code = `import { isMainThread } from 'node:worker_threads'; if (!isMainThread) setTimeout(() => { throw new Error('boom') }, 3000)`
  const worker = await start({ env: { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` } })
  await workers(1)
  const run = await submit(client, naps(2, 60_000))
  expect(await worker.exited).toBe('exit code 1')
  const returned = { status: 'queued', error_slug: null, failures: 0, losses: 0 }
  expect(await jobs(client, run)).toMatchObject([returned, returned])
  expect((await client.query("select from app.job_queue where status = 'running'")).rowCount).toBe(0)
  expect(lines()).toContainEqual(
    expect.objectContaining({
      level: 'error',
      msg: 'Heartbeat thread died',
      err: expect.objectContaining({ message: 'boom' }),
    }),
  )
})
