import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import type { Database } from '../../types.ts'

// API keys by attack, over HTTP: what a key opens, and that it opens nothing else.
let database: TestDatabase
let db: Client
let api: Api
let everything: Request[]
const ana = newUser('ana')
const ben = newUser('ben')
const flow = { name: 'n', nodes: [], edges: [] }
const newFlow = () => ({ id: crypto.randomUUID(), ...flow })
const keys = { full: '', reading: '', bens: '', revoked: '', expired: '' }

type Request = { name: string; method: string; path: string; body?: unknown }

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  await db.query('insert into auth.users (id, email) select * from unnest($1::uuid[], $2::text[])', [
    [ana.id, ben.id],
    [ana.email, ben.email],
  ])
  await db.query(escapes)
  everything = await listEverything()
  // Tests send many requests of one caller at the same moment.
  await db.query('update app.settings set requests_at_once = 0')
  api = await startApi(database)
  keys.full = (await createKey(ana, { scopes: ['read', 'write'] })).key
  keys.reading = (await createKey(ana)).key
  keys.bens = (await createKey(ben, { scopes: ['read', 'write'] })).key
  const revoked = await createKey(ana)
  keys.revoked = revoked.key
  await as(ana).rpc('revoke_api_key', { id: revoked.id }).throwOnError()
  const expired = await createKey(ana, { expires_at: new Date(Date.now() + 3_600_000).toISOString() })
  keys.expired = expired.key
  await expire(expired.id)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

function newUser(name: string) {
  return { id: crypto.randomUUID(), email: `${name}-${crypto.randomUUID()}@example.com` }
}

/** supabase-js, signed in. */
function as(user: { id: string; email: string }) {
  return createClient<Database>(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
}

/** supabase-js, with an API key. */
function withKey(key: string) {
  return createClient<Database>(api.url, api.anonKey, { global: { headers: { 'x-api-key': key } } })
}

async function createKey(
  user: { id: string; email: string },
  options: { scopes?: string[]; expires_at?: string } = {},
) {
  return (
    await as(user)
      .rpc('create_api_key', { name: 'test', ...options })
      .throwOnError()
  ).data as {
    id: string
    key: string
  }
}

/** Ends the life of a key, as the time does. */
const expire = (id: string) => db.query('update api_keys set expires_at = now() where id = $1', [id])

async function send({ method, path, body }: Omit<Request, 'name'>, headers: Record<string, string>) {
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method,
    headers: { apikey: api.anonKey, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

/** Bytes as they are, to the gateway or to PostgREST itself: what no library would send. */
async function sendRaw(url: string, header: Buffer): Promise<string> {
  const path = url === api.url ? `/rest/v1/plans?apikey=${api.keys.publishableKey}` : '/plans'
  const head = `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: `
  const bytes = Buffer.concat([Buffer.from(head), header, Buffer.from('\r\n\r\n')])
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const ended = Promise.withResolvers<void>()
  let text = ''
  socket.setTimeout(60_000, () => socket.destroy(new Error('no answer')))
  socket.on('data', (data) => {
    text += data
  })
  socket.on('close', () => ended.resolve())
  socket.on('error', (error) => (text === '' ? ended.reject(error) : ended.resolve()))
  // A server that closes before it has read all that was sent resets the connection, and the answer is lost.
  for (let sent = 0; sent < bytes.length && text === '' && socket.writable; sent += 4096) {
    socket.write(bytes.subarray(sent, sent + 4096))
    await sleep(5)
  }
  await ended.promise
  return text
}

/** Every table with every method, and every function by GET and POST, as the catalog has them. */
async function listEverything(): Promise<Request[]> {
  const tables = await db.query<{ name: string; key: string }>(`
    select c.relname as name, a.attname as key
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum = 1
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
  `)
  const functions = await db.query<{ name: string; arguments: Record<string, unknown> | null }>(`
    select p.proname as name, json_object_agg(p.proargnames[n], case p.proargtypes[n - 1]::regtype::text
      when 'uuid' then '"${crypto.randomUUID()}"' when 'json' then '{}' when 'integer' then '1' else '"a"'
    end::json) filter (where n is not null) as arguments
    from pg_proc as p left join generate_series(1, 9) as n on n <= p.pronargs - p.pronargdefaults
    where p.pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')
    group by p.oid, p.proname
  `)
  return [
    ...tables.rows.flatMap(({ name, key }) =>
      ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'].map((method) => ({
        name: `${method} ${name}`,
        method,
        path: `${name}?select=${key}`,
        ...(['POST', 'PATCH'].includes(method) && { body: { [key]: crypto.randomUUID() } }),
      })),
    ),
    ...functions.rows.flatMap(({ name, arguments: body }) => [
      { name: `POST rpc/${name}`, method: 'POST', path: `rpc/${name}`, body: body ?? {} },
      {
        name: `GET rpc/${name}`,
        method: 'GET',
        path: `rpc/${name}?${Object.entries(body ?? {})
          .map(([key, value]) => `${key}=${typeof value === 'object' ? '{}' : value}`)
          .join('&')}`,
      },
    ]),
  ]
}

/** Functions as nobody should write them: they try to write with a key that may only read, and to leave its role. */
const escapes = `
  create table public.notes (id integer);
  alter table public.notes enable row level security;
  create policy insert_any on public.notes for insert to authenticated with check (true);
  grant insert on public.notes to authenticated;
  create function public.escape_by_setting() returns void language plpgsql as $$
  begin
    perform set_config('transaction_read_only', 'off', true);
    insert into public.notes values (1);
  end $$;
  create function public.escape_by_statement() returns void language plpgsql as $$
  begin
    set transaction read write;
    insert into public.notes values (1);
  end $$;
  create function public.escape_by_subtransaction() returns void language plpgsql as $$
  begin
    begin
      perform set_config('transaction_read_only', 'off', true);
    exception when others then
      insert into public.notes values (1);
    end;
  end $$;
  create function public.escape_by_definer() returns void language sql security definer as 'insert into public.notes values (1)';
  create function public.who() returns json language sql as
    'select json_build_object(''user'', current_user, ''uid'', auth.uid(), ''role'', auth.role())';
  grant execute on all functions in schema public to authenticated;
`

describe('a key that does not work gets 401 on every table and every function', () => {
  const bad: [name: string, key: () => string, slug: string][] = [
    ['unknown', () => keys.full.replace(/.$/, '.'), 'api_key_unknown'],
    ['its prefix alone', () => keys.full.slice(0, 12), 'api_key_unknown'],
    ['empty', () => '', 'api_key_unknown'],
    ['two at once', () => `${keys.full}, ${keys.bens}`, 'api_key_unknown'],
    ['huge', () => keys.full.repeat(200), 'api_key_unknown'],
    ['JSON', () => '"},{"role":"service_role"', 'api_key_unknown'],
    ['SQL', () => "' or true --", 'api_key_unknown'],
    ['revoked', () => keys.revoked, 'api_key_revoked'],
    ['expired', () => keys.expired, 'api_key_expired'],
  ]
  test.each(bad)('%s', async (_name, key, slug) => {
    expect(everything.length).toBeGreaterThan(40)
    const answers = await Promise.all(everything.map((request) => send(request, { 'x-api-key': key() })))
    for (const [index, { status, body }] of answers.entries()) {
      expect(status, everything[index]?.name).toBe(401)
      if (everything[index]?.method !== 'HEAD') expect(body.details).toBe(slug)
    }
  })

  test('bytes that no library would send are a 4xx, at the gateway and at PostgREST itself', async () => {
    for (const url of [api.url, api.postgrestUrl]) {
      expect(await sendRaw(url, Buffer.from('a\u0000b'))).toMatch(/^HTTP\/1.1 4\d\d /)
      expect(await sendRaw(url, Buffer.from('ключ'))).toMatch(/^HTTP\/1.1 401 /)
      expect(await sendRaw(url, Buffer.from('a'.repeat(100_000)))).toMatch(/^HTTP\/1.[01] 4\d\d /)
      expect(await sendRaw(url, Buffer.from('bad\r\nx-api-key: worse'))).toMatch(/^HTTP\/1.1 401 /)
      expect(await sendRaw(url, Buffer.from('plk_\r\nauthorization: Bearer bad'))).toMatch(/^HTTP\/1.1 401 /)
    }
    expect(await sendRaw(api.url, Buffer.from([0xff, 0xfe]))).toMatch(/^HTTP\/1.1 400 /)
    const twice = Buffer.from(`${keys.full}\r\nX-API-Key: ${keys.bens}`)
    expect(await sendRaw(api.url, twice)).toMatch(/^HTTP\/1.1 401 /)
  })
})

test('a key together with a JWT is refused everywhere, whoever it is of', async () => {
  for (const jwt of [await api.tokenFor(ana), await api.tokenFor(ben), api.serviceKey]) {
    const headers = { 'x-api-key': keys.full, authorization: `Bearer ${jwt}` }
    for (const { status } of await Promise.all(everything.map((request) => send(request, headers))))
      expect(status).toBe(400)
    expect((await send({ method: 'GET', path: 'plans' }, headers)).body.details).toBe('key_with_jwt')
  }
  const { status } = await send(
    { method: 'GET', path: 'plans' },
    { 'x-api-key': keys.full, authorization: 'Bearer a.b.c' },
  )
  expect(status).toBe(401)
})

describe('a key that works', () => {
  test('reads by GET and HEAD, from every table that its owner may read', async () => {
    for (const request of everything.filter(
      ({ method, path }) => /GET|HEAD/.test(method) && !/^(rpc|notes)/.test(path),
    )) {
      const [byKey, byJwt] = await Promise.all([
        send(request, { 'x-api-key': keys.reading }),
        send(request, { authorization: `Bearer ${await api.tokenFor(ana)}` }),
      ])
      expect(byKey, request.name).toMatchObject({ status: 200 })
      expect(byKey.body).toEqual(byJwt.body)
    }
  })

  test('is its owner, in tables and in functions, with supabase-js', async () => {
    for (const key of [keys.reading, keys.full]) {
      const client = withKey(key)
      expect((await client.from('users').select('id').throwOnError()).data).toEqual([{ id: ana.id }])
      const owners = (await client.from('api_keys').select('owner_id').throwOnError()).data
      expect(new Set(owners?.map((row) => row.owner_id))).toEqual(new Set([ana.id]))
      for (const get of [true, false])
        expect((await client.rpc('who' as 'create_api_key', {} as { name: string }, { get })).data).toEqual({
          user: 'authenticated',
          uid: ana.id,
          role: 'authenticated',
        })
    }
    expect((await withKey(keys.bens).from('users').select('id').throwOnError()).data).toEqual([{ id: ben.id }])
  })

  test('writes where its owner may, and opens what it shared', async () => {
    const share_id = crypto.randomUUID()
    expect((await withKey(keys.full).rpc('share_flow', { flow, share_id })).error).toBeNull()
    expect((await withKey(keys.full).from('flows').insert(newFlow())).status).toBe(201)
    for (const get of [true, false])
      expect((await withKey(keys.reading).rpc('get_shared_resource', { share_id }, { get })).data).toMatchObject(flow)
  })

  test('gets answers that no cache may store', async () => {
    for (const request of [
      { method: 'GET', path: 'users' },
      { method: 'HEAD', path: 'api_keys' },
      { method: 'GET', path: 'rpc/who' },
      { method: 'POST', path: 'flows', body: newFlow() },
    ]) {
      const { status, headers } = await send(request, { 'x-api-key': keys.full })
      expect([status, headers.get('cache-control')], request.path).toEqual([
        request.method === 'POST' ? 201 : 200,
        'private, no-store',
      ])
    }
    expect((await send({ method: 'GET', path: 'plans' }, {})).headers.get('cache-control')).toBeNull()
  })

  test('passes a browser’s preflight', async () => {
    const { headers } = await fetch(`${api.url}/rest/v1/users`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://a.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'apikey,x-api-key',
      },
    })
    expect(headers.get('access-control-allow-headers')).toContain('x-api-key')
  })

  test('is not needed by those who have none', async () => {
    expect((await send({ method: 'GET', path: 'plans' }, {})).status).toBe(200)
    expect(
      (await send({ method: 'GET', path: 'plans' }, { authorization: `Bearer ${await api.tokenFor(ana)}` })).status,
    ).toBe(200)
    expect((await send({ method: 'GET', path: 'plans' }, { 'x-other': 'x-api-key', 'x-api-key-id': 'a' })).status).toBe(
      200,
    )
  })
})

describe('a key', () => {
  test('cannot read other users or hashes, and cannot change credits', async () => {
    const headers = { 'x-api-key': keys.full }
    const empty = await send({ method: 'GET', path: `users?select=id&id=eq.${ben.id}` }, headers)
    expect(empty).toMatchObject({ status: 200, body: [] })
    for (const path of ['api_key_secrets', 'api_keys?select=*,api_key_secrets(*)', 'api_keys?select=secret_hash']) {
      const { status } = await send({ method: 'GET', path }, headers)
      expect([400, 404], path).toContain(status)
    }
    const { body } = await send({ method: 'GET', path: 'api_keys' }, headers)
    expect(new Set(body.map((key: { owner_id: string }) => key.owner_id))).toEqual(new Set([ana.id]))
    expect(JSON.stringify(body)).not.toContain('hash')
    for (const [method, path, body] of [
      ['PATCH', `users?id=eq.${ana.id}`, { credits: 1000 }],
      ['POST', 'users', { id: ana.id, credits: 1000 }],
      ['PUT', `users?id=eq.${ana.id}`, { id: ana.id, credits: 1000 }],
      ['DELETE', `users?id=eq.${ben.id}`, undefined],
      ['PATCH', `api_keys?owner_id=eq.${ana.id}`, { scopes: ['read', 'write'], expires_at: null }],
      ['POST', 'api_keys', { owner_id: ben.id, name: 'n', prefix: 'plk_00000000', scopes: ['read'] }],
    ] as const)
      expect(await send({ method, path, body }, headers), path).toMatchObject({
        status: 403,
        body: { details: 'write_not_allowed' },
      })
    expect((await db.query('select max(credits)::int as credits from users')).rows).toEqual([{ credits: 10 }])
  })

  test('gets no higher role, whatever it sends', async () => {
    for (const extra of [
      { 'x-role': 'service_role', role: 'service_role' },
      { cookie: 'role=service_role' },
      { prefer: 'tx=rollback' },
      { 'x-forwarded-user': ben.id },
      { 'request.jwt.claim.sub': ben.id },
    ] as Record<string, string>[])
      expect((await send({ method: 'GET', path: 'rpc/who' }, { 'x-api-key': keys.full, ...extra })).body).toEqual({
        user: 'authenticated',
        uid: ana.id,
        role: 'authenticated',
      })
    for (const path of [
      'rpc/who?role=service_role',
      'rpc/set_config?setting_name=role&new_value=service_role&is_local=true',
      'rpc/pre_request',
      'rpc/find_api_key?key=a',
    ])
      expect((await send({ method: 'GET', path }, { 'x-api-key': keys.full })).status, path).toBe(404)
    for (const schema of ['gate', 'app', 'pg_catalog', 'auth'])
      expect(
        (
          await send(
            { method: 'GET', path: 'rpc/find_api_key?key=a' },
            { 'x-api-key': keys.full, 'accept-profile': schema },
          )
        ).status,
      ).toBe(406)
  })

  test('does not affect the next request on the same connection', async () => {
    for (let n = 0; n < 30; n++) {
      expect((await send({ method: 'GET', path: 'rpc/who' }, { 'x-api-key': keys.full })).body.uid).toBe(ana.id)
      expect((await send({ method: 'GET', path: 'users?select=id' }, {})).status).toBe(401)
      expect((await send({ method: 'GET', path: 'rpc/who' }, { 'x-api-key': keys.bens })).body.uid).toBe(ben.id)
      expect(
        (
          await send(
            { method: 'POST', path: 'notes', body: { id: n } },
            { authorization: `Bearer ${await api.tokenFor(ana)}` },
          )
        ).status,
      ).toBe(201)
    }
  })

  test('cannot create, rotate or revoke keys', async () => {
    const { id } = await createKey(ana)
    for (const key of [keys.full, keys.reading])
      for (const [name, body] of Object.entries({
        create_api_key: { name: 'n' },
        rotate_api_key: { id },
        revoke_api_key: { id },
      }))
        expect(await send({ method: 'POST', path: `rpc/${name}`, body }, { 'x-api-key': key })).toMatchObject({
          status: 403,
          body: { details: 'api_key_not_allowed' },
        })
    const request = { method: 'POST', path: 'rpc/create_api_key', body: { name: 'n' } }
    expect((await send(request, {})).body.details).toBe('not_signed_in')
    expect((await send(request, { authorization: `Bearer ${api.serviceKey}` })).body.code).toBe('42501')
  })
})

describe('a key that may only read', () => {
  const headers = () => ({ 'x-api-key': keys.reading })

  test('writes to no table', async () => {
    const writes = everything.filter(({ method, path }) => !/GET|HEAD/.test(method) && !path.startsWith('rpc'))
    for (const request of writes)
      expect(await send(request, headers()), request.name).toMatchObject({
        status: 403,
        body: { details: 'key_is_read_only' },
      })
  })

  test('writes through no function, however that goes about it', async () => {
    const count = async () =>
      (
        await db.query(`select
        (select count(*) from notes) as notes, (select count(*) from api_keys) as keys,
        (select count(*) from shared_resources) as shares, (select count(*) from app.rate_limits) as rates`)
      ).rows
    const before = await count()
    for (const method of ['POST', 'GET'])
      for (const how of ['setting', 'statement', 'subtransaction', 'definer']) {
        const { status, body } = await send({ method, path: `rpc/escape_by_${how}` }, headers())
        expect([how, status]).toEqual([how, expect.toBeOneOf([400, 405, 500])])
        expect(body.code).toMatch(/^2500[16]$/)
      }
    const share = { flow, share_id: crypto.randomUUID() }
    expect(await send({ method: 'POST', path: 'rpc/share_flow', body: share }, headers())).toMatchObject({
      status: 403,
      body: { details: 'key_is_read_only' },
    })
    expect(await count()).toEqual(before)
    // They do write for who may.
    expect((await send({ method: 'POST', path: 'rpc/escape_by_definer' }, { 'x-api-key': keys.full })).status).toBe(204)
  })
})

describe('the life of a key', () => {
  const use = (key: string) => send({ method: 'GET', path: 'users?select=id' }, { 'x-api-key': key })

  test('rotation: both work during the grace period, then the new one alone', async () => {
    const old = await createKey(ana)
    const next = (await as(ana).rpc('rotate_api_key', { id: old.id, grace_seconds: 60 }).throwOnError()).data
    expect([(await use(old.key)).status, (await use(next.key ?? '')).status]).toEqual([200, 200])
    await expire(old.id)
    expect((await use(old.key)).body).toMatchObject({ details: 'api_key_expired' })
    expect((await use(next.key ?? '')).status).toBe(200)
    const last = (
      await as(ana)
        .rpc('rotate_api_key', { id: next.id ?? '', grace_seconds: 0 })
        .throwOnError()
    ).data
    expect([(await use(next.key ?? '')).status, (await use(last.key ?? '')).status]).toEqual([401, 200])
  })

  test('disables the keys of an owner who is banned or deleted', async () => {
    const cem = newUser('cem')
    await db.query('insert into auth.users (id, email) values ($1, $2)', [cem.id, cem.email])
    const { key } = await createKey(cem)
    expect((await use(key)).status).toBe(200)
    await db.query("update auth.users set banned_until = now() + interval '1 hour' where id = $1", [cem.id])
    expect((await use(key)).body).toMatchObject({ code: 'PT401', details: 'api_key_owner_blocked' })
    await db.query("update auth.users set banned_until = now() - interval '1 hour' where id = $1", [cem.id])
    expect((await use(key)).status).toBe(200)
    await db.query('update auth.users set deleted_at = now() where id = $1', [cem.id])
    expect((await use(key)).body).toMatchObject({ details: 'api_key_owner_blocked' })
    await db.query('delete from auth.users where id = $1', [cem.id])
    expect((await use(key)).body).toMatchObject({ details: 'api_key_unknown' })
  })

  test('its use is noted when a request could write, and not by GET', async () => {
    const { id, key } = await createKey(ana)
    const noted = async () => {
      await db.query('select app.publish_api_key_uses()')
      return (await as(ana).from('api_keys').select('last_used_at').eq('id', id).single()).data?.last_used_at
    }
    await use(key)
    expect(await noted()).toBeNull()
    await withKey(key).rpc('get_shared_resource', { share_id: crypto.randomUUID() })
    expect(await noted()).toBeNull()
    await send({ method: 'POST', path: 'rpc/who' }, { 'x-api-key': key })
    expect(await noted()).not.toBeNull()
  })

  test('ten writes at the same moment all succeed, and of more than the limit just the limit does', async () => {
    const write = (key: string) => send({ method: 'POST', path: 'flows', body: newFlow() }, { 'x-api-key': key })
    const many = async (key: string) => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => write(key)))
      return answers.map(({ status }) => status).sort()
    }
    expect(await many(keys.bens)).toEqual(Array(10).fill(201))
    await db.query('update app.settings set api_key_writes_per_minute = 4')
    try {
      const { key } = await createKey(ben, { scopes: ['write'] })
      expect(await many(key)).toEqual([...Array(4).fill(201), ...Array(6).fill(429)])
      const refused = await write(key)
      expect(refused.body).toMatchObject({ code: 'PT429', details: 'rate_limited' })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await use(key)).status).toBe(200)
    } finally {
      await db.query('update app.settings set api_key_writes_per_minute = 600')
    }
  })

  test('the limit of its owner holds, too', async () => {
    await db.query('update app.settings set share_writes_per_minute = 1')
    try {
      const dora = newUser('dora')
      await db.query('insert into auth.users (id, email) values ($1, $2)', [dora.id, dora.email])
      const { key } = await createKey(dora, { scopes: ['write'] })
      expect((await withKey(key).from('flows').insert(newFlow())).status).toBe(201)
      expect((await withKey(key).from('flows').insert(newFlow())).status).toBe(429)
      expect((await as(dora).from('flows').insert(newFlow())).status).toBe(429)
    } finally {
      await db.query('update app.settings set share_writes_per_minute = 1200')
    }
  })
})
