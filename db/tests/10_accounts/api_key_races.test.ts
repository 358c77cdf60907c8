import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'

// Two sessions at the same moment: each test steps them by hand and waits until one really waits for the other.
let database: TestDatabase
let a: Client
let b: Client
let watcher: Client
let owner: string

beforeAll(async () => {
  database = await createDatabase()
  ;[a, b, watcher] = await Promise.all([database.connect(), database.connect(), database.connect()])
})
afterAll(() => database.drop())
beforeEach(async () => {
  owner = crypto.randomUUID()
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [owner, `${owner}@example.com`])
})

/** A transaction as PostgREST begins it for the owner's JWT. */
async function beginAsOwner(client: Client): Promise<void> {
  await client.query('begin')
  await client.query("select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)", [
    JSON.stringify({ sub: owner, role: 'authenticated' }),
  ])
}

/** A transaction as PostgREST begins it for a request with a key, the gate included. */
async function beginWithKey(client: Client, key: string): Promise<void> {
  await client.query('begin')
  await client.query(
    `select set_config('role', 'anon', true), set_config('request.jwt.claims', '{"role": "anon"}', true),
      set_config('request.method', 'POST', true), set_config('request.path', '/rpc/a', true),
      set_config('request.headers', $1, true)`,
    [JSON.stringify({ 'x-api-key': key, 'content-length': '2' })],
  )
  await client.query('select gate.pre_request()')
}

async function createKey(scope: 'read' | 'write'): Promise<{ id: string; key: string }> {
  await beginAsOwner(watcher)
  const { rows } = await watcher.query("select id, key from public.create_api_key('k', $1)", [[scope]])
  await watcher.query('commit')
  return rows[0]
}

test('refuses one of two concurrent requests that create the last key', async () => {
  await beginAsOwner(watcher)
  await watcher.query("select public.create_api_key('k' || n) from generate_series(1, 49) as n")
  await watcher.query('commit')
  await beginAsOwner(a)
  await beginAsOwner(b)
  await a.query("select public.create_api_key('fiftieth')")
  const late = b.query("select public.create_api_key('fifty-first')")
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ code: 'PT409', detail: 'too_many_api_keys' })
  await b.query('rollback')
})

test('refuses one of two concurrent rotations of a key', async () => {
  const { id } = await createKey('read')
  await beginAsOwner(a)
  await beginAsOwner(b)
  await a.query('select public.rotate_api_key($1)', [id])
  const late = b.query('select public.rotate_api_key($1)', [id])
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ code: 'PT409', detail: 'api_key_not_live' })
  await b.query('rollback')
})

test('a revocation does not wait for the request that is under way, and lets none begin after it', async () => {
  const { id, key } = await createKey('write')
  await beginWithKey(a, key)
  await beginAsOwner(b)
  await b.query('select public.revoke_api_key($1)', [id])
  await b.query('commit')
  await a.query('commit')
  await expect(beginWithKey(a, key)).rejects.toMatchObject({ code: 'PT401', detail: 'api_key_revoked' })
  await a.query('rollback')
})

test('a request does not wait for a revocation, nor for another request that notes its use', async () => {
  for (const scope of ['read', 'write'] as const) {
    const { id, key } = await createKey(scope)
    await beginAsOwner(b)
    await b.query('select public.revoke_api_key($1)', [id])
    await beginWithKey(a, key)
    expect((await a.query('select auth.uid() as uid')).rows).toEqual([{ uid: owner }])
    await a.query('commit')
    await b.query('rollback')
  }
  const { key } = await createKey('read')
  await beginWithKey(a, key)
  await beginWithKey(b, key)
  await Promise.all([a.query('commit'), b.query('commit')])
})

test('writes of one key run one after another, and one that waits too long is told to come back', async () => {
  const { key } = await createKey('write')
  await beginWithKey(a, key)
  const waiting = beginWithKey(b, key)
  await untilWaiting(watcher, b)
  await a.query('commit')
  await waiting
  // Before Postgres cancels the request of a client, which it does after 3 s.
  await a.query("set statement_timeout = '2900ms'")
  await expect(beginWithKey(a, key)).rejects.toMatchObject({
    code: 'PGRST',
    message: expect.stringContaining('"details" : "rate_limited"'),
    detail: expect.stringContaining('Retry-After'),
  })
  await Promise.all([a.query('rollback'), b.query('rollback')])
  await a.query('reset statement_timeout')
})

test('two keys of one owner do not wait for one another', async () => {
  const [one, other] = [await createKey('write'), await createKey('write')]
  await beginWithKey(a, one.key)
  await beginWithKey(b, other.key)
  await Promise.all([a.query('commit'), b.query('commit')])
})

test('an account that is deleted while its key is being rotated waits, and goes', async () => {
  const { id } = await createKey('read')
  await watcher.query('begin')
  await watcher.query("select from app.rate_limits where bucket = 'new_api_keys' and key = $1 for update", [owner])
  await beginAsOwner(a)
  const rotating = a.query('select id from public.rotate_api_key($1)', [id])
  const third = await database.connect()
  await untilWaiting(third, a)
  const deleting = b.query('delete from auth.users where id = $1', [owner])
  await untilWaiting(third, b)
  await watcher.query('commit')
  await rotating
  await a.query('commit')
  expect((await deleting).rowCount).toBe(1)
  expect((await watcher.query('select from api_keys where owner_id = $1', [owner])).rowCount).toBe(0)
})
