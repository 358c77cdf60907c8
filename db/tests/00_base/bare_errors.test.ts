import { readFileSync } from 'node:fs'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

// The mistakes that newcomers make first, each made once against a real PostgREST (12.0). An error of Postgres or PostgREST
// has a line in docs/errors.md with this code and status; an error of Plinth has a slug and a hint.

let database: TestDatabase
let api: Api
const ana = { id: crypto.randomUUID(), email: 'ana@example.com' }

beforeAll(async () => {
  database = await createDatabase()
  const db = await database.connect()
  await db.query('insert into auth.users (id, email) values ($1, $2)', [ana.id, ana.email])
  await db.query(
    `create function public.wait() returns void language sql set statement_timeout = '50ms' as 'select pg_sleep(1)'`,
  )
  await db.query('grant execute on function public.wait() to authenticated')
  await db.query(`insert into flows (id, name, nodes, edges) values ($1, 'F', '[]', '[]')`, [flow.id])
  api = await startApi(database)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

type Mistake = {
  as?: 'ana' | 'anon' | 'expired' | 'service' | { token: string }
  method?: string
  path: string
  body?: unknown
  headers?: Record<string, string>
  status: number
  /** The code of a bare error, or the slug of Plinth. */
  error: string
}

const flow = { id: '10000000-0000-4000-8000-000000000001', name: 'F', nodes: [], edges: [] }
const drama = { premise: 'A storm' }
const get = (path: string, status: number, error: string, more: Partial<Mistake> = {}): Mistake => ({
  path,
  status,
  error,
  ...more,
})
const post = (path: string, body: unknown, status: number, error: string, more: Partial<Mistake> = {}): Mistake => ({
  method: 'POST',
  path,
  body,
  status,
  error,
  ...more,
})

const mistakes: Record<string, Mistake> = {
  'calls a function without a sign-in': post('rpc/generate_drama', drama, 401, 'not_signed_in', { as: 'anon' }),
  'lists dramas without a sign-in': get('rpc/list_dramas', 401, 'not_signed_in', { as: 'anon' }),
  'selects a private table without a sign-in': get('dramas', 401, 'not_signed_in', { as: 'anon' }),
  'embeds a private table without a sign-in': get('plans?select=id,users(id)', 401, '42501', { as: 'anon' }),
  'inserts into a private table without a sign-in': post('tasks', { mandate: 'x' }, 401, 'not_signed_in', {
    as: 'anon',
  }),
  'selects every column of jobs': get('jobs', 403, '42501'),
  'calls a function for users with the secret key': post('rpc/list_tasks', {}, 403, '42501', { as: 'service' }),
  'inserts a column that no client may write': post('dramas', { ...drama, owner_id: ana.id }, 403, '42501'),
  'updates a flow': {
    method: 'PATCH',
    path: `flows?id=eq.${flow.id}`,
    body: { name: 'x' },
    status: 403,
    error: 'write_not_allowed',
  },
  'deletes a drama from the table': {
    method: 'DELETE',
    path: `dramas?id=eq.${flow.id}`,
    status: 403,
    error: 'write_not_allowed',
  },
  'inserts a notification': post('notifications', { title: 'x' }, 403, 'write_not_allowed'),
  'upserts a flow that exists': post('flows', flow, 403, 'upsert_not_allowed', {
    headers: { prefer: 'resolution=merge-duplicates' },
  }),
  'upserts a task that exists': post('tasks', { id: ana.id, mandate: 'x' }, 403, '42501', {
    headers: { prefer: 'resolution=merge-duplicates' },
  }),
  'calls a function of operators': post(
    'rpc/adjust_credits',
    { user_id: ana.id, amount: 5, reason: 'x', idempotency_key: 'k' },
    403,
    '42501',
  ),
  'misspells a column': get('plans?select=title', 400, '42703'),
  'misspells a column of an insert': post('flows', { ...flow, title: 'x' }, 400, 'PGRST204'),
  'searches a column of another type with like': get('tasks?select=id&id=like.*a*', 404, '42883'),
  'compares JSON': get('flows?select=id&nodes=eq.[]', 404, '42883'),
  'sorts by JSON': get('flows?select=id&order=nodes', 404, '42883'),
  'searches for words without operators': get('tasks?select=id&mandate=fts.a%20b', 400, '42601'),
  'searches by an expression that is not valid': get('tasks?select=id&mandate=match.(', 400, '2201B'),
  'compares a number as a range': get('tasks?select=id&tick=sr.[1,2]', 400, '42804'),
  'orders by a table that is not embedded': get('dramas?select=id&episodes.order=title', 400, 'PGRST108'),
  'inserts a column that is computed': post('flows', { ...flow, size_bytes: 5 }, 400, '428C9'),
  'names a column that is not unique in onConflict': post('flows?on_conflict=name', flow, 400, '42P10', {
    headers: { prefer: 'resolution=ignore-duplicates' },
  }),
  'sends a text where a list of nodes belongs': post('flows', { ...flow, id: ana.id, nodes: 'x' }, 400, '23514'),
  'calls a function by PATCH': { method: 'PATCH', path: 'rpc/list_tasks', body: {}, status: 405, error: 'PGRST101' },
  'limits how many rows a request may change': {
    method: 'PATCH',
    path: 'tasks?status=eq.pending',
    body: { mandate: 'x' },
    headers: { prefer: 'handling=strict, max-affected=1' },
    status: 400,
    error: 'PGRST122',
  },
  'sends a form to a table': post('flows', 'x', 400, 'PGRST102', { headers: { 'content-type': 'application/xml' } }),
  'misspells a table': get('characers', 404, '42P01'),
  'misspells a function': post('rpc/share_flows', { flow }, 404, 'PGRST202'),
  'misspells a parameter': post('rpc/job_tree', { id: 1 }, 404, 'PGRST202'),
  'forgets a parameter': post('rpc/job_tree', {}, 404, 'PGRST202'),
  'filters by an id in the wrong format': get('dramas?id=eq.abc', 400, '22P02'),
  'compares a time with null by eq': get('notifications?select=id&read_at=eq.null', 400, '22007'),
  'compares a time with a number': get('notifications?select=id&created_at=gt.1795818333431', 400, '22008'),
  'asks for a sum': get('credit_entries?select=amount.sum()', 400, 'PGRST123'),
  'calls a function with an id in the wrong format': post('rpc/get_drama_complete', { drama_id: 'abc' }, 400, '22P02'),
  'sends a number that is too large': post('rpc/list_tasks', { limit: 99_999_999_999 }, 400, '22003'),
  'sends a number in quotes for a run': post('rpc/job_tree', { job_id: 'first' }, 400, '22P02'),
  'sends a character that Postgres cannot store': post('tasks', { mandate: 'a\u0000' }, 400, '22P05'),
  'leaves out a required column': post('flows', { id: flow.id, nodes: [], edges: [] }, 400, '23502'),
  'refers to a row that does not exist': post('agents', { flow_id: ana.id, id: 'a' }, 409, '23503'),
  'inserts a row twice': post('flows', flow, 409, '23505'),
  'sends an object where a list belongs': post('characters', { id: ana.id, name: 'x', tags: {} }, 400, '23514'),
  'sends an unknown value': post(
    'shared_resources',
    { resource_type: 'card', resource_id: ana.id },
    422,
    'resource_type_unknown',
  ),
  'inserts without an id': post('flows', { name: 'F', nodes: [], edges: [] }, 422, 'id_missing'),
  'calls a function that writes by GET': get('rpc/generate_drama?premise=x', 405, 'post_required'),
  'shares by GET': get('rpc/share_flow?flow=%7B%22name%22%3A%22x%22%7D', 405, 'post_required', { as: 'anon' }),
  'sends agents as a list': post(
    'rpc/share_flow',
    { flow: { ...flow, agents: [] }, share_id: ana.id },
    422,
    'flow_invalid',
  ),
  'writes a filter without an operator': get('plans?id=free', 400, 'PGRST100'),
  'sends no JSON': post('flows', '{', 400, 'PGRST102'),
  'sends half an emoji': post('flows', `{"id":"${flow.id}","name":"\\ud83d","nodes":[],"edges":[]}`, 400, 'PGRST102'),
  'asks for a page behind the last': get('plans?offset=100&limit=10', 416, 'PGRST103', {
    headers: { prefer: 'count=exact' },
  }),
  'asks for a document behind the first': get('rpc/list_dramas?offset=20', 416, 'PGRST103'),
  'asks for a form that does not exist': get('plans', 415, 'PGRST107', { headers: { accept: 'application/xml' } }),
  'asks for one row and finds none': get('plans?id=eq.x', 406, 'PGRST116', {
    headers: { accept: 'application/vnd.pgrst.object+json' },
  }),
  'asks for one row and finds several': get('ai_models', 406, 'PGRST116', {
    headers: { accept: 'application/vnd.pgrst.object+json' },
  }),
  'embeds tables that are not connected': get('plans?select=*,flows(*)', 400, 'PGRST200'),
  'embeds tables that are connected twice': get('templates?select=id,template_versions(id)', 300, 'PGRST201'),
  'sends another schema': get('plans', 406, 'PGRST106', { headers: { 'accept-profile': 'app' } }),
  'sends an API key as a token': get('plans', 401, 'PGRST301', { as: { token: 'plk_12345678_secret' } }),
  'sends a token of another secret': get('plans', 401, 'PGRST301', {
    as: {
      token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiJ9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    },
  }),
  'sends an expired token': get('plans', 401, 'PGRST301', { as: 'expired' }),
  'sends a document with too many levels': post(
    'flows',
    `{"id":"${ana.id}","name":"F","edges":[],"nodes":${'['.repeat(500)}${']'.repeat(500)}}`,
    400,
    'document_too_deep',
  ),
  'asks for an estimated count': get('plans', 400, 'count_not_exact', { headers: { prefer: 'count=planned' } }),
  'waits too long': post('rpc/wait', {}, 500, '57014'),
}

async function make({ as = 'ana', method = 'GET', path, body, headers }: Mistake) {
  const token =
    typeof as === 'object'
      ? as.token
      : await { ana: () => api.tokenFor(ana), anon: () => api.anonKey, service: () => api.serviceKey, expired }[as]()
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method,
    headers: {
      apikey: api.anonKey,
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

function expired() {
  const claims = { sub: ana.id, role: 'authenticated', aud: 'authenticated' }
  const secret = new TextEncoder().encode(api.keys.jwtSecret)
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(1_000_000_000).sign(secret)
}

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')

test('errors without a code are those of docs/errors.md, and what PostgREST ignores is in docs/guide/client.md', async () => {
  const headers = { apikey: api.anonKey, authorization: `Bearer ${await api.tokenFor(ana)}` }
  const send = (path: string, init: RequestInit = {}) =>
    fetch(`${api.url}/rest/v1/${path}`, { ...init, headers: { ...headers, ...init.headers } })
  const deep = await send('plans/free')
  expect([deep.status, await deep.text()]).toEqual([404, '{}'])
  const head = await send('rpc/submit_task?mandate=x', { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([405, ''])
  const json = { 'content-type': 'application/json' }
  const written = { ...flow, id: '10000000-0000-4000-8000-000000000002' }
  const text = await send('flows', { method: 'POST', headers: json, body: JSON.stringify(JSON.stringify(written)) })
  expect(text.status).toBe(201)
  const body = JSON.stringify(written)
  expect((await send('flows', { method: 'POST', headers: { ...json, prefer: 'tx=rollback' }, body })).status).toBe(201)
  // The text inserted nothing, and the row that was to be rolled back is stored.
  expect((await send('flows', { method: 'POST', headers: json, body })).status).toBe(409)
})

test('JSON that Postgres cannot read gets an error of its own', async () => {
  // Straight to PostgREST, because the local gateway refuses such a body.
  const answer = await fetch(`${api.postgrestUrl}/flows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"nodes":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  })
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([413, '54001'])
  expect(page).toContain('| `54001` | 413 |')
})

test.each(Object.entries(mistakes))('a newcomer who %s learns why', async (_name, mistake) => {
  const { status, body } = await make(mistake)
  const isOurs = String(body.code).startsWith('PT')
  expect({ status, error: isOurs ? body.details : body.code }, JSON.stringify(body)).toEqual({
    status: mistake.status,
    error: mistake.error,
  })
  if (isOurs) expect(body.hint).toMatch(/./)
  expect(page).toContain(`| \`${mistake.error}\` | ${status} |`)
})
