import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import type { JWTPayload } from 'jose'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { signJwt } from '../../../scripts/local/jwt.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

// The pre-request function as PostgREST calls it: tests that need real requests.
let database: TestDatabase
let db: Client
let api: Api
const ana = newUser('ana')
const ben = newUser('ben')

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  await db.query('insert into auth.users (id, email) select * from unnest($1::uuid[], $2::text[])', [
    [ana.id, ben.id],
    [ana.email, ben.email],
  ])
  await db.query(`
    update app.settings set client_address_header = 'x-client-address';
    create function public.timeout() returns text language sql stable return current_setting('statement_timeout');
    create function public.own_timeout() returns text language sql stable set statement_timeout = '7s'
    return current_setting('statement_timeout');
    create function public.sleep() returns setof integer language sql stable as 'select 1 from pg_sleep(2.5)';
    create function public.wait() returns void language sql stable set statement_timeout = '60s' as 'select pg_advisory_xact_lock_shared(1)';
    grant execute on function timeout(), own_timeout(), sleep(), wait() to anon, authenticated, service_role`)
  api = await startApi(database)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

function newUser(name: string) {
  return { id: crypto.randomUUID(), email: `${name}-${crypto.randomUUID()}@example.com` }
}

async function bearer(user: { id: string; email: string }) {
  return { authorization: `Bearer ${await api.tokenFor(user)}` }
}

async function send(path: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const answer = await fetch(`${api.postgrestUrl}/${path}`, { ...init, headers })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) }
}

/** Sends lines as they are, straight to PostgREST, and returns the answer. */
async function sendLines(...lines: string[]): Promise<string> {
  const socket = connect(Number(new URL(api.postgrestUrl).port), '127.0.0.1')
  socket.end(`${lines.join('\r\n')}\r\n\r\n`)
  let text = ''
  for await (const part of socket.setEncoding('latin1')) text += part
  return text
}

describe('an anonymous read', () => {
  const post = { method: 'POST', body: '{}' }
  const json = { 'content-type': 'application/json' }

  test('has a second, unless the function sets another timeout', async () => {
    expect(await send('rpc/timeout')).toMatchObject({ status: 200, body: '1s' })
    expect(await send('rpc/own_timeout')).toMatchObject({ status: 200, body: '7s' })
    expect(await send('rpc/timeout', json, post)).toMatchObject({ status: 200, body: '3s' })
    expect(await send('rpc/timeout', await bearer(ana))).toMatchObject({ status: 200, body: '8s' })
  })

  test.each(['GET', 'HEAD'])('by %s ends after this second', async (method) => {
    // The function would return before the 3 s of another request.
    expect((await send('rpc/sleep', { prefer: 'count=exact' }, { method })).status).toBe(500)
  })
})

describe('requests at the same time', () => {
  let oneKey: Record<string, string> | undefined
  test.each([
    ['user', () => bearer(ana), () => bearer(ben)],
    ['API key', withOneKey, () => bearer(ana)],
    ['owner of API keys', withNewKey, () => bearer(ana)],
    ['client address', () => from('203.0.113.1'), () => from('203.0.113.2')],
    ['IPv6 network', () => from('2001:db8:1:1::1'), () => from('2001:db8:1:2::1')],
  ])('are six for one %s, and no others are refused', async (_name, one, other) => {
    const headers = await one()
    const same = await one()
    await db.query('select pg_advisory_lock(1)')
    const six = Array.from({ length: 6 }, () => send('rpc/wait', headers))
    try {
      await expect.poll(countWaiting).toBe(6)
      const refused = await send('plans?select=id', same)
      expect(refused).toMatchObject({ status: 429, body: { code: 'PT429', details: 'too_many_at_once' } })
      expect(refused.headers.get('retry-after')).toBe('1')
      expect((await send('plans?select=id', await other())).status).toBe(200)
      const fromThere = 'x-client-address' in same ? { 'x-client-address': same['x-client-address'] } : {}
      const service = { ...fromThere, authorization: `Bearer ${api.serviceKey}` }
      expect((await send('plans?select=id', service)).status).toBe(200)
    } finally {
      await db.query('select pg_advisory_unlock(1)')
    }
    expect((await Promise.all(six)).map(({ status }) => status)).toEqual(Array(6).fill(204))
    expect((await send('plans?select=id', headers)).status).toBe(200)
  })

  test('wait for a turn if they are anonymous reads of one address, and no others wait', async () => {
    const turn = "hashtextextended('request of turn of address 203.0.113.9', n) from generate_series(1, 2) as n"
    const here = { 'x-client-address': '203.0.113.9' }
    await db.query(`select pg_advisory_lock(l) from (select ${turn}) as t (l)`)
    const read = send('plans?select=id', here)
    try {
      await expect.poll(countWaiting).toBe(1)
      expect((await send('plans?select=id', await from('203.0.113.8'))).status).toBe(200)
      expect((await send('plans?select=id', { ...here, ...(await bearer(ana)) })).status).toBe(200)
      const post = { method: 'POST', body: '{}' }
      expect((await send('rpc/timeout', { ...here, 'content-type': 'application/json' }, post)).status).toBe(200)
    } finally {
      await db.query(`select pg_advisory_unlock(l) from (select ${turn}) as t (l)`)
    }
    expect((await read).status).toBe(200)
  })

  test('have two turns of six slots', async () => {
    const clients = await Promise.all([1, 2, 3].map(() => database.connect()))
    for (const client of clients) await client.query('begin')
    const [first, second, third] = clients.map((client) => () => client.query("select app.await_turn('k', 6)"))
    await first?.()
    await second?.()
    const waiting = third?.()
    await expect.poll(countWaiting).toBe(1)
    await clients[0]?.query('commit')
    await waiting
    for (const client of clients.slice(1)) await client.query('commit')
  })

  test('are four times as many for an IPv6 /48 network', async () => {
    await db.query('update app.settings set requests_at_once = 1')
    await db.query('select pg_advisory_lock(1)')
    const four = [1, 2, 3, 4].map(async (n) => send('rpc/wait', await from(`2001:db8:2:${n}::1`)))
    try {
      await expect.poll(countWaiting).toBe(4)
      expect((await send('plans?select=id', await from('2001:db8:2:5::1'))).status).toBe(429)
      expect((await send('plans?select=id', await from('2001:db8:3:5::1'))).status).toBe(200)
    } finally {
      await db.query('select pg_advisory_unlock(1)')
      await db.query('update app.settings set requests_at_once = 6')
    }
    expect((await Promise.all(four)).map(({ status }) => status)).toEqual(Array(4).fill(204))
  })

  async function from(address: string) {
    return { 'x-client-address': address }
  }

  async function withNewKey() {
    const headers = { 'content-type': 'application/json', ...(await bearer(ana)) }
    return {
      'x-api-key': (await send('rpc/create_api_key', headers, { method: 'POST', body: '{"name": "n"}' })).body.key,
    }
  }

  async function withOneKey() {
    oneKey ??= await withNewKey()
    return oneKey
  }

  async function countWaiting(): Promise<number> {
    const { rows } = await db.query(
      `select count(*)::integer as waiting from pg_locks as l join pg_database as d on d.oid = l.database
       where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`,
    )
    return rows[0].waiting
  }
})

describe('a client sees no estimate of the planner', () => {
  test.each([
    ['in one header', 'prefer: count=planned'],
    ['in a list', 'prefer: return=minimal ,count=estimated'],
    ['in a second header', 'prefer: return=minimal', 'prefer: count=planned'],
    ['before another header, which hides it', 'prefer: count=planned', 'prefer: return=minimal'],
    ['in a folded header', 'prefer: return=minimal,', ' count=planned'],
  ])('%s', async (_name, ...headers) => {
    await db.query(
      "insert into flows (id, name, nodes, edges) select gen_random_uuid(), 'Falcon', '[]', '[]' from generate_series(1, 50)",
    )
    await db.query('analyze flows')
    for (const claim of [[], [`authorization: ${(await bearer(ana)).authorization}`]]) {
      const answer = await sendLines(
        'GET /flows?select=id&limit=1&name=eq.Falcon HTTP/1.1',
        'host: a',
        'connection: close',
        ...claim,
        ...headers,
      )
      expect(answer).toContain('HTTP/1.1 400')
      expect(answer).toContain('count_not_exact')
      expect(answer).not.toMatch(/content-range/i)
    }
  })

  test('shows service_role an estimate, and counts exactly the rows that a caller may read', async () => {
    const all = await send('flows?select=id&limit=1', {
      authorization: `Bearer ${api.serviceKey}`,
      prefer: 'count=planned',
    })
    expect(Number(all.headers.get('content-range')?.split('/')[1])).toBeGreaterThan(0)
    const exact = await send('flows?select=id&limit=1', { prefer: 'count=exact' })
    expect(exact.headers.get('content-range')).toBe('*/0')
  })

  test('gets 415 for a plan', async () => {
    expect((await send('flows?select=id', { accept: 'application/vnd.pgrst.plan+json' })).status).toBe(415)
  })
})

describe('a body', () => {
  const chunked = 'transfer-encoding: chunked'

  test('in chunks is refused, also with a Content-Length', async () => {
    for (const more of [[], ['content-length: 2']]) {
      const answer = await sendLines(
        'POST /rpc/timeout HTTP/1.1',
        'host: a',
        'connection: close',
        chunked,
        ...more,
        '',
        '2',
        '{}',
        '0',
      )
      expect(answer).toContain('HTTP/1.1 411')
    }
  })

  test('with a malformed length is refused with 400', async () => {
    for (const length of ['', 'abc', '-2', '0x2', '2, 2', 'NaN']) {
      const answer = await sendLines(
        'POST /rpc/timeout HTTP/1.1',
        'host: a',
        'connection: close',
        `content-length: ${length}`,
        '',
        '{}',
      )
      expect(answer, length).toMatch(/^HTTP\/1\.1 400 .*length_invalid/s)
    }
  })

  test('over HTTP/2 without a length is refused', async () => {
    const session = connectHttp2(api.postgrestUrl)
    const stream = session.request({ ':method': 'POST', ':path': '/rpc/timeout', 'content-type': 'application/json' })
    stream.end('{}')
    const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])))
    session.destroy()
    expect(status).toBe(411)
  })

  test('is not needed by GET and DELETE', async () => {
    expect((await send('plans?select=id')).status).toBe(200)
    const deleted = await send('flows?id=eq.00000000-0000-4000-8000-000000000000', {}, { method: 'DELETE' })
    expect(deleted).toMatchObject({ status: 403, body: { details: 'write_not_allowed' } })
  })
})

describe('a token', () => {
  const hour = Math.floor(Date.now() / 1000) + 3600

  test.each<[string, Record<string, unknown>, string]>([
    ['without exp', { aud: 'authenticated', exp: undefined }, 'token_without_expiry'],
    ['for service_role without exp', { role: 'service_role', exp: undefined }, 'token_without_expiry'],
    ['without aud', { aud: undefined }, 'token_audience_wrong'],
    ['for another audience', { aud: ['other'] }, 'token_audience_wrong'],
    ['for an unknown user', { sub: crypto.randomUUID() }, 'not_signed_in'],
  ])('%s is refused', async (_name, claims, slug) => {
    const token = await sign({ role: 'authenticated', aud: 'authenticated', exp: hour, sub: ana.id, ...claims })
    const answer = await send('plans?select=id', { authorization: `Bearer ${token}` })
    expect(answer).toMatchObject({ status: 401, body: { details: slug } })
  })

  test('is accepted with several audiences', async () => {
    const token = await sign({ role: 'authenticated', aud: ['other', 'authenticated'], exp: hour, sub: ana.id })
    expect((await send('plans?select=id', { authorization: `Bearer ${token}` })).status).toBe(200)
  })

  test('is refused in tables and functions after its user was deleted', async () => {
    const headers = await bearer(ben)
    expect((await send('users?select=id', headers)).body).toEqual([{ id: ben.id }])
    await db.query('delete from auth.users where id = $1', [ben.id])
    for (const path of ['users?select=id', 'plans?select=id', 'rpc/list_dramas'])
      expect(await send(path, headers)).toMatchObject({ status: 401, body: { details: 'not_signed_in' } })
  })

  async function sign(claims: Record<string, unknown>) {
    return signJwt(claims as JWTPayload, inject('cluster').secrets.jwtSecret)
  }
})
