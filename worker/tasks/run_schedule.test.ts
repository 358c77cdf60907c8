import type { JobHelpers } from 'graphile-worker'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { createDb } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import type { Pump } from '../steps/pump.ts'
import runSchedule from './run_schedule.ts'

// The schedule deletes 10,000 rows in each batch, and the table has one row more.
let database: TestDatabase
let query: (text: string) => Promise<{ rows: Record<string, number>[] }>

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  query = (text) => client.query(text)
})
beforeEach(() =>
  query(`
    insert into app.rate_limits (bucket, key, spent_until)
    select 't', n::text, now() - interval '1 hour' from generate_series(1, 10001) as n
    on conflict do nothing`),
)
afterAll(() => database.drop())

function run(signal: AbortSignal) {
  const db = createDb(database.openPool())
  const services = {
    db,
    store: {} as Store,
    templateStore: undefined,
    pump: {} as Pump,
    logger: pino({ enabled: false }),
  }
  const helpers = { job: { task_identifier: 'run_schedule', id: '1' }, abortSignal: signal } as unknown as JobHelpers
  return runSchedule(services)({ name: 'delete-spent-rates' }, helpers)
}
const left = async () => (await query('select count(*)::integer as n from app.rate_limits')).rows[0]?.['n']

test('a schedule runs until a batch has nothing to do', async () => {
  await run(new AbortController().signal)
  expect(await left()).toBe(0)
})

test('a schedule that the stopping worker interrupts fails, so that another worker continues it', async () => {
  await expect(run(AbortSignal.abort())).rejects.toThrow('Schedule "delete-spent-rates" was interrupted')
  expect(await left()).toBe(1)
})
