import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'

// Rate limits between sessions.
let database: TestDatabase
let a: Client
let b: Client
let watcher: Client

beforeAll(async () => {
  database = await createDatabase()
  ;[a, b, watcher] = await Promise.all([database.connect(), database.connect(), database.connect()])
  // A statement that must not wait fails instead of hanging.
  for (const client of [a, b]) await client.query("set lock_timeout = '10s'")
})
afterAll(() => database.drop())

const take = (client: Client, key: string) => client.query("select app.take_rate('t', $1, 3, '1 minute')", [key])

test('a transaction that began before the requests that it waited for may use the rest of the limit', async () => {
  await a.query('begin')
  await a.query('select now()')
  await b.query('begin')
  await take(b, 'waited')
  await take(b, 'waited')
  const third = take(a, 'waited')
  await untilWaiting(watcher, a)
  await b.query('commit')
  await third
  await a.query('commit')
  await expect(take(b, 'waited')).rejects.toThrow('rate_limited')
})

test('the schedule skips a limit that a request renews at the same moment', async () => {
  await take(a, 'renewed')
  await watcher.query("update app.rate_limits set spent_until = now() - interval '1 hour' where key = 'renewed'")
  await a.query('begin')
  await take(a, 'renewed')
  expect((await b.query('select app.delete_spent_rates() as deleted')).rows).toEqual([{ deleted: 0 }])
  await a.query('commit')
  expect((await watcher.query("select from app.rate_limits where key = 'renewed'")).rowCount).toBe(1)
})
