import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireSums } from '../../../scripts/credits/storm.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { announceVersions, exchangeWork, repeatedly } from '../../../scripts/testing/steps.ts'

// Users, workers and deletions at the same moment: one charge per result, no deadlock, and books that add up.
let database: TestDatabase
let watcher: Client
const worker = crypto.randomUUID()
const tool = '70000000-0000-4000-8000-000000000001'

beforeAll(async () => {
  database = await createDatabase()
  watcher = await database.connect()
  await watcher.query(`
    update plans set credits_per_period = 0, low_credits_at = 3 where id = 'free';
    update app.settings
    set storage_url = 'https://x.test/storage/v1', generations_per_day = 1000000, generation_keys_per_day = 1000000;
    insert into job_types (name, on_failure, max_failures, backoff, backoff_max)
    values ('process_image', 'fail_run', 1, '1 ms', '1 ms')
    on conflict on constraint job_types_pkey do update set max_failures = 1;
    insert into storage.buckets (id, name) values ('user_uploads', 'user_uploads') on conflict do nothing;
    insert into tools (id, key, name, category, kind, prompt, model, parameters)
    values (
      '${tool}', 'paint', 'Paint it', 'fun', 'image', 'Paint it {{color}}.', 'm',
      '{"type": "object", "properties": {"color": {"type": "string", "maxLength": 9}}, "required": ["color"],
        "additionalProperties": false}'
    )`)
  await announceVersions(watcher, worker)
})
afterAll(() => database.drop())
beforeEach(async () => {
  await watcher.query('delete from auth.users')
})

async function addUser(credits: number): Promise<string> {
  const id = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
  await watcher.query("select app.grant_credits($1, $2, 'pack', null, null, $3)", [id, credits, crypto.randomUUID()])
  await watcher.query(
    `insert into storage.objects (bucket_id, name, metadata)
     values ('user_uploads', $1, '{"eTag": "\\"e\\"", "size": 1, "mimetype": "image/png"}')`,
    [`${id}/photo.jpg`],
  )
  return id
}

async function connectAs(user: string): Promise<Client> {
  const client = await database.connect()
  await client.query(
    `select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false),
       set_config('lock_timeout', '60s', false)`,
    [JSON.stringify({ sub: user, role: 'authenticated' })],
  )
  return client
}

type Answer = { generation_id: string; status: string; cached: boolean; credits: number }
const paint = async (client: Client, user: string, color: string, key?: string): Promise<Answer> => {
  const { rows } = await client.query('select process_image($1, $2, $3, $4) as answer', [
    tool,
    `${user}/photo.jpg`,
    { color },
    key,
  ])
  return rows[0].answer
}

/** Answers of functions, and faults after which a caller repeats the same request. */
const refusals = ['PT402', 'PT404', 'PT409', 'PT429', 'PT401']
const repeated = ['40P01', '55P03']

/** Claims steps until there are none, and hands each in as completed, failed or given up. Returns how many were completed. */
async function workOn(client: Client, outcomeOf: (id: number) => 'completed' | 'failed'): Promise<number> {
  let completed = 0
  let results: object[] = []
  for (;;) {
    const answer = await repeatedly(() => exchangeWork(client, worker, results, 20))
    // A busy result is handed in again.
    const busy = answer.refused
      .filter(({ reason }) => reason === 'run_busy')
      .map(({ index }) => results[index] as object)
    results = busy
    for (const { id, fence } of answer.steps) {
      const read = await client
        .query('select worker.read_generation($1, $2) as generation', [id, fence])
        .catch((error) => (['PT409', ...repeated].includes(error.code) ? undefined : Promise.reject(error)))
      if (outcomeOf(id) === 'completed' && read !== undefined) {
        completed++
        const { target } = read.rows[0].generation
        results.push({ id, fence, outcome: 'completed', output: { object_key: `${target}.png` } })
      } else results.push({ id, fence, outcome: 'failed', is_permanent: true, error: { slug: 'x', message: 'x' } })
    }
    if (results.length === 0 && answer.steps.length === 0) return completed
  }
}

test('a thousand identical requests at the same moment start one generation, and are charged once', async () => {
  const user = await addUser(10)
  const sessions = await Promise.all(Array.from({ length: 25 }, () => connectAs(user)))
  const ask = async (session: Client, n: number) => {
    const answers: Answer[] = []
    for (let turn = 0; turn < 40; turn++) {
      answers.push(await paint(session, user, 'red', turn % 2 === 0 ? undefined : `key-${n}-${turn % 8}`))
    }
    return answers
  }
  const answers = (await Promise.all(sessions.map(ask))).flat()
  expect(answers).toHaveLength(1000)
  expect(new Set(answers.map(({ generation_id }) => generation_id)).size).toBe(1)
  expect(new Set(answers.map(({ credits }) => credits))).toEqual(new Set([9]))
  expect(await workOn(watcher, () => 'completed')).toBe(1)
  const cached = (await Promise.all(sessions.map((session) => paint(session, user, 'red')))).flat()
  expect(cached.every(({ cached, status }) => cached && status === 'completed')).toBe(true)
  const { rows } = await watcher.query(
    `select u.credits, u.credits_held, (select count(*)::integer from credit_usage) as charges,
       (select count(*)::integer from app.runs) as runs
     from users as u`,
  )
  expect(rows).toEqual([{ credits: 9, credits_held: 0, charges: 1, runs: 1 }])
  await Promise.all(sessions.map((session) => session.end()))
  await requireSums(watcher)
})

test('requests, cancellations, results and deletions at the same moment meet no deadlock, and the books add up', async () => {
  const users = await Promise.all(Array.from({ length: 4 }, () => addUser(200)))
  const deadlocks: string[] = []
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      const { code = 'none', where = '', detail = '' } = error as { code?: string; where?: string; detail?: string }
      if (!refusals.includes(code) && !repeated.includes(code)) throw error
      if (code === '40P01') deadlocks.push(`${detail} ${where}`)
    }
  }
  let isOver = false
  const clients = users.flatMap((user, n) =>
    Array.from({ length: 3 }, async (_, part) => {
      const session = await connectAs(user)
      for (let turn = 0; turn < 60; turn++) {
        const color = `c${(turn * 7 + part) % 5}`
        await attempt(() => paint(session, user, color, turn % 3 === 0 ? `k${turn}` : undefined))
        if (turn % 4 === n % 4) {
          await attempt(() =>
            session.query("select cancel_generation(id) from generations where status = 'pending' limit 1"),
          )
        }
        if (turn % 5 === part) await attempt(() => session.query("delete from generations where status <> 'pending'"))
        if (turn % 6 === part)
          await attempt(() => session.query('update generations set is_favourite = not is_favourite'))
        if (turn % 7 === part) await attempt(() => session.query('select mark_notifications_read()'))
      }
      await session.end()
    }),
  )
  const workers = Array.from({ length: 2 }, async () => {
    const session = await database.connect()
    while (!isOver) await attempt(() => workOn(session, (id) => (id % 4 === 0 ? 'failed' : 'completed')))
    await session.end()
  })
  const deletion = (async () => {
    await clients[0]
    const session = await database.connect()
    for (const user of users.slice(0, 2)) {
      await attempt(() => session.query('delete from auth.users where id = $1', [user]))
    }
    await session.end()
  })()
  try {
    await Promise.all([...clients, deletion])
  } finally {
    isOver = true
    await Promise.all(workers)
  }
  await workOn(watcher, () => 'completed')
  // A claim can, very rarely, wait for a transaction that wakes the same lanes (docs/states.md).
  expect(deadlocks.filter((where) => !/\blanes\b|claim_steps/.test(where))).toEqual([])
  await requireSums(watcher)
  const { rows } = await watcher.query(`
    select
      (select count(*)::integer from generations where status = 'pending') as pending,
      (select count(*)::integer from credit_holds where status = 'open') as holds,
      (select count(*)::integer from app.callback_faults) as callbacks,
      -- A charge per completed generation that was not deleted, and no more charges than results.
      (select count(*)::integer from generations as g
       where g.status = 'completed' and not exists (select from credit_usage as u where u.run_id = g.run_id)) as unpaid,
      (select count(*)::integer from app.generation_files as f
       where f.delete_at is null and not exists (
         select from generations as g where g.id = f.generation_id and g.url like '%' || f.file_id || '%'
       )) as stray_files,
      (select count(*)::integer from cache.kv_store as k
       where not exists (select from generations as g where g.id = (k.value ->> 'generation_id')::uuid)) as stray_entries`)
  expect(rows).toEqual([{ pending: 0, holds: 0, callbacks: 0, unpaid: 0, stray_files: 0, stray_entries: 0 }])
})
