import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Database, Task } from '../../../db/client_types.ts'
import { requireInvariants } from '../../../db/tests/20_jobs/invariants.ts'
import { type StandIn, startGemini } from '../../../scripts/local/gemini.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { until } from '../../../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorker, type TestWorkers } from '../../../scripts/testing/workers.ts'

// Whole lives of agent tasks: Postgres, PostgREST, and real worker processes that run agent tasks only and hold no keys of
// any store, with a stand-in for Gemini.
let database: TestDatabase
let client: pg.Client
let api: Api
let gemini: StandIn
let workers: TestWorkers
let ana: SupabaseClient<Database>
let pools: TestWorker[] = []

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query('update app.settings set job_events_are_kept = true')
  await client.query(`
    create table app.seen_ticks (task_id uuid, tick integer, xact xid8);
    create function app.note_tick() returns trigger language plpgsql security definer as
      'begin insert into app.seen_ticks values (new.id, new.tick, pg_current_xact_id()); return null; end';
    create trigger note_tick after update on tasks for each row
      when (new.tick is distinct from old.tick) execute function app.note_tick()`)
  // The tests cause more faults and losses per tick than the type allows.
  await client.query(
    "update job_types set backoff = '50 ms', max_failures = 20, max_losses = 10 where name = 'run_task'",
  )
  await client.query('update plans set tasks_running = 20')
  api = await startApi(database)
  gemini = await startGemini()
  workers = createTestWorkers()
  pools = [await startPool('pool')]
})
beforeEach(async () => {
  gemini.behave({ latencyMs: 0, taskTicks: 3, faults: [] })
  gemini.sold.length = 0
  gemini.ticks.length = 0
  gemini.requests.length = 0
  // A user of its own, so that no quota of another test counts.
  const user = { id: crypto.randomUUID(), email: `${crypto.randomUUID()}@example.com` }
  await client.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  ana = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
})
afterAll(async () => {
  await workers.stop()
  await gemini.stop()
  await api.stop()
  await database.drop()
  workers.remove()
})

/** Starts a process for agent tasks: without keys of a store, and with bundled prompts. */
async function startPool(name: string, env: NodeJS.ProcessEnv = {}): Promise<TestWorker> {
  const stores = ['SPACES_ENDPOINT', 'SPACES_BUCKET', 'SPACES_ACCESS_KEY_ID', 'SPACES_SECRET_ACCESS_KEY']
  return workers.start(name, database.url('worker'), {
    program: [join(import.meta.dirname, '../../main.ts')],
    env: {
      ...Object.fromEntries([...stores, 'SPACES_FORCE_PATH_STYLE', 'ASSETS_CDN_URL'].map((name) => [name, ''])),
      WORKER_TYPES: 'run_task',
      WORKER_STEP_CONCURRENCY: '2',
      GEMINI_API_KEY: 'key',
      GEMINI_BASE_URL: gemini.url,
      // So long that no busy machine buys a tick twice.
      GEMINI_TIMEOUT_SECONDS: '60',
      ...env,
    },
  })
}
const readLogs = () => pools.map((pool) => pool.readLog()).join('\n')

async function submit(mandate: string, max_ticks = 50): Promise<string> {
  const { data } = await ana.rpc('submit_task', { mandate, max_ticks }).throwOnError()
  return data.id
}
const read = async (id: string) => (await ana.from('tasks').select().eq('id', id).single().throwOnError()).data

/** Waits until a task has a status. Throws if the task ends otherwise. */
async function reached(id: string, status: string): Promise<Task> {
  let task = await read(id)
  const ended = ['completed', 'error', 'cancelled']
  await until(`task ${id} is ${status}`, async () => {
    task = await read(id)
    if (task.status !== status && ended.includes(task.status)) {
      throw new Error(`The task is ${JSON.stringify(task)}:\n${readLogs().slice(-3000)}`)
    }
    return task.status === status
  })
  return task
}
const boughtTicks = (mandate: string) => gemini.ticks.filter((one) => one.mandate === mandate).map(({ tick }) => tick)

test('a process without keys of a store completes a task tick by tick, and logs none of its texts', async () => {
  const mandate = 'Plan the zebra garden in 3 ticks.'
  const id = await submit(mandate)
  expect(await reached(id, 'completed')).toMatchObject({
    tick: 3,
    result: { text: expect.stringContaining('Part 3') },
    error: null,
    usage: { model: 'gemini-3-pro-preview', calls: 3, input_tokens: expect.any(Number) },
  })
  const { rows } = await client.query(
    'select tick from app.seen_ticks where task_id = $1 group by xact, tick order by tick',
    [id],
  )
  expect(rows).toEqual([{ tick: 1 }, { tick: 2 }, { tick: 3 }])
  expect(boughtTicks(mandate)).toEqual([1, 2, 3])
  const log = readLogs()
  expect(log).toContain('"source":"local"')
  expect(log).not.toMatch(/zebra|Part \d|the lamp/)
  await requireInvariants(client)
})

test('a question waits without cost, and its answer wakes the task', async () => {
  const mandate = 'Plan a party. Ask me to choose red, green or blue.'
  const id = await submit(mandate)
  const asking = await reached(id, 'input_required')
  expect(asking).toMatchObject({
    tick: 1,
    result: {
      text: expect.stringContaining('Part 1'),
      question: { tick: 1, text: 'Which one shall it be?', schema: { enum: ['red', 'green', 'blue'] } },
    },
  })
  expect(boughtTicks(mandate)).toEqual([1])
  const wrong = await ana.rpc('answer_task', { id, tick: 1, answer: 'pink' })
  expect(wrong.error).toMatchObject({ code: 'PT422', details: 'answer_invalid' })
  await ana.rpc('answer_task', { id, tick: 1, answer: 'green' }).throwOnError()
  // Without a wake-up, the task would wait for seven days.
  await until('the next tick is bought', async () => boughtTicks(mandate).length > 1)
  const task = await reached(id, 'completed')
  expect(task.result?.text).toContain('You answered "green".')
  expect(task.result).not.toHaveProperty('question')
  expect(boughtTicks(mandate)).toEqual([1, 2, 3])
  await requireInvariants(client)
})

test('a question that is not answered in time ends the task, and a retry asks it again without cost', async () => {
  await client.query("update app.settings set task_answer_deadline = '1 second'")
  try {
    const mandate = 'Plan a trip. Ask me for a number.'
    const id = await submit(mandate)
    expect(await reached(id, 'error')).toMatchObject({
      tick: 1,
      error: 'The question was not answered within 1 second. Retry the task to be asked again.',
    })
    await client.query("update app.settings set task_answer_deadline = '7 days'")
    await ana.rpc('retry_task', { id }).throwOnError()
    expect(await reached(id, 'input_required')).toMatchObject({
      tick: 1,
      error: null,
      result: { question: { tick: 1 } },
    })
    expect(boughtTicks(mandate)).toEqual([1])
    await ana.rpc('answer_task', { id, tick: 1, answer: 4 }).throwOnError()
    expect((await reached(id, 'completed')).result?.text).toContain('You answered 4.')
    expect(boughtTicks(mandate)).toEqual([1, 2, 3])
  } finally {
    await client.query("update app.settings set task_answer_deadline = '7 days'")
  }
})

test('a cancelled task stops during its tick, and a retry continues after the last finished tick', async () => {
  const mandate = 'Sort the letters in 9 ticks.'
  gemini.behave({ latencyMs: 500 })
  const id = await submit(mandate)
  await until('the first tick is finished', async () => (await read(id)).tick !== null)
  await until('Gemini works on a later tick', async () => gemini.requests.length > gemini.ticks.length)
  await ana.rpc('cancel_task', { id }).throwOnError()
  const cancelled = await read(id)
  expect(cancelled.status).toBe('cancelled')
  const { tick } = cancelled as { tick: number }
  gemini.behave({ latencyMs: 0 })
  await ana.rpc('retry_task', { id }).throwOnError()
  const task = await reached(id, 'completed')
  expect(task).toMatchObject({ tick: 9, usage: { calls: 9 } })
  await until('Gemini has ended the lost call', () => gemini.requests.length === gemini.ticks.length)
  // The tick that was under way is lost; no finished tick is bought again.
  const bought = boughtTicks(mandate)
  expect(bought.filter((one) => one <= tick)).toEqual(Array.from({ length: tick }, (_, n) => n + 1))
  await requireInvariants(client)
})

test('a task that is deleted during its tick stops without a trace', async () => {
  gemini.behave({ latencyMs: 300 })
  const id = await submit('Forget the zebra in 9 ticks.')
  await until('the second tick is under way', () => gemini.requests.length > 1)
  await ana.from('tasks').delete().eq('id', id).throwOnError()
  const { rows } = await client.query("select from jobs where type = 'run_task' and finished_at is null")
  expect(rows).toEqual([])
  await until('Gemini has ended the lost call', () => gemini.requests.length === gemini.ticks.length)
  const bought = gemini.ticks.length
  // Another task shows that the worker has continued.
  gemini.behave({ latencyMs: 0 })
  await reached(await submit('Remember the lion.'), 'completed')
  expect(gemini.ticks.length).toBe(bought + 3)
  await requireInvariants(client)
})

test('a task that failed for good says why, and a retry continues after its last finished tick', async () => {
  gemini.behave({ faults: [{ kind: 'safety', every: 2, times: 1 }] })
  const mandate = 'Describe the zebra.'
  const id = await submit(mandate)
  expect(await reached(id, 'error')).toMatchObject({
    tick: 1,
    error: expect.stringContaining('Submit a task with another mandate.'),
  })
  await ana.rpc('retry_task', { id }).throwOnError()
  expect(await reached(id, 'completed')).toMatchObject({ tick: 3, error: null, usage: { calls: 3 } })
  expect(boughtTicks(mandate)).toEqual([1, 2, 3])
  expect(readLogs()).toContain('Step failed')
  expect(readLogs()).not.toMatch(/zebra|Part \d/)
})

test('a task ends at max_ticks, and waits without cost while buying is stopped', async () => {
  const mandate = 'Count the stars in 9 ticks.'
  gemini.behave({ latencyMs: 1500 })
  const id = await submit(mandate, 4)
  await until('the first tick is finished', async () => (await read(id)).tick !== null)
  await client.query('update app.settings set buying_is_stopped = true')
  try {
    const { rows } = await client.query('select run_id from tasks where id = $1', [id])
    const waits = async () =>
      (
        await client.query("select from app.job_queue where run_id = $1 and run_at > now() + interval '30 seconds'", [
          rows[0].run_id,
        ])
      ).rowCount === 1
    await until('the task waits', waits)
    const { tick } = await read(id)
    expect(boughtTicks(mandate)).toHaveLength(tick ?? 0)
    gemini.behave({ latencyMs: 0 })
    await client.query('update app.settings set buying_is_stopped = false')
    await client.query('select app.wake_step($1)', [rows[0].run_id])
  } finally {
    await client.query('update app.settings set buying_is_stopped = false')
  }
  expect(await reached(id, 'completed')).toMatchObject({ tick: 4, result: { stopped_by: 'max_ticks' } })
  expect(boughtTicks(mandate)).toEqual([1, 2, 3, 4])
})

test('every task ends although three workers are killed during ticks, and no finished tick is bought again', async () => {
  gemini.behave({
    latencyMs: 150,
    faults: [
      { kind: 'rate', every: 9, times: 2, retryDelay: '1s' },
      { kind: 'unavailable', every: 7, times: 4 },
      { kind: 'hang', every: 12, times: 1 },
      { kind: 'broken_json', every: 6, times: 3 },
      { kind: 'truncated', every: 10, times: 2 },
      { kind: 'fence', every: 5 },
    ],
  })
  await workers.stop()
  await client.query("update app.settings set job_lease = '3 seconds'")
  const impatient = { GEMINI_TIMEOUT_SECONDS: '4' }
  pools = await Promise.all(['one', 'two', 'three', 'four'].map((name) => startPool(name, impatient)))
  const lengths = [4, 5, 6, 4, 5, 6]
  const mandates = lengths.map((ticks, n) => `Task ${n}: write a chapter in ${ticks} ticks.`)
  const ids = await Promise.all(mandates.map((mandate) => submit(mandate)))
  for (const [kill, victim] of pools.slice(1).entries()) {
    // Each process has two slots, so the tasks keep three processes busy: the killed one loses its ticks.
    await until('more is bought', () => gemini.ticks.length >= 4 * (kill + 1))
    process.kill(victim.pid, 'SIGKILL')
    await victim.exited
  }
  for (const [n, id] of ids.entries()) {
    const task = await reached(id, 'completed')
    const ticks = lengths[n] as number
    expect(task).toMatchObject({ tick: ticks, usage: { calls: ticks } })
    // A tick may be bought again until it is finished; after that, only later ticks are bought.
    const bought = boughtTicks(mandates[n] as string)
    expect(bought).toEqual([...bought].sort((a, b) => a - b))
    expect(new Set(bought)).toEqual(new Set(Array.from({ length: ticks }, (_, index) => index + 1)))
    const { rows } = await client.query(
      `select count(*) filter (where status = 'running')::int as claims from app.job_events where run_id = $1`,
      [task.run_id],
    )
    expect(bought.length).toBeLessThanOrEqual(rows[0].claims)
  }
  expect(readLogs()).toContain('Step failed')
  expect(readLogs()).not.toMatch(/chapter|Part \d|the lamp/)
  const finished = lengths.reduce((sum, ticks) => sum + ticks, 0)
  // Five answers were broken or cut off; each kill loses at most the ticks of two slots.
  expect(gemini.ticks.length - finished).toBeLessThanOrEqual(5 + 3 * 2)
  console.info(`${finished} ticks finished, ${gemini.ticks.length} bought`)
  await requireInvariants(client)
})
