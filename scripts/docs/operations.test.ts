import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseError } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import { claimSteps, exchangeSteps } from '../testing/steps.ts'
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

test('the blocks with job_tree and retry_job work in a session of postgres', async () => {
  const client = await database.connect()
  const runs: number[] = []
  for (const key of ['failed', 'another', 'closed', 'unended', 'open']) {
    const { rows } = await client.query('select app.submit_run($1, null, null) as id', [{ key, type: 'write_outline' }])
    runs.push(Number(rows[0].id))
  }
  const [failed, another, closed, unended, open] = runs
  const worker = crypto.randomUUID()
  const error = { slug: 'broken', message: 'Broken.' }
  await exchangeSteps(
    client,
    worker,
    (await claimSteps(client, worker))
      .filter(({ id }) => id !== open)
      .map(({ id, fence }) => ({ id, fence, outcome: 'failed', error, is_permanent: true })),
  )
  // retry_job refuses both, and one refusal would undo the whole statement.
  await client.query('update app.runs set is_closed = true where id = $1', [closed])
  await client.query(
    "insert into app.callback_faults (run_id, callback, failed_at, next_at, error) values ($1, 'app.gone', now(), now(), 'x')",
    [unended],
  )
  const blockWith = (name: string) => blocks.find(({ text }) => text.includes(`public.${name}(`))?.text ?? ''
  const runBlock = async (text: string) =>
    ((await client.query(text)) as unknown as { rows: Record<string, unknown>[] }[]).flatMap(({ rows }) => rows)
  const statuses = async () =>
    (await client.query('select key, status from jobs where id = any ($1) order by id', [runs])).rows.map(
      ({ key, status }) => `${key} ${status}`,
    )

  const rows = await runBlock(blockWith('job_tree').replace('job_tree(1)', `job_tree(${another})`))
  expect(rows.at(-1)).toMatchObject({ job_tree: { id: another, status: 'failed', error } })
  expect((await runBlock(blockWith('retry_job'))).slice(-2)).toEqual([{ retry_job: 'queued' }, { retry_job: 'queued' }])
  expect(await statuses()).toEqual([
    'failed queued',
    'another queued',
    'closed failed',
    'unended failed',
    'open queued',
  ])
  // The user of the block ends with its transaction.
  await expect(client.query('select public.job_tree($1)', [failed])).rejects.toMatchObject({ code: 'PT401' })
})
