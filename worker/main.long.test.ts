import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../scripts/local/process.ts'
import { spacesEnv } from '../scripts/local/services.ts'
import { type Cluster, databaseUrl, prepareDatabase, startCluster } from '../scripts/testing/cluster.ts'
import { createDatabase, type TestDatabase } from '../scripts/testing/database.ts'
import { until } from '../scripts/testing/waiting.ts'

// Real worker processes on a Postgres of their own, which these tests stop and start.
let cluster: Cluster
let home: string
const workers: Child[] = []

beforeAll(async () => {
  cluster = await startCluster()
  await prepareDatabase(cluster, 'plinth')
  home = mkdtempSync(join(tmpdir(), 'plinth-worker-'))
})
afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop('SIGTERM', 5000))))
afterAll(async () => {
  await cluster.stop()
  rmSync(home, { recursive: true, force: true })
})

async function startWorker(name = 'worker', url = databaseUrl(cluster, 'plinth', 'worker'), started = workers) {
  const port = await freePort()
  const child = startChild(home, name, process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      ...systemEnv(),
      DATABASE_URL: url,
      WORKER_HEALTH_PORT: String(port),
      WORKER_DRAIN_SECONDS: '300',
      ...spacesEnv(1),
    },
  })
  started.push(child)
  const health = () =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      (response) => response.status,
      () => 0,
    )
  return { child, health, log: () => readFileSync(child.log, 'utf8') }
}

/** How a process ends; the drain would take 300 s. */
const endAtOnce = ({ exited }: Child) => Promise.race([exited, sleep(200_000, 'drains', { ref: false })])

// The test of the schedules waits for two turns of a minute, on another Postgres and while the other tests run.
let database: TestDatabase
let scheduled: Promise<void>
let ticksClient: pg.Client
const scheduling: Child[] = []
beforeAll(async () => {
  database = await createDatabase()
  scheduled = followSchedules()
  scheduled.catch(() => {})
})
afterAll(async () => {
  await scheduled.catch(() => {})
  await Promise.all(scheduling.map((worker) => worker.stop('SIGTERM', 5000)))
  await database.drop()
})

/** Reads over one connection, because it is called every 50 ms. */
async function readTicks(): Promise<{ minute: Date; times: number }[]> {
  return (await ticksClient.query('select minute, count(*)::int as times from app.ticks group by 1 order by 1')).rows
}

async function followSchedules(): Promise<void> {
  const client = await database.connect()
  ticksClient = client
  await client.query(`
    create table app.ticks (minute timestamptz);
    create function app.count_tick() returns integer language sql
      as 'insert into app.ticks values (date_trunc(''minute'', now())); select 0';
    insert into app.schedules values ('count-ticks', '* * * * *', 'app.count_tick');
  `)
  const both = await Promise.all(
    ['first', 'second'].map((name) => startWorker(name, database.url('worker'), scheduling)),
  )
  await until('both are healthy', async () =>
    (await Promise.all(both.map((worker) => worker.health()))).every((status) => status === 200),
  )
  await until('a minute has come', async () => (await readTicks()).length > 0, 200)
  await sleep(3000)
  await client.query("delete from app.schedules where name = 'count-ticks'")
  await until(
    'the change was read',
    async () => both.every((worker) => (worker.log().match(/Schedules were read/g) ?? []).length > 1),
    200,
  )
}

async function query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
  const client = new pg.Client(databaseUrl(cluster, 'plinth'))
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

const enqueue = () =>
  query(`
    insert into app.rate_limits values ('t', gen_random_uuid()::text, now() - interval '1 day');
    select app.enqueue('run_schedule', '{"name": "delete-spent-rates"}');
  `)
const nothingLeft = async () =>
  (
    await query<{ rest: number }>(
      'select count(*)::int + (select count(*) from app.rate_limits)::int as rest from graphile_worker._private_jobs',
    )
  )[0]?.rest === 0

describe('the worker process', () => {
  test('runs what app.enqueue put into the queue, and ends at SIGTERM', async () => {
    const worker = await startWorker()
    await until('healthy', async () => (await worker.health()) === 200)
    await enqueue()
    await until('the job is done', nothingLeft)
    process.kill(worker.child.pid, 'SIGTERM')
    expect(await endAtOnce(worker.child)).toBe('exit code 0')
  })

  test('waits for a Postgres that is down, and survives its restart', async () => {
    await cluster.halt()
    const worker = await startWorker('patient')
    await until('it says that it is not well', async () => (await worker.health()) === 503)
    await sleep(1500)
    expect(await worker.health()).toBe(503)
    await cluster.resume()
    await until('healthy', async () => (await worker.health()) === 200)
    await enqueue()
    await until('the job is done', nothingLeft)

    await cluster.halt()
    await until('it notices', async () => (await worker.health()) === 503)
    await cluster.resume()
    await enqueue()
    await until('the job is done after the restart', nothingLeft)
    await until('healthy again', async () => (await worker.health()) === 200)
  })

  test('ends at once at SIGTERM while Postgres is down and nothing runs', async () => {
    const worker = await startWorker('left alone')
    await until('healthy', async () => (await worker.health()) === 200)
    await cluster.halt()
    try {
      await until('it notices', async () => (await worker.health()) === 503)
      process.kill(worker.child.pid, 'SIGTERM')
      expect(await endAtOnce(worker.child)).toBe('exit code 0')
    } finally {
      await cluster.resume()
    }
  })

  test('reports invalid variables of its environment without their values', async () => {
    const child = startChild(home, 'misconfigured', process.execPath, [join(import.meta.dirname, 'main.ts')], {
      env: { ...systemEnv(), DATABASE_URL: 'mysql://secret', WORKER_CONCURRENCY: 'many' },
    })
    expect(await child.exited).toBe('exit code 2')
    const log = readFileSync(child.log, 'utf8')
    expect(log).toContain('DATABASE_URL')
    expect(log).toContain('WORKER_CONCURRENCY')
    expect(log).not.toContain('secret')
  })

  test('a payload that does not match its schema fails with a readable error, and stays in the queue', async () => {
    const worker = await startWorker()
    await query(`select app.enqueue('run_schedule', '{"title": 1}', 'misfit')`)
    const failed = async () =>
      (
        await query<{ error: string }>(
          "select last_error as error from graphile_worker._private_jobs where key = 'misfit'",
        )
      )[0]?.error ?? ''
    await until('it failed', async () => (await failed()) !== '')
    expect(await failed()).toContain('name')
    expect(worker.log()).toContain('"task":"run_schedule"')
    await query("select graphile_worker.remove_job('misfit')")
  })

  test('two workers run each schedule once a minute, and follow a change without a restart', async () => {
    await scheduled
    const ticks = await readTicks()
    for (const { times } of ticks) expect(times).toBe(1)
    expect(ticks.length).toBeGreaterThan(0)
    expect(new Set(ticks.map(({ minute }) => minute.getTime())).size).toBe(ticks.length)
  })
})
