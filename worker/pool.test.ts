import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../scripts/testing/database.ts'
import { testTypes } from '../scripts/testing/handlers.ts'
import { until } from '../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorkers } from '../scripts/testing/workers.ts'
import { handlers } from './handlers/index.ts'

// Pools: real worker processes with WORKER_TYPES.

let database: TestDatabase
let client: Client
let workers: TestWorkers
/** The environment of a process without a store. */
const noStore = Object.fromEntries(
  ['ENDPOINT', 'BUCKET', 'ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'FORCE_PATH_STYLE'].map((name) => [
    `SPACES_${name}`,
    '',
  ]),
)
const poolEnv = (types: string) => ({ ...noStore, ASSETS_CDN_URL: '', WORKER_TYPES: types })

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query(testTypes)
  workers = createTestWorkers()
})
afterEach(() => workers.stop())
afterAll(async () => {
  await database.drop()
  workers.remove()
})

async function submit(type: string, input: unknown = null): Promise<number> {
  const spec = JSON.stringify({ key: 'root', type, input })
  const { rows } = await client.query('select app.submit_run($1, null, null) as id', [spec])
  return Number(rows[0].id)
}
async function statusOf(id: number): Promise<string> {
  const { rows } = await client.query(
    'select coalesce(q.status, j.status) as status from jobs as j left join app.job_queue as q on q.job_id = j.id where j.id = $1',
    [id],
  )
  return rows[0].status
}
const isCompleted = async (id: number) => (await statusOf(id)) === 'completed'
const countJobs = async (task: string) =>
  Number(
    (await client.query('select count(*) from graphile_worker.jobs where task_identifier = $1', [task])).rows[0].count,
  )

test('a pool needs no store, runs the steps of its types, and no other step or task', async () => {
  const [noop, nap] = [await submit('noop'), await submit('nap', { ms: 1 })]
  await client.query(`select app.enqueue('run_schedule', '{"name": "delete-spent-rates"}')`)
  const pool = await workers.start('pool', database.url('worker'), { env: poolEnv('noop, flaky') })
  await until('the pool is healthy', async () => (await pool.health()) === 200)
  await until('the step of its type completes', () => isCompleted(noop))
  // The pool has also run the wake-up of the second run, and later steps of its own type.
  await until('no wake-up waits', async () => (await countJobs('run_steps')) === 0)
  const later = await submit('noop')
  await until('the later step completes', () => isCompleted(later))
  expect(await statusOf(nap)).toBe('queued')
  expect(await countJobs('run_schedule')).toBe(1)
  expect(pool.readLog()).not.toContain('Schedules were read')

  const all = await workers.start('all', database.url('worker'))
  await until('a worker of all types completes the rest', async () => {
    return (await isCompleted(nap)) && (await countJobs('run_schedule')) === 0
  })
  expect(all.readLog()).toContain('Schedules were read')
})

test('a heartbeat finds a step whose wake-up was run by a worker of other types', async () => {
  const napping = await workers.start('napping', database.url('worker'), { env: poolEnv('nap') })
  await until('the pool of the type is healthy', async () => (await napping.health()) === 200)
  const warm = await submit('nap', { ms: 1 })
  await until('the pool runs', () => isCompleted(warm))
  // A job that the stopped process holds would wait for it.
  await until('no wake-up waits', async () => (await countJobs('run_steps')) === 0)
  process.kill(napping.pid, 'SIGSTOP')
  const other = await workers.start('other', database.url('worker'), { env: poolEnv('noop') })
  await until('the other pool is healthy', async () => (await other.health()) === 200)
  const id = await submit('nap', { ms: 1 })
  await until('the other pool has run the wake-up', async () => (await countJobs('run_steps')) === 0)
  process.kill(napping.pid, 'SIGCONT')
  // Only a heartbeat tells the pool, within a second, that a step of its type is ready. Without heartbeats, the step would wait
  // until another run is submitted.
  await until('the step completes', () => isCompleted(id))
})

test('a worker does not run the types that it excludes, and runs schedules', async () => {
  const [nap, noop] = [await submit('nap', { ms: 1 }), await submit('noop')]
  const rest = await workers.start('rest', database.url('worker'), { env: { WORKER_EXCLUDED_TYPES: 'nap' } })
  await until('the other step completes', () => isCompleted(noop))
  await until('schedules are read', () => rest.readLog().includes('Schedules were read'))
  await until('no wake-up waits', async () => (await countJobs('run_steps')) === 0)
  expect(await statusOf(nap)).toBe('queued')
})

test.each([
  ['WORKER_TYPES', 'write_scene,write_sceen'],
  ['WORKER_EXCLUDED_TYPES', 'write_sceen'],
])('a name in %s that no handler has ends the process with 2 and a sentence', async (variable, types) => {
  const pool = await workers.start(`unknown-${variable}`, database.url('worker'), {
    env: { [variable]: types },
    program: [join(import.meta.dirname, 'main.ts')],
  })
  expect(await pool.exited).toBe('exit code 2')
  expect(pool.readLog().trim()).toBe(
    `${variable} names unknown job types: write_sceen. Use some of: ${Object.keys(handlers).join(', ')}.`,
  )
})
