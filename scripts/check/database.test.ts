import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeFailure } from '../database/command.ts'
import { FileError } from '../database/migrate.ts'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import { dumpCatalog } from './catalog.ts'
import { checkDrift, checkWarnings, withClient } from './database.ts'

let database: TestDatabase
let catalog: string
beforeAll(async () => {
  database = await createDatabase()
  catalog = await withClient(database.url(), dumpCatalog)
})
afterAll(() => database.drop())

test('a database that equals the files has no drift', async () => {
  expect((await checkDrift(database.url(), catalog)).problems).toEqual([])
})

test('warns of anonymous callers that share their limits, and does not fail', async () => {
  const before = await checkWarnings(database.url())
  expect(before.problems).toBeUndefined()
  expect(before.warnings).toEqual([expect.stringContaining('client_address_header is null')])
  await withClient(database.url(), (client) =>
    client.query("update app.settings set client_address_header = 'x-client-address'"),
  )
  expect((await checkWarnings(database.url())).warnings).toEqual([])
})

test('a function that was made by hand is drift', async () => {
  await withClient(database.url(), (client) =>
    client.query('create function app.by_hand() returns integer language sql return 1'),
  )
  const { problems = [] } = await checkDrift(database.url(), catalog)
  expect(problems.join('\n')).toMatch(/^\+function app\.by_hand\(\) returns integer$/m)
})

test('files that were not applied are named instead of a diff', async () => {
  await withClient(database.url(), (client) =>
    client.query("delete from app.applied_files where path = 'db/modules/00_base/now.sql'"),
  )
  const outcome = await checkDrift(database.url(), catalog)
  expect(outcome.problems).toEqual(['Not applied: db/modules/00_base/now.sql'])
  expect(outcome.remedy).toContain('npm run db:migrate')
})

test('only a failure outside of the files advises to migrate the database', () => {
  const cause = new pg.DatabaseError('function app.f() does not exist', 0, 'error')
  cause.code = '42883'
  expect(describeFailure(cause)).toContain('If the database is not migrated')
  expect(describeFailure(new FileError('db/modules/a.sql: function app.f() does not exist', { cause }))).toBe(
    'db/modules/a.sql: function app.f() does not exist',
  )
})
