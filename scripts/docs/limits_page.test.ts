import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import { drawLimits, readLimit, readVariables } from './limits_page.ts'

let database: TestDatabase
let client: pg.Client

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
})
afterAll(() => database.drop())
beforeEach(async () => {
  await client.query('begin')
})
afterEach(async () => {
  await client.query('rollback')
})

test('the files describe each limit', async () => {
  const { text, problems } = await drawLimits(client)
  expect(problems).toEqual([])
  expect(text).toContain('\n| `asset_max_bytes` | file | 20 MiB | 413 `asset_too_large` | ')
})

test('names a new setting, plan column, job type column or domain whose comment describes no limit', async () => {
  await client.query(`
    alter table app.settings add column apples_per_day integer not null default 3;
    alter table public.plans add column apples_per_day integer not null default 3;
    alter table public.job_types add column apples integer;
    comment on column public.job_types.apples is 'How many apples.';
    create domain app.apple_list as json check (json_array_length(value) <= 3)`)
  const { problems } = await drawLimits(client)
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'app.settings.apples_per_day',
    'public.plans.apples_per_day',
    'public.job_types.apples',
    'app.apple_list',
  ])
})

test('lists a new setting with its default, whom it limits and what happens beyond it', async () => {
  await client.query(`
    alter table app.settings add column apple_bytes_max integer not null default 3072;
    comment on column app.settings.apple_bytes_max is 'All apples of a user. Limit per user: 409 apples_full.'`)
  const { text, problems } = await drawLimits(client)
  expect(problems).toEqual([])
  expect(text).toContain('\n| `apple_bytes_max` | user | 3 KiB | 409 `apples_full` | All apples of a user. |\n')
})

test('names a fixed limit whose function changed', async () => {
  const { rows } = await client.query(
    "select replace(pg_get_functiondef('app.require_body_length'::regproc), '6291456', '5 * 1048576') as changed",
  )
  await client.query(rows[0].changed)
  const { problems } = await drawLimits(client)
  expect(problems).toEqual([expect.stringContaining('is body of a request still 6 MiB?')])
})

test('reads only the last sentence of a comment', () => {
  expect(readLimit('How many.\n\nPer day.  Limit per user: 429 rate_limited.')).toEqual({
    meaning: 'How many. Per day.',
    per: 'user',
    beyond: '429 rate_limited',
  })
  expect(readLimit('Limit per user: 429 rate_limited. Or more.')).toBeUndefined()
})

test('reads the variables with numbers, and all lines of their comments', () => {
  const example = '# One\n# two.\n#A_SECONDS=5\n\n# Three.\nB_PORT=80\n\n# Four.\n#C=text\n'
  expect(readVariables(example)).toEqual([{ name: 'A_SECONDS', value: '5', comment: 'One two.' }])
})
