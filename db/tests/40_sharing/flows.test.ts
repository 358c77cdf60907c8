import { readFile } from 'node:fs/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { shareFlow as shareFlowAsOrigin } from '../../../scripts/testing/origin_client.ts'

let database: TestDatabase
let api: Api
let anon: SupabaseClient
let user: SupabaseClient
let packageBytes: number
const exampleFlow = JSON.parse(await readFile(new URL('../../../scripts/demo/flow.json', import.meta.url), 'utf8'))

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  // No request slots: one caller sends ten requests at once.
  await client.query(`
    update app.settings
    set share_writes_per_minute = 1000000, client_address_header = 'x-client-address', requests_at_once = 0`)
  packageBytes = (await client.query("select app.get_share_limit('package_bytes') as bytes")).rows[0].bytes
  const ana = { id: crypto.randomUUID(), email: 'ana@example.com' }
  await client.query('insert into auth.users (id, email) values ($1, $2)', [ana.id, ana.email])
  api = await startApi(database)
  anon = createClient(api.url, api.anonKey)
  user = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(ana) })
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

const open = (shareId: string) => anon.rpc('get_shared_resource', { share_id: shareId }, { get: true })

/** A request as a client without a library makes it. */
async function send(path: string, init: { method?: string; body?: string; headers?: Record<string, string> } = {}) {
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method: init.method ?? (init.body === undefined ? 'GET' : 'POST'),
    headers: { apikey: api.anonKey, 'content-type': 'application/json', ...init.headers },
    ...(init.body !== undefined && { body: init.body }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

describe('the client code of origin 000', () => {
  test('shares a flow unchanged', async () => {
    const url = await shareFlowAsOrigin(anon, exampleFlow)
    const { data, status } = await open(url.split('/').at(-1) ?? '')
    expect(status).toBe(200)
    expect(data).toEqual(exampleFlow)
  })

  test('shares a flow without agents, which inserts an empty list', async () => {
    const flow = { ...exampleFlow, agents: {}, dataStoreNodes: {}, ifNodes: {} }
    const url = await shareFlowAsOrigin(anon, flow)
    expect((await open(url.split('/').at(-1) ?? '')).data).toEqual(flow)
  })

  test('works for a signed-in user', async () => {
    const url = await shareFlowAsOrigin(user, exampleFlow)
    expect((await open(url.split('/').at(-1) ?? '')).data).toEqual(exampleFlow)
  })

  test('shares the same flow twice: node ids belong to their flow', async () => {
    await shareFlowAsOrigin(anon, exampleFlow)
    await expect(shareFlowAsOrigin(anon, exampleFlow)).resolves.toMatch(/^https:\/\/harpy\.chat\/flows\/detail\//)
  })
})

describe('share_flow', () => {
  test('returns a link, the same link when it is repeated, and 409 for other content', async () => {
    const share_id = crypto.randomUUID()
    const first = await anon.rpc('share_flow', { flow: exampleFlow, share_id })
    expect(first.data).toEqual({
      share_id,
      url: `https://harpy.chat/flows/detail/${share_id}`,
      expires_at: expect.any(String),
    })
    expect(Date.parse(first.data.expires_at) - Date.now()).toBeLessThanOrEqual(3_600_000)
    expect((await anon.rpc('share_flow', { flow: exampleFlow, share_id })).data).toEqual(first.data)
    const other = await anon.rpc('share_flow', { flow: { ...exampleFlow, name: 'Other' }, share_id })
    expect(other).toMatchObject({ status: 409, error: { code: 'PT409', details: 'share_id_taken' } })
  })

  test('makes one share of ten simultaneous requests with one id', async () => {
    const share_id = crypto.randomUUID()
    const results = await Promise.all(
      Array.from({ length: 10 }, () => anon.rpc('share_flow', { flow: exampleFlow, share_id })),
    )
    expect(new Set(results.map((result) => JSON.stringify(result.data))).size).toBe(1)
    const client = await database.connect()
    const { rows } = await client.query('select count(*)::int as shares from shared_resources where id = $1', [
      share_id,
    ])
    expect(rows).toEqual([{ shares: 1 }])
  })

  test('a flow opens as the JSON that was shared, by RPC and by direct inserts', async () => {
    const json = fc
      .jsonValue({ maxDepth: 4 })
      .map((value) => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '')))
    const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\u0000', ''))
    const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
    const number = orNull(fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0))
    const byId = <T>(node: fc.Arbitrary<T>) =>
      fc.dictionary(
        text.filter((id) => id !== '' && Buffer.byteLength(id) <= 200 && id !== '__proto__'),
        node,
        { maxKeys: 5 },
      )
    const flows = fc.record({
      name: text.map((value) => value.slice(0, 200)),
      description: orNull(text),
      nodes: fc.array(json, { maxLength: 5 }),
      edges: fc.array(json, { maxLength: 5 }),
      responseTemplate: orNull(text),
      agents: byId(
        fc.record({
          name: text,
          promptMessages: fc.array(json, { maxLength: 3 }),
          modelTier: orNull(text),
          temperature: number,
          maxTokens: orNull(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
          topP: number,
          frequencyPenalty: number,
          presencePenalty: number,
          responseFormat: json,
        }),
      ),
      dataStoreNodes: byId(fc.record({ name: text, color: text, dataStoreFields: json })),
      ifNodes: byId(fc.record({ name: text, conditions: json })),
    })
    await fc.assert(
      fc.asyncProperty(flows, async (flow) => {
        // Through JSON: -0 is 0 there, and keys are own properties.
        const sent = JSON.parse(JSON.stringify(flow))
        const share_id = crypto.randomUUID()
        expect((await anon.rpc('share_flow', { flow: sent, share_id })).error).toBeNull()
        expect((await open(share_id)).data).toEqual(sent)
        const url = await shareFlowAsOrigin(anon, sent)
        expect((await open(url.split('/').at(-1) ?? '')).data).toEqual(sent)
      }),
      { numRuns: 60 },
    )
  })
})

describe('opening a share', () => {
  test('works by GET, POST and HEAD, and lets caches keep the share for the seconds it has left', async () => {
    const share_id = crypto.randomUUID()
    await anon.rpc('share_flow', { flow: exampleFlow, share_id }).throwOnError()
    for (const request of [
      send(`rpc/get_shared_resource?share_id=${share_id}`),
      send('rpc/get_shared_resource', { body: JSON.stringify({ share_id }) }),
      send(`rpc/get_shared_resource?share_id=${share_id}`, { method: 'HEAD' }),
    ]) {
      const { status, headers } = await request
      expect(status).toBe(200)
      // The package is the same for every client, so a CDN keeps one copy of it.
      expect(headers.get('vary')).toBe('Accept-Encoding')
      const seconds = Number(headers.get('cache-control')?.match(/^public, max-age=(\d+)$/)?.[1])
      expect(seconds).toBeGreaterThan(3590)
      expect(seconds).toBeLessThanOrEqual(3600)
    }
  })

  test('answers unknown and expired shares with the same 404, also to HEAD', async () => {
    const share_id = crypto.randomUUID()
    await anon.rpc('share_flow', { flow: exampleFlow, share_id }).throwOnError()
    const client = await database.connect()
    await client.query(`update shared_resources set expires_at = now() where id = '${share_id}'`)
    const expired = await send(`rpc/get_shared_resource?share_id=${share_id}`)
    const unknown = await send(`rpc/get_shared_resource?share_id=${crypto.randomUUID()}`)
    expect(expired.status).toBe(404)
    expect(expired.body).toMatchObject({ code: 'PT404', details: 'share_not_found' })
    expect(unknown.body).toEqual(expired.body)
    expect(expired.headers.get('cache-control')).toBeNull()
    expect((await send(`rpc/get_shared_resource?share_id=${share_id}`, { method: 'HEAD' })).status).toBe(404)
  })
})

describe('a request with bad input is refused and changes nothing', () => {
  const bare = { name: 'n', nodes: [] as unknown[], edges: [] }
  const row = () => JSON.stringify({ id: crypto.randomUUID(), ...bare })
  const share = (flow: unknown) => JSON.stringify({ share_id: crypto.randomUUID(), flow })
  const nested = (depth: number) =>
    `{"share_id":"${crypto.randomUUID()}","flow":{"name":"n","edges":[],"nodes":${'['.repeat(depth)}${']'.repeat(depth)}}}`
  /** The body of a request; a function where it needs a limit of the database. */
  type Body = string | (() => string)
  const tooLarge = () => ({ ...bare, nodes: ['x'.repeat(packageBytes)] })
  const cases: [name: string, path: string, body: Body, status: number, slug: string | null][] = [
    ['no object', 'rpc/share_flow', share([]), 422, 'flow_invalid'],
    ['null', 'rpc/share_flow', share(null), 422, 'flow_invalid'],
    ['an empty object', 'rpc/share_flow', share({}), 422, 'flow_invalid'],
    ['agents that are a list', 'rpc/share_flow', share({ ...bare, agents: [] }), 422, 'flow_invalid'],
    [
      'a number no double holds',
      'rpc/share_flow',
      share({ ...bare, agents: { a: { temperature: 1 } } }).replace('"temperature":1', '"temperature":1e400'),
      422,
      'flow_invalid',
    ],
    ['an empty node id', 'rpc/share_flow', share({ ...bare, agents: { '': {} } }), 422, 'flow_invalid'],
    ['\\u0000', 'rpc/share_flow', share({ ...bare, name: '\u0000' }), 400, '\\u0000 cannot be converted to text.'],
    [
      '\\u0000, directly',
      'flows',
      JSON.stringify({ ...bare, nodes: ['\u0000'] }),
      400,
      '\\u0000 cannot be converted to text.',
    ],
    ['a package that is too large', 'rpc/share_flow', () => share(tooLarge()), 413, 'package_too_large'],
    [
      'a package that is too large, directly',
      'flows',
      () => JSON.stringify({ id: crypto.randomUUID(), ...tooLarge() }),
      400,
      null,
    ],
    ['20 MB', 'rpc/share_flow', share({ ...bare, nodes: ['x'.repeat(20_000_000)] }), 413, 'request_too_large'],
    [
      '20 MB, directly',
      'flows',
      JSON.stringify({ ...bare, nodes: ['x'.repeat(20_000_000)] }),
      413,
      'request_too_large',
    ],
    ['nested a million deep', 'rpc/share_flow', nested(1_000_000), 400, 'document_too_deep'],
    ['nested 500 deep', 'rpc/share_flow', nested(500), 400, 'document_too_deep'],
    ['no JSON', 'flows', '{', 400, null],
    ['an unknown column', 'flows', JSON.stringify({ ...bare, owner: 1 }), 400, null],
    [
      'an unknown resource type',
      'shared_resources',
      JSON.stringify({ resource_type: 'recipe', resource_id: crypto.randomUUID(), expires_at: 'now' }),
      422,
      'resource_type_unknown',
    ],
    [
      'a flow that does not exist',
      'shared_resources',
      JSON.stringify({ resource_type: 'flow', resource_id: crypto.randomUUID(), expires_at: 'now' }),
      422,
      'resource_not_found',
    ],
    ['no UUID', 'rpc/get_shared_resource', JSON.stringify({ share_id: 'x' }), 400, null],
  ]

  test.each(cases)('%s', async (_name, path, body, status, slug) => {
    const client = await database.connect()
    const count = async () =>
      (
        await client.query(
          'select (select count(*) from flows) as flows, (select count(*) from shared_resources) as shares',
        )
      ).rows
    const before = await count()
    const answer = await send(path, { body: typeof body === 'string' ? body : body() })
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    if (slug !== null) expect(answer.body.details).toBe(slug)
    expect(answer.body.message).toEqual(expect.any(String))
    expect(await count()).toEqual(before)
  })

  test('a client address that writes too much gets 429 with Retry-After, and no other address does', async () => {
    const client = await database.connect()
    await client.query('update app.settings set share_writes_per_minute = 3')
    try {
      const write = (address: string) =>
        fetch(`${api.postgrestUrl}/flows`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-client-address': address },
          body: row(),
        })
      for (let n = 0; n < 3; n++) expect((await write('203.0.113.1')).status).toBe(201)
      const refused = await write('203.0.113.1')
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await refused.json()).toMatchObject({ code: 'PT429', details: 'rate_limited' })
      expect((await write('203.0.113.2')).status).toBe(201)
      // The gateway overwrites the address that a client claims: all of these come from this machine.
      const claims = ['203.0.113.3', '203.0.113.4', '203.0.113.5', '203.0.113.6'].map((address) =>
        send('flows', { body: row(), headers: { 'x-client-address': address } }),
      )
      expect((await Promise.all(claims)).map((answer) => answer.status).sort()).toEqual([201, 201, 201, 429])
    } finally {
      await client.query('update app.settings set share_writes_per_minute = 1000000')
    }
  })
})
