import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { asAdmin, type Cluster, databaseUrl, prepareDatabase, startCluster } from '../scripts/testing/cluster.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../scripts/testing/faulty_database.ts'
import { testTypes } from '../scripts/testing/handlers.ts'
import { startTestSidecar, type TestSidecar } from '../scripts/testing/sidecar.ts'
import { type Standby, startStandby } from '../scripts/testing/standby.ts'
import { until } from '../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorker } from '../scripts/testing/workers.ts'

// Outages of Postgres, with real workers and a real sidecar: no step counts a loss, and no step starts twice.
let cluster: Cluster
let standby: Standby
/** Leads to the Postgres that is the primary at the moment. */
let faulty: FaultyDatabase
let sidecar: TestSidecar
const workers = createTestWorkers()
const started: TestWorker[] = []

beforeAll(async () => {
  cluster = await startCluster()
  await prepareDatabase(cluster, 'plinth')
  standby = await startStandby(cluster)
  faulty = await startFaultyDatabase(cluster.port)
  const databaseUrl = through('sidecar')
  sidecar = await startTestSidecar({ databaseUrl, storePort: 1 })
  await ask(testTypes)
  await ask('update app.settings set job_events_are_kept = true')
})
afterEach(async () => {
  started.splice(0)
  await workers.stop()
})
afterAll(async () => {
  await sidecar.stop()
  faulty.stop()
  await standby.stop()
  await cluster.stop()
  workers.remove()
})

const through = (role: 'postgres' | 'worker' | 'sidecar') => faulty.through(databaseUrl(cluster, 'plinth', role))

type Counts = { starts: number; returns: number; ends: number }
const onceEach = (steps: number): Counts => ({ starts: steps, returns: 0, ends: steps })

async function ask<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]> {
  const client = new pg.Client(through('postgres'))
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}

async function startWorker(name: string, url = through('worker')): Promise<TestWorker> {
  const worker = await workers.start(name, url)
  started.push(worker)
  await until(`${name} is well`, async () => (await worker.health()) === 200)
  return worker
}

/** Submits naps, and waits until they run. */
async function submitNaps(count: number, ms: number): Promise<number> {
  const steps = Array.from({ length: count }, (_one, n) => ({ key: `nap-${n}`, type: 'nap', input: { ms } }))
  const spec = JSON.stringify({ key: 'root', type: 'group', steps })
  const [run] = await ask<{ id: string }>('select app.submit_run($1, null, null) as id', [spec])
  const query = "select from jobs where root_id = $1 and type = 'nap' and status = 'running'"
  await until('all naps run', async () => (await ask(query, [run?.id])).length === count)
  return Number(run?.id)
}

/** Counts how often the steps of a run started, returned to the queue or failed, and completed. */
async function count(id: number): Promise<Counts> {
  const [counts] = await ask<Counts>(
    `select
       count(*) filter (where e.status = 'running')::int as starts,
       count(*) filter (where e.status in ('failed', 'queued'))::int as returns,
       count(*) filter (where e.status = 'completed')::int as ends
     from app.job_events as e
     join jobs as j on j.id = e.job_id
     where j.root_id = $1 and j.type = 'nap'`,
    [id],
  )
  return counts as Counts
}

const untilEnded = (id: number, seconds = 90) =>
  until(
    'the run ends',
    async () => {
      const query = 'select from app.runs where id = $1 and finished_at is not null'
      return (await ask(query, [id]).catch(() => [])).length > 0
    },
    seconds,
  )
const statuses = async () =>
  Promise.all([
    ...started.map((worker) => worker.health()),
    fetch(`${sidecar.url}/api/health`).then(({ status }) => status),
  ])
const untilAllSay = (status: number) =>
  until(`worker and sidecar say ${status}`, async () => (await statuses()).every((one) => one === status))
const setLease = (lease: string) => ask('update app.settings set job_lease = $1::interval', [lease])

test('the slots of requests also count on a hot standby', async () => {
  await standby.catchUp()
  const url = databaseUrl({ ...cluster, port: standby.port }, 'plinth', 'authenticator')
  const clients = Array.from({ length: 7 }, () => new pg.Client(url))
  await Promise.all(clients.map((client) => client.connect()))
  const admit = async (client: pg.Client) => {
    await client.query('begin read only')
    await client.query(`select set_config('role', 'anon', true), set_config('request.jwt.claims', '{"role": "anon"}', true),
      set_config('request.method', 'GET', true), set_config('request.path', '/plans', true)`)
    await client.query('select gate.pre_request()')
  }
  try {
    const [seventh, ...six] = clients as [pg.Client, ...pg.Client[]]
    await Promise.all(six.map(admit))
    await expect(admit(seventh)).rejects.toThrow('too_many_at_once')
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
})

test('an outage longer than the lease is not the death of the worker that runs the steps', async () => {
  await setLease('3 seconds')
  await startWorker('busy')
  for (let round = 1; round <= 2; round++) {
    const id = await submitNaps(10, 7000)
    if (round === 1) await Promise.all([startWorker('idle-1'), startWorker('idle-2')])
    await cluster.halt()
    await sleep(4000)
    await cluster.resume()
    await untilEnded(id)
    expect(await count(id)).toEqual(onceEach(10))
  }
})

test('connections whose packets are dropped cost one pause, and no step starts twice', async () => {
  await setLease('6 seconds')
  await startWorker('frozen')
  const id = await submitNaps(8, 5000)
  await startWorker('neighbour', databaseUrl(cluster, 'plinth', 'worker'))
  faulty.freeze()
  const since = performance.now()
  await untilEnded(id)
  expect(await count(id)).toEqual(onceEach(8))
  // The naps end after 5 s. The first exchange after the freeze waits for 10 s, and a second one would wait for 20 s.
  expect(performance.now() - since).toBeLessThan(34_000)
})

test('while Postgres is read-only, the health endpoints say so, and steps wait', async () => {
  await setLease('3 seconds')
  const worker = await startWorker('reader')
  const id = await submitNaps(8, 2000)
  const set = (value: 'on' | 'off') =>
    asAdmin(cluster, 'postgres', async (admin) => {
      await admin.query(`alter system set default_transaction_read_only = ${value}`)
      await admin.query('select pg_reload_conf()')
    })
  await set('on')
  await untilAllSay(503)
  expect(await (await fetch(`${sidecar.url}/api/health`)).json()).toMatchObject({
    reason: 'The database is read-only.',
  })
  // Longer than the naps and the lease.
  await sleep(4000)
  await set('off')
  await untilAllSay(200)
  await untilEnded(id)
  expect(await count(id)).toEqual(onceEach(8))
  expect(worker.readLog()).not.toContain('Step failed')
})

test('after a failover the steps continue on the new primary', async () => {
  await setLease('5 seconds')
  await startWorker('one')
  await startWorker('two')
  const id = await submitNaps(8, 5000)
  await standby.catchUp()
  await cluster.halt()
  faulty.pointTo(standby.port)
  await untilAllSay(503)
  expect(await (await fetch(`${sidecar.url}/api/health`)).json()).toMatchObject({
    reason: 'The database is read-only.',
  })
  await sleep(5000)
  await standby.promote()
  await untilAllSay(200)
  await untilEnded(id)
  expect(await count(id)).toEqual(onceEach(8))
})
