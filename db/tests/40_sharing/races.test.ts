import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'

// Two sessions at the same moment: each test steps them by hand, and checks that one waits for the other.
let database: TestDatabase
let a: Client
let b: Client
let watcher: Client
let flowId: string

beforeAll(async () => {
  database = await createDatabase()
  ;[a, b, watcher] = await Promise.all([database.connect(), database.connect(), database.connect()])
  await watcher.query('update app.settings set share_writes_per_minute = 1000000')
})
afterAll(() => database.drop())
beforeEach(async () => {
  flowId = crypto.randomUUID()
  for (const client of [a, b])
    await client.query("select set_config('role', 'none', false), set_config('request.jwt.claims', '', false)")
  await watcher.query('insert into flows (id, name, nodes, edges) values ($1, $2, $3, $4)', [flowId, 'F', '[]', '[]'])
})

/** Sets role and claims as PostgREST does for an anonymous request. */
const asAnon = async (client: Client) => {
  await client.query(
    "select set_config('role', 'anon', false), set_config('request.jwt.claims', '{\"role\": \"anon\"}', false)",
  )
}
const addAgent = (client: Client, id: string) =>
  client.query('insert into agents (flow_id, id) values ($1, $2)', [flowId, id])
const share = (client: Client, id: string) =>
  client.query(
    "insert into shared_resources (id, resource_type, resource_id, expires_at) values ($1, 'flow', $2, now() + interval '1 hour')",
    [id, flowId],
  )
const agentsOf = async (shareId: string) =>
  Object.keys(
    (await watcher.query('select package from app.share_packages where share_id = $1', [shareId])).rows[0].package
      .agents,
  )

test('a node that is inserted while its flow is being shared waits, and is refused', async () => {
  const shareId = crypto.randomUUID()
  await Promise.all([asAnon(a), asAnon(b)])
  await a.query('begin')
  await share(a, shareId)
  const late = addAgent(b, 'late')
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ code: 'PT409', detail: 'resource_sealed' })
  expect(await agentsOf(shareId)).toEqual([])
})

test('sharing a flow that is getting a node waits, and the package has the node', async () => {
  const shareId = crypto.randomUUID()
  await Promise.all([asAnon(a), asAnon(b)])
  await b.query('begin')
  await addAgent(b, 'just in time')
  const sharing = share(a, shareId)
  await untilWaiting(watcher, a)
  await b.query('commit')
  await sharing
  expect(await agentsOf(shareId)).toEqual(['just in time'])
})

test('refuses one of two shares of one flow at the same moment', async () => {
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()]
  await a.query('begin')
  await share(a, first)
  const other = share(b, second)
  other.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(other).rejects.toMatchObject({ code: '23505', constraint: 'shared_resources_resource_is_shared_once' })
})

test('refuses one of two share_flow with one id and different content at the same moment', async () => {
  const shareId = crypto.randomUUID()
  const call = (client: Client, name: string) =>
    client.query('select * from share_flow($1, $2)', [{ name, nodes: [], edges: [] }, shareId])
  await a.query('begin')
  await call(a, 'first')
  const other = call(b, 'second')
  other.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(other).rejects.toMatchObject({ code: 'PT409', detail: 'share_id_taken' })
  const { rows } = await watcher.query(
    "select package ->> 'name' as name from app.share_packages where package ->> 'name' in ('first', 'second')",
  )
  expect(rows).toEqual([{ name: 'first' }])
})

test('delete_unshared_resources skips a flow that is being shared', async () => {
  await a.query("update flows set created_at = now() - interval '2 hours' where id = $1", [flowId])
  await a.query('begin')
  await share(a, crypto.randomUUID())
  expect((await b.query('select app.delete_unshared_resources() as purged')).rows).toEqual([{ purged: 0 }])
  await a.query('commit')
  expect((await b.query('select app.delete_unshared_resources() as purged')).rows).toEqual([{ purged: 0 }])
})

test('delete_expired_shares skips shares that another transaction has locked', async () => {
  await a.query(`
    select share_flow(json_build_object('name', 'old', 'nodes', '[]'::json, 'edges', '[]'::json), gen_random_uuid())
    from generate_series(1, 20)
  `)
  await a.query("update shared_resources set expires_at = now() - interval '1 second'")
  await a.query('begin')
  await a.query("select id from shared_resources where resource_type = 'flow' limit 5 for update")
  const { rows } = await b.query('select app.delete_expired_shares() as deleted')
  expect(rows[0].deleted).toBeGreaterThan(0)
  await a.query('commit')
  await b.query('select app.delete_expired_shares()')
  expect((await watcher.query('select count(*)::int as shares from shared_resources')).rows).toEqual([{ shares: 0 }])
})

test('delete_expired_shares skips an expired share whose flow is locked', async () => {
  const shareId = crypto.randomUUID()
  await share(a, shareId)
  await a.query("update shared_resources set expires_at = now() - interval '1 second' where id = $1", [shareId])
  await a.query('begin')
  // As a foreign key does, of a client that adds nodes to it.
  await a.query('select from flows where id = $1 for key share', [flowId])
  expect((await b.query('select app.delete_expired_shares() as deleted')).rows).toEqual([{ deleted: 0 }])
  await a.query('commit')
  expect((await b.query('select app.delete_expired_shares() as deleted')).rows).toEqual([{ deleted: 1 }])
})

test('a rate holds when many requests count at the same moment', async () => {
  const sessions = await Promise.all(Array.from({ length: 20 }, () => database.connect()))
  const results = await Promise.allSettled(
    sessions.map((session) => session.query("select app.take_rate('race', 'key', 10, '1 hour')")),
  )
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(10)
})

test('a caller never gets more public shares than allowed, however many requests run at once', async () => {
  await watcher.query('update app.settings set public_shares_max = 3')
  const sessions = await Promise.all(Array.from({ length: 12 }, () => database.connect()))
  await Promise.all(sessions.map(asAnon))
  const results = await Promise.allSettled(
    sessions.map((session, n) =>
      n % 2 === 0
        ? session.query("select share_flow($1, gen_random_uuid(), 'public')", [{ name: 'p', nodes: [], edges: [] }])
        : session.query(`
            with flow as (select gen_random_uuid() as id), inserted as (
              insert into characters (id, name) select id, 'p' from flow
            )
            insert into shared_resources (resource_type, resource_id, visibility)
            select 'card_character', id, 'public' from flow`),
    ),
  )
  await watcher.query('update app.settings set public_shares_max = default')
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(3)
  for (const result of results)
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ message: expect.stringMatching(/too_many_public_shares/) })
})

/** Shares an unlisted flow of 300 KB. */
const shareLarge = (client: Client) =>
  client.query('select share_flow($1, gen_random_uuid())', [{ name: 'n', nodes: ['x'.repeat(300_000)], edges: [] }])

test('large packages of one caller wait for each other', async () => {
  await Promise.all([asAnon(a), asAnon(b)])
  await a.query('begin')
  await shareLarge(a)
  const second = shareLarge(b)
  await untilWaiting(watcher, b)
  await a.query('commit')
  await second
})

test('a large package that waits for half of its statement timeout is refused with Retry-After', async () => {
  await Promise.all([asAnon(a), asAnon(b)])
  await a.query('begin')
  await shareLarge(a)
  // As a direct insert of anon, whose statements have 3 s; share_flow sets 10 s.
  await watcher.query('update flows set description = $2 where id = $1', [flowId, 'x'.repeat(300_000)])
  await b.query("set statement_timeout = '2s'")
  await expect(share(b, crypto.randomUUID())).rejects.toMatchObject({
    message: expect.stringMatching(/rate_limited.*one after another/),
    detail: expect.stringMatching(/Retry-After/),
  })
  await b.query('reset statement_timeout')
  await a.query('rollback')
})

test('transactions that count bytes at the same moment do not wait, and no byte is lost', async () => {
  const counted = async () =>
    Number((await watcher.query('select coalesce(sum(bytes), 0) as bytes from app.anonymous_bytes')).rows[0].bytes)
  const before = await counted()
  await a.query('begin')
  await a.query('select app.count_anonymous_bytes(1)')
  await b.query("set lock_timeout = '1ms'")
  await b.query('select app.count_anonymous_bytes(10)')
  await b.query('reset lock_timeout')
  await a.query('commit')
  await Promise.all([a, b].map((client) => client.query('select app.count_anonymous_bytes(100)')))
  expect((await counted()) - before).toBe(211)
})
