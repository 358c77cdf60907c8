import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseError } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import { readBlocks } from './markdown.ts'
import { root } from './pages.ts'

const page = 'docs/operations.md'
const blocks = readBlocks(readFileSync(join(root, page), 'utf8'))
  .flat()
  .filter(({ language }) => language === 'sql')
let database: TestDatabase

beforeAll(async () => {
  database = await createDatabase()
})

afterAll(() => database.drop())

test('the page has statements', () => {
  expect(blocks.length).toBeGreaterThan(20)
})

// The ids on the page belong to nothing, so a function may refuse them; it must not be misspelt.
test.each(blocks)(`${page}:$line runs as postgres`, async ({ text }) => {
  const client = await database.connect()
  await client.query('begin')
  try {
    await client.query(text)
  } catch (error) {
    expect((error as DatabaseError).code, String(error)).toMatch(/^PT4(04|09)$/)
  } finally {
    await client.query('rollback')
  }
})
