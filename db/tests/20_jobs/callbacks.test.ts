import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { freePort } from '../../../scripts/local/ports.ts'
import { startChild, systemEnv } from '../../../scripts/local/process.ts'
import { spacesEnv } from '../../../scripts/local/services.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { testTypes } from '../../../scripts/testing/handlers.ts'
import { claimSteps, completed, exchangeSteps } from '../../../scripts/testing/steps.ts'
import { requireInvariants } from './invariants.ts'

// Callbacks of several products at the same time: through real worker processes, and in several sessions.
let database: TestDatabase
let admin: Client

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  await admin.query(testTypes)
  await admin.query(`
    create table app.ledgers (id integer primary key, steps bigint[] not null default '{}');
    insert into app.ledgers (id) select generate_series(1, 5);
    -- A product that locks its rows lowest id first, whatever the order of the steps.
    create function app.note_steps(job_ids bigint[]) returns void language plpgsql as $$
    begin
      perform from app.ledgers where id in (select (input ->> 'ledger')::integer from public.jobs where id = any (job_ids))
      order by id for update;
      update app.ledgers as l set steps = l.steps || n.ids
      from (
        select (input ->> 'ledger')::integer as ledger, array_agg(id) as ids from public.jobs where id = any (job_ids) group by 1
      ) as n
      where l.id = n.ledger;
    end
    $$;
    create function app.always_raise(job_ids bigint[]) returns void language plpgsql as $$
    begin
      raise exception 'No step of this product is ever taken.';
    end
    $$`)
})
afterAll(() => database.drop())
beforeEach(async () => {
  await admin.query("delete from app.runs; delete from app.job_callbacks; update app.ledgers set steps = '{}'")
})

const submit = async (spec: object): Promise<number> =>
  Number((await admin.query('select app.submit_run($1, null, null) as id', [JSON.stringify(spec)])).rows[0].id)

test('a callback that always raises fails only its own step, and not 50 steps of another product', async () => {
  await admin.query(
    "select app.register_callbacks('noop', 'app.note_steps'), app.register_callbacks('nap', 'app.always_raise')",
  )
  const healthy = await submit({
    key: 'root',
    type: 'group',
    steps: Array.from({ length: 50 }, (_one, n) => ({ key: `s${n}`, type: 'noop', input: { ledger: (n % 5) + 1 } })),
  })
  const poisoned = await submit({ key: 'root', type: 'nap', input: { ms: 0 } })
  const home = mkdtempSync(join(tmpdir(), 'plinth-callbacks-'))
  const worker = startChild(
    home,
    'worker',
    process.execPath,
    [join(import.meta.dirname, '../../../scripts/testing/worker.ts')],
    {
      env: {
        ...systemEnv(),
        DATABASE_URL: database.url('worker'),
        WORKER_HEALTH_PORT: String(await freePort()),
        LOG_LEVEL: 'warn',
        // No step of these tests has files.
        ...spacesEnv(1),
      },
    },
  )
  try {
    await expect
      .poll(async () => (await admin.query('select from app.runs where finished_at is null')).rowCount)
      .toBe(0)
  } finally {
    await worker.stop('SIGTERM', 5000)
    rmSync(home, { recursive: true, force: true })
  }
  const { rows } = await admin.query(
    'select root_id::integer as run, status, error_slug, count(*)::integer from jobs group by 1, 2, 3 order by 1',
  )
  expect(rows).toEqual([
    { run: healthy, status: 'completed', error_slug: null, count: 51 },
    { run: poisoned, status: 'failed', error_slug: 'callback_failed', count: 1 },
  ])
  expect((await admin.query('select sum(cardinality(steps))::integer as steps from app.ledgers')).rows[0].steps).toBe(
    50,
  )
  await requireInvariants(admin)
})

test('callbacks of two types that lock the same rows cause no deadlock', async () => {
  await admin.query(
    "select app.register_callbacks('noop', 'app.note_steps'), app.register_callbacks('nap', 'app.note_steps')",
  )
  const workers = await Promise.all([1, 2, 3, 4].map(() => database.connect('worker')))
  let handedIn = 0
  for (let round = 0; round < 15; round++) {
    // Each worker's batch has steps of both types on all rows, in an order of its own.
    await submit({
      key: 'root',
      type: 'group',
      steps: Array.from({ length: 80 }, (_one, n) => ({
        key: `s${n}`,
        type: n % 2 ? 'noop' : 'nap',
        input: { ledger: ((n * 7 + round) % 5) + 1 },
      })),
    })
    const claims = []
    for (const client of workers) {
      const id = crypto.randomUUID()
      claims.push({ client, id, steps: await claimSteps(client, id, 20) })
    }
    const refused = await Promise.all(
      claims.map(async ({ client, id, steps }) => {
        const results = steps.map((step) => completed(step)).reverse()
        handedIn += results.length
        return (await exchangeSteps(client, id, results)).refused
      }),
    )
    expect(refused).toEqual([[], [], [], []])
  }
  expect(handedIn).toBe(15 * 80)
  const { rows } = await admin.query('select sum(cardinality(steps))::integer as steps from app.ledgers')
  expect(rows[0].steps).toBe(handedIn)
  expect((await admin.query("select from jobs where status <> 'completed'")).rowCount).toBe(0)
  await requireInvariants(admin)
})
