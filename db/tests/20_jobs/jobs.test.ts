import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { completed, exchangeSteps } from '../../../scripts/testing/steps.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'

// Runs as clients see them: through PostgREST, with steps driven through the worker's door.
let database: TestDatabase
let api: Api
let ana: SupabaseClient
let ben: SupabaseClient
let anonymous: SupabaseClient
let service: SupabaseClient
let door: pg.Client
let admin: pg.Client
const anaUser = { id: crypto.randomUUID(), email: 'ana@example.com' }
const benUser = { id: crypto.randomUUID(), email: 'ben@example.com' }
const workerId = crypto.randomUUID()

type Page = { outputs: [string[], unknown][]; after_id: number | null }
type Node = { key: string; status: string; progress: number; children: Node[] }

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  await admin.query("insert into job_types (name) values ('noop')")
  for (const { id, email } of [anaUser, benUser]) {
    await admin.query('insert into auth.users (id, email) values ($1, $2)', [id, email])
  }
  door = await database.connect('worker')
  api = await startApi(database)
  const as = (user: typeof anaUser) =>
    createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
  ana = as(anaUser)
  ben = as(benUser)
  anonymous = createClient(api.url, api.anonKey)
  service = createClient(api.url, api.serviceKey)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

async function exchange(results: object[], want = 100): Promise<ClaimedStep[]> {
  const { refused, steps } = await exchangeSteps(door, workerId, results, want)
  expect(refused).toEqual([])
  return steps
}

async function readPage({ id, fence }: ClaimedStep, after: number): Promise<Page> {
  const { rows } = await door.query('select worker.read_outputs($1, $2, $3) as page', [id, fence, after])
  return rows[0].page
}

async function submit(steps: unknown[], more: object = {}): Promise<number> {
  const { data, error } = await service.rpc('submit_run', {
    spec: { key: 'root', type: 'group', steps },
    owner_id: anaUser.id,
    ...more,
  })
  expect(error).toBeNull()
  return data
}

/** Reads the tree of a run by GET, as a client that polls does. */
async function readTree(id: number, etag = ''): Promise<Response> {
  const headers = { apikey: api.anonKey, authorization: `Bearer ${await api.tokenFor(anaUser)}`, 'if-none-match': etag }
  return fetch(`${api.url}/rest/v1/rpc/job_tree?job_id=${id}`, { headers })
}

describe('a run', () => {
  test('is submitted by service_role, and only its owner sees it', async () => {
    const id = await submit([
      { key: 'a', type: 'noop', input: { prompt: 'secret' } },
      { key: 'b', type: 'noop', depends_on: ['a'] },
    ])
    const columns =
      'id, root_id, parent_id, key, type, status, progress, created_at, finished_at, error_slug, error_message'
    const { data } = await ana.from('jobs').select(columns).eq('root_id', id).order('id')
    expect(data?.map((job) => `${job.key} ${job.status}`)).toEqual(['root joining', 'a queued', 'b blocked'])
    expect((await ben.from('jobs').select('id').eq('root_id', id)).data).toEqual([])
    expect((await anonymous.from('jobs').select('id')).status).toBe(401)
    for (const name of ['job_tree', 'job_graph', 'cancel_job', 'retry_job']) {
      expect((await ben.rpc(name, { job_id: id })).status, name).toBe(404)
      expect((await anonymous.rpc(name, { job_id: id })).status, name).toBe(401)
    }
    expect((await ana.rpc('submit_run', { spec: { key: 'x', type: 'noop' } })).status).toBe(403)
    const [step] = await exchange([])
    const [next] = await exchange([completed(step as ClaimedStep, { of: 'a' })])
    expect(next?.outputs).toEqual([[['a'], { of: 'a' }]])
    await exchange([completed(next as ClaimedStep)])
    expect((await ana.from('jobs').select('status, progress').eq('id', id).single()).data).toEqual({
      status: 'completed',
      progress: 1,
    })
  })

  test.each([
    'select=input',
    'select=id,output',
    'select=*',
    'input=not.is.null',
    'order=output',
    'select=id&output->>of=eq.a',
  ])('does not show prompts to its owner: %s', async (query) => {
    const response = await fetch(`${api.url}/rest/v1/jobs?${query}`, {
      headers: { apikey: api.anonKey, authorization: `Bearer ${await api.tokenFor(anaUser)}` },
    })
    expect(response.status).toBe(403)
    expect(await response.text()).not.toContain('secret')
  })

  test('is submitted once for each idempotency key of an owner', async () => {
    const more = { idempotency_key: 'once' }
    const ids = await Promise.all(Array.from({ length: 8 }, () => submit([{ key: 'a', type: 'noop' }], more)))
    expect(new Set(ids).size).toBe(1)
    const other = await service.rpc('submit_run', { spec: { key: 'r', type: 'noop' }, owner_id: benUser.id, ...more })
    expect(other.data).not.toBe(ids[0])
    await ana.rpc('cancel_job', { job_id: ids[0] })
    await ben.rpc('cancel_job', { job_id: other.data })
  })

  test('can be cancelled, retried, and shown as a tree and as a graph', async () => {
    const id = await submit([
      { key: 'a', type: 'noop' },
      { key: 'b', type: 'noop', depends_on: ['a'] },
    ])
    const [a] = await exchange([])
    const [b] = await exchange([completed(a as ClaimedStep)])
    expect((await ana.rpc('cancel_job', { job_id: id })).data).toBe('cancelled')
    const { rows } = await door.query('select worker.heartbeat($1, $2) as pulse', [workerId, JSON.stringify([b])])
    expect(rows[0].pulse.stop).toMatchObject([{ id: b?.id }])
    const half = (await ana.rpc('job_tree', { job_id: id })).data as Node
    expect(half.children.map(({ key, status }) => `${key} ${status}`)).toEqual(['a completed', 'b cancelled'])
    const stale = (await readTree(id)).headers.get('etag') ?? ''
    expect((await readTree(id, stale)).status).toBe(304)
    expect((await ana.rpc('retry_job', { job_id: id })).data).toBe('joining')
    const again = await exchange([])
    expect(again.map(({ key }) => key)).toEqual(['b'])
    await exchange(again.map((step) => completed(step)))
    expect((await readTree(id, stale)).status).toBe(200)
    const whole = (await ana.rpc('job_tree', { job_id: id })).data as Node
    expect([whole.status, whole.progress]).toEqual(['completed', 1])
    const { data: graph } = await ana.rpc('job_graph', { job_id: id })
    expect(graph).toMatch(/^flowchart TD\n {2}s\d+\["root<br\/>group"\]:::completed\n/)
    expect(graph).toContain(`s${a?.id} --> s${b?.id}`)
    expect((await ana.rpc('retry_job', { job_id: id })).error?.details).toBe('job_completed')
  })

  test.each([
    ['no object', 1, 'spec_invalid'],
    ['nothing', null, 'spec_invalid'],
    ['a type that is not there', { key: 'r', type: 'nothing' }, 'step_type_unknown'],
    ['a key with a newline', { key: 'r\r\nset-cookie: a=b\r\n\r\n', type: 'noop' }, 'step_key_invalid'],
    ['a type from afar', { key: 'r', type: '🎭 é \u0001\u0085' }, 'step_type_unknown'],
    ['children that are no objects', { key: 'r', type: 'group', steps: [1, null] }, 'step_invalid'],
    [
      'a circle',
      {
        key: 'r',
        type: 'group',
        steps: [
          { key: 'a', type: 'noop', depends_on: ['b'] },
          { key: 'b', type: 'noop', depends_on: ['a'] },
        ],
      },
      'step_cycle',
    ],
    ['a priority of 1e9', { key: 'r', type: 'noop', priority: 1e9 }, 'step_invalid'],
    [
      'too many steps',
      { key: 'r', type: 'group', steps: Array.from({ length: 20_000 }, (_one, n) => ({ key: `s${n}`, type: 'noop' })) },
      'too_many_steps',
    ],
  ])('is refused for %s', async (_what, spec, slug) => {
    const before = await admin.query('select count(*) from jobs')
    const { status, error } = await service.rpc('submit_run', { spec })
    expect([status, error?.details]).toEqual([422, slug])
    expect((await admin.query('select count(*) from jobs')).rows).toEqual(before.rows)
  })

  test('is deleted with its owner, also while steps run', async () => {
    const gone = { id: crypto.randomUUID(), email: 'gone@example.com' }
    await admin.query('insert into auth.users (id, email) values ($1, $2)', [gone.id, gone.email])
    const { data: id } = await service.rpc('submit_run', {
      spec: {
        key: 'r',
        type: 'group',
        steps: [
          { key: 'a', type: 'noop' },
          { key: 'b', type: 'noop', depends_on: ['a'] },
        ],
      },
      owner_id: gone.id,
    })
    const [step] = await exchange([])
    await admin.query('delete from auth.users where id = $1', [gone.id])
    const answer = await exchangeSteps(door, workerId, [completed(step as ClaimedStep)], 10)
    expect(answer).toMatchObject({ refused: [{ reason: 'step_lost' }], steps: [] })
    const left = await admin.query(
      `select (select count(*) from jobs where root_id = $1) + (select count(*) from app.job_queue where run_id = $1)
        + (select count(*) from app.lanes where owner_id = $2) as rows`,
      [id, gone.id],
    )
    expect(Number(left.rows[0].rows)).toBe(0)
  })
})

describe('a large run', () => {
  test('has 30 s to be retried, instead of the 8 s that a user has', async () => {
    const id = await submit([{ key: 'a', type: 'noop' }])
    await admin.query(`
      create function app.note_timeout(bigint[]) returns void language sql
        begin atomic update public.jobs set output = to_jsonb(current_setting('statement_timeout')) where id = any ($1); end;
      select app.register_callbacks('group', on_run_reopened => 'app.note_timeout')`)
    await ana.rpc('cancel_job', { job_id: id })
    expect((await ana.rpc('retry_job', { job_id: id })).data).toBe('joining')
    const { rows } = await admin.query('select output from jobs where id = $1', [id])
    expect(rows).toEqual([{ output: '30s' }])
    await admin.query("delete from app.job_callbacks where type = 'group'")
    await ana.rpc('cancel_job', { job_id: id })
  })

  test('has its outputs read in pages', async () => {
    const wide = Array.from({ length: 30 }, (_one, n) => ({ key: `w${n}`, type: 'noop' }))
    const id = await submit([...wide, { key: 'all', type: 'noop', depends_on: wide.map(({ key }) => key) }])
    const text = 'x'.repeat(100_000)
    const [all] = await exchange((await exchange([])).map((step) => completed(step, { key: step.key, text })))
    expect(all).toMatchObject({ key: 'all', outputs: null })
    const seen: string[] = []
    let pages = 0
    let after: number | null = 0
    while (after !== null) {
      const page: Page = await readPage(all as ClaimedStep, after)
      expect(JSON.stringify(page.outputs).length).toBeLessThan(1_100_000)
      for (const [path, output] of page.outputs) {
        expect(output).toEqual({ key: path[0], text })
        seen.push(path[0] ?? '')
      }
      after = page.after_id
      pages += 1
    }
    expect(pages).toBe(3)
    expect(seen.sort()).toEqual(wide.map(({ key }) => key).sort())
    await exchange([completed(all as ClaimedStep)])
    expect((await ana.from('jobs').select('status').eq('id', id).single()).data?.status).toBe('completed')
  })

  test('can be drawn: 10,000 nodes, 100 levels', async () => {
    const wide = await submit(Array.from({ length: 10_000 }, (_one, n) => ({ key: `n${n}`, type: 'noop' })))
    const tree = (await ana.rpc('job_tree', { job_id: wide })).data as Node
    expect(tree.children).toHaveLength(10_000)
    expect(((await ana.rpc('job_graph', { job_id: wide })).data as string).split('\n').length).toBeGreaterThan(20_000)
    expect((await ana.rpc('cancel_job', { job_id: wide })).data).toBe('cancelled')

    let steps: unknown[] = []
    for (let level = 0; level < 100; level++) steps = [{ key: `l${level}`, type: 'group', steps }]
    const deep = await submit(steps)
    let node = (await ana.rpc('job_tree', { job_id: deep })).data as Node
    expect(node.status).toBe('completed')
    let depth = 0
    for (; node.children[0]; depth++) node = node.children[0]
    expect(depth).toBe(100)
  })
})
