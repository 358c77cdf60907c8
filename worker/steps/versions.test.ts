import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { until } from '../../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorkers } from '../../scripts/testing/workers.ts'

// A rolling deployment in which the input of a job type changes, with real worker processes of both releases.

/** The query of docs/operations.md. */
const symptomQuery = /### Steps stay queued although workers are up\n+```sql\n([^`]+)```/.exec(
  readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8'),
)?.[1] as string

let database: TestDatabase
let client: Client
let workers: TestWorkers

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query("insert into job_types (name, max_failures) values ('greet', 1)")
  workers = createTestWorkers()
})
beforeEach(() => client.query("update job_types set version = 1 where name = 'greet'"))
afterEach(() => workers.stop())
afterAll(async () => {
  await database.drop()
  workers.remove()
})

async function start(version: number) {
  const program = [join(import.meta.dirname, '../../scripts/testing/versioned_worker.ts'), String(version)]
  const worker = await workers.start(`version-${version}`, database.url('worker'), { program })
  await until(`the worker of version ${version} is healthy`, async () => (await worker.health()) === 200)
  return worker
}
const raise = () => client.query("update job_types set version = 2 where name = 'greet'")

/** Submits a run with one step per input. */
async function submit(...inputs: object[]): Promise<number> {
  const steps = inputs.map((input, index) => ({ key: `greet-${index}`, type: 'greet', input }))
  const { rows } = await client.query('select app.submit_run($1, null, null) as id', [
    JSON.stringify({ key: 'root', type: 'group', steps }),
  ])
  return Number(rows[0].id)
}
const oldInputs = (count: number) => Array.from({ length: count }, (_one, n) => ({ name: `old-${n}` }))
const newInputs = (count: number) => Array.from({ length: count }, (_one, n) => ({ names: [`new-${n}`] }))

const haveEnded = async (...ids: number[]) =>
  (await client.query('select from app.runs where id = any ($1) and finished_at is null', [ids])).rowCount === 0
/** How many steps of a run ended how, and by the worker of which version. */
async function countEnds(id: number): Promise<Record<string, number>> {
  const { rows } = await client.query<{ how: string; steps: number }>(
    `select coalesce(error_slug, status || ' by ' || coalesce(output ->> 'by', 'none')) as how, count(*)::int as steps
     from jobs where parent_id = $1 group by 1`,
    [id],
  )
  return Object.fromEntries(rows.map(({ how, steps }) => [how, steps]))
}

test('steps from before the raise run on either worker, and steps from after the raise on the new one only', async () => {
  await Promise.all([start(1), start(2)])
  // The steps of one call would all go to one worker.
  const before: number[] = []
  for (let n = 0; n < 20; n++) before.push(await submit(...oldInputs(5)))
  await raise()
  const after: number[] = []
  for (let n = 0; n < 20; n++) after.push(await submit(...newInputs(5)))
  await until('all runs end', () => haveEnded(...before, ...after))
  const sum = async (ids: number[]) => {
    const all: Record<string, number> = {}
    for (const id of ids)
      for (const [how, steps] of Object.entries(await countEnds(id))) all[how] = (all[how] ?? 0) + steps
    return all
  }
  const endsBefore = await sum(before)
  expect((endsBefore['completed by 1'] ?? 0) + (endsBefore['completed by 2'] ?? 0)).toBe(100)
  expect(await sum(after)).toEqual({ 'completed by 2': 100 })
})

test('without a new worker, new steps wait, old ones complete, and a query of operations.md names the cause', async () => {
  const old = await start(1)
  const before = await submit(...oldInputs(3))
  await raise()
  const after = await submit(...newInputs(3))
  const later = await submit(...newInputs(2))
  await until('the old run ends', () => haveEnded(before))
  // The old worker has looked for steps again.
  const heartbeatAt = async () => (await client.query('select max(heartbeat_at) as at from app.workers')).rows[0].at
  const since = await heartbeatAt()
  await until('two heartbeats pass', async () => (await heartbeatAt()) - since > 2000)
  expect(await countEnds(before)).toEqual({ 'completed by 1': 3 })
  const { rows } = await client.query(
    `select q.status, q.failures, q.losses, count(*)::int as steps from app.job_queue as q
     join jobs as j on j.id = q.job_id where j.type = 'greet' group by 1, 2, 3`,
  )
  expect(rows).toEqual([{ status: 'queued', failures: 0, losses: 0, steps: 5 }])
  expect(old.readLog()).not.toContain('input_invalid')
  const told = await client.query(symptomQuery)
  expect(told.rows).toEqual([{ type: 'greet', version: 2, steps: '5', versions_of_workers: [1] }])

  await start(2)
  await until('the new worker runs the rest', () => haveEnded(after, later))
  expect(await countEnds(after)).toEqual({ 'completed by 2': 3 })
  expect((await client.query(symptomQuery)).rows).toEqual([])
})
