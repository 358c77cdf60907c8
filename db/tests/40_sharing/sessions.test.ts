import { readFile } from 'node:fs/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

let database: TestDatabase
let api: Api
let anon: SupabaseClient
const exampleFlow = JSON.parse(await readFile(new URL('../../../scripts/demo/flow.json', import.meta.url), 'utf8'))
const docs = async (name: string) =>
  JSON.parse(await readFile(new URL(`../../../docs/${name}`, import.meta.url), 'utf8'))
const ajv = new Ajv2020({ allowUnionTypes: true })
const isFlow = ajv.compile(await docs('flow.schema.json'))
const isSession = ajv.compile(await docs('session.schema.json'))
const assetIds = ['1', '2', '3'].map((digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`)
const urlOf = (id: string | null) => id && `https://cdn.example.com/shared-assets/${id}/file.png`

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  await client.query('update app.settings set share_writes_per_minute = 1000000')
  for (const [number, id] of assetIds.entries())
    await client.query(
      `insert into assets (id, name, hash, size_byte, mime_type, file_path, object_key)
       values ($1, 'file.png', repeat($2, 64), 10, 'image/png', $3, $4)`,
      [id, String(number), urlOf(id), `shared-assets/${id}/file.png`],
    )
  api = await startApi(database)
  anon = createClient(api.url, api.anonKey)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

const open = async (shareId: string) =>
  (await anon.rpc('get_shared_resource', { share_id: shareId }, { get: true }).throwOnError()).data
const share = async (session: unknown, flow?: unknown, share_id: string = crypto.randomUUID()) => {
  await anon.rpc('share_session', { session, flow, share_id }).throwOnError()
  return share_id
}

const columns = [
  'title',
  'all_cards',
  'user_character_card_id',
  'turn_ids',
  'background_id',
  'cover_id',
  'translation',
  'chat_styles',
  'flow_id',
]

describe('share_session', () => {
  test('a session opens as it was shared, with the URLs of its assets', async () => {
    const json = fc
      .jsonValue({ maxDepth: 3 })
      .map((value) => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '')))
    const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\u0000', ''))
    const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
    const asset = orNull(fc.constantFrom(...assetIds))
    const fields = fc.dictionary(
      text.filter((key) => !['__proto__', 'icon_asset_id', 'icon_url'].includes(key)),
      json,
      { maxKeys: 3 },
    )
    const sessions = fc.record({
      // With a title, no session is empty.
      title: text.map((title) => `Title ${title}`),
      all_cards: fc.array(
        fc.tuple(fields, asset).map(([card, icon_asset_id]) => ({ ...card, icon_asset_id })),
        { maxLength: 4 },
      ),
      user_character_card_id: orNull(text),
      turn_ids: orNull(fc.array(fc.uuid(), { maxLength: 3 })),
      background_id: asset,
      cover_id: asset,
      translation: json,
      chat_styles: json,
      flow_id: orNull(text),
    })
    await fc.assert(
      fc.asyncProperty(sessions, orNull(fc.constant(exampleFlow)), async (generated, flow) => {
        const session = JSON.parse(JSON.stringify(generated))
        const expected = {
          ...session,
          all_cards: session.all_cards.map((card: { icon_asset_id: string | null }) => ({
            ...card,
            icon_url: urlOf(card.icon_asset_id),
          })),
          background_url: urlOf(session.background_id),
          cover_url: urlOf(session.cover_id),
        }
        const opened = await open(await share(session, flow))
        expect(opened).toEqual({ ...expected, flow })
        expect([isSession(session), isSession(opened)]).toEqual([true, true])
        // The same by direct inserts, which have no flow in the request.
        const id = crypto.randomUUID()
        const shareId = crypto.randomUUID()
        await anon
          .from('sessions')
          .insert({ id, ...session })
          .throwOnError()
        await anon
          .from('shared_resources')
          .insert({ id: shareId, resource_type: 'session', resource_id: id })
          .throwOnError()
        expect(await open(shareId)).toEqual({ ...expected, flow: null })
      }),
      { numRuns: 40 },
    )
  })

  test('a session with a title only opens with every key', async () => {
    expect(await open(await share({ title: 'Night shift' }))).toEqual({
      ...Object.fromEntries(columns.map((column) => [column, null])),
      title: 'Night shift',
      all_cards: [],
      background_url: null,
      cover_url: null,
      flow: null,
    })
  })

  test('returns a link, and is safe to repeat', async () => {
    const request = { session: { title: 'S', all_cards: [] }, flow: exampleFlow, share_id: crypto.randomUUID() }
    const first = await anon.rpc('share_session', request).throwOnError()
    expect(first.data.url).toBe(`https://harpy.chat/sessions/detail/${request.share_id}`)
    expect((await anon.rpc('share_session', request)).data).toEqual(first.data)
    for (const other of [{ session: { title: 'T' } }, { flow: null }, { visibility: 'public' }])
      expect(await anon.rpc('share_session', { ...request, ...other })).toMatchObject({ status: 409 })
  })

  test.each<[name: string, session: unknown, field: string]>([
    ['no object', [], 'session'],
    ['a title that is a number', { title: 1 }, 'title'],
    ['cards that are an object', { all_cards: {} }, 'all_cards'],
    ['a card that is a string', { all_cards: [{}, 'x'] }, 'all_cards.1'],
    ['an icon that is not a UUID', { all_cards: [{ icon_asset_id: 'x' }] }, 'all_cards.0.icon_asset_id'],
    ['an icon that is a number', { all_cards: [{ icon_asset_id: 5 }] }, 'all_cards.0.icon_asset_id'],
    ['a background that is not a UUID', { background_id: 'x' }, 'background_id'],
    ['a cover that is an object', { cover_id: {} }, 'cover_id'],
    ['turns that are an object', { turn_ids: {} }, 'turn_ids'],
    ['too many cards', { all_cards: Array(1001).fill({}) }, 'all_cards'],
  ])('refuses %s, and names the field', async (_name, session, field) => {
    const { status, error } = await anon.rpc('share_session', { session, share_id: crypto.randomUUID() })
    expect({ status, slug: error?.details }).toEqual({ status: 422, slug: 'session_invalid' })
    expect(error?.message.startsWith(`${field} `)).toBe(true)
  })

  test.each<[name: string, session: unknown]>([
    ['an icon', { all_cards: [{ icon_asset_id: crypto.randomUUID() }] }],
    ['a background', { background_id: crypto.randomUUID() }],
  ])('refuses an unknown asset as %s', async (_name, session) => {
    expect(await anon.rpc('share_session', { session, share_id: crypto.randomUUID() })).toMatchObject({
      status: 422,
      error: { details: 'asset_not_found' },
    })
  })

  test('refuses an invalid flow, and a session that is too large together with its flow', async () => {
    const send = (session: unknown, flow: unknown) =>
      anon.rpc('share_session', { session, flow, share_id: crypto.randomUUID() })
    expect(await send({ title: 'S' }, { name: 1 })).toMatchObject({ status: 422, error: { details: 'flow_invalid' } })
    const client = await database.connect()
    const { rows } = await client.query("select app.get_share_limit('package_bytes') as bytes")
    const most = 'x'.repeat(0.6 * rows[0].bytes)
    expect(await send({ title: most }, null)).toMatchObject({ status: 200 })
    const flow = { name: 'n', nodes: [most.slice(0, 0.5 * rows[0].bytes)], edges: [] }
    expect(await send({ title: most }, flow)).toMatchObject({ status: 413, error: { details: 'package_too_large' } })
  })
})

describe('the JSON Schemas', () => {
  const bare = { name: 'n', nodes: [], edges: [] }
  const node = (map: string, fields: unknown) => ({ ...bare, [map]: { id: fields } })

  test.each<[flow: unknown, isAccepted: boolean]>([
    [exampleFlow, true],
    [bare, true],
    [{ ...bare, description: null, responseTemplate: { any: 1 }, agents: null, other: 1 }, true],
    [node('agents', { temperature: null, maxTokens: 5, other: [] }), true],
    [{}, false],
    [{ ...bare, name: null }, false],
    [{ ...bare, name: 'n'.repeat(1001) }, false],
    [{ ...bare, nodes: {} }, false],
    [{ ...bare, agents: [] }, false],
    [{ ...bare, response_template: 't' }, false],
    [{ ...bare, data_store_nodes: {} }, false],
    [{ ...bare, if_nodes: {} }, false],
    [{ ...bare, agents: { '': {} } }, false],
    [node('agents', 5), false],
    [node('agents', { temperature: 'hot' }), false],
    [node('agents', { maxTokens: 1.5 }), false],
    [node('agents', { max_tokens: 5 }), false],
    [node('dataStoreNodes', { data_store_fields: [] }), false],
    [{ ...bare, 'RESPONSE-template ': 't' }, false],
    [{ ...bare, if_Nodes: {} }, false],
    [node('ifNodes', { _conditions: [] }), false],
    [node('agents', { 'top.p': 1 }), false],
  ])('agree with share_flow (%#)', async (flow, isAccepted) => {
    const share_id = crypto.randomUUID()
    const { error } = await anon.rpc('share_flow', { flow, share_id })
    expect([isFlow(flow), error?.details ?? null]).toEqual([isAccepted, isAccepted ? null : 'flow_invalid'])
    if (isAccepted) expect(isFlow(await open(share_id)), ajv.errorsText(isFlow.errors)).toBe(true)
  })

  test.each<[session: unknown, isAccepted: boolean]>([
    [{ title: 'S' }, true],
    [{ other: 1 }, true],
    [{ all_cards: [{ name: 'Mira', icon_asset_id: assetIds[0] }], turn_ids: null }, true],
    [{ title: 'S', background_id: assetIds[1], translation: [1], chat_styles: 'x' }, true],
    [{}, false],
    [{ title: null, all_cards: [], translation: {} }, false],
    [{ title: 1 }, false],
    [{ title: 'S', allCards: [] }, false],
    [{ title: 'S', coverId: null }, false],
    [{ title: 'S', all_cards: {} }, false],
    [{ all_cards: ['x'] }, false],
    [{ all_cards: [{ iconAssetId: null }] }, false],
    [{ all_cards: [{ icon_asset_id: 'x' }] }, false],
    [{ title: 'S', cover_id: 'x' }, false],
    [{ title: '  ' }, false],
    [{ cover_url: 'x', background_url: 5, flow: bare, all_cards: [] }, false],
    [{ title: 'S', 'Flow-ID': null }, false],
    [{ all_cards: [{ 'Icon asset.id': null }] }, false],
    [{ title: 'S', cover_url: 5, flow: bare }, true],
  ])('agree with share_session (%#)', async (session, isAccepted) => {
    const share_id = crypto.randomUUID()
    const { error } = await anon.rpc('share_session', { session, flow: bare, share_id })
    expect([isSession(session), error?.details ?? null]).toEqual([isAccepted, isAccepted ? null : 'session_invalid'])
    if (isAccepted) expect(isSession(await open(share_id)), ajv.errorsText(isSession.errors)).toBe(true)
  })
})

describe("a session's flow", () => {
  async function shareFlowRow(): Promise<string> {
    const id = crypto.randomUUID()
    await anon.from('flows').insert({ id, name: 'F', nodes: [], edges: [] }).throwOnError()
    await anon.from('shared_resources').insert({ resource_type: 'flow', resource_id: id }).throwOnError()
    return id
  }
  const shareSessionRow = async (flow_id: string) => {
    const [id, shareId] = [crypto.randomUUID(), crypto.randomUUID()]
    await anon.from('sessions').insert({ id, title: 'S', flow_id, all_cards: [] }).throwOnError()
    await anon
      .from('shared_resources')
      .insert({ id: shareId, resource_type: 'session', resource_id: id })
      .throwOnError()
    return shareId
  }

  test('opens with the session while the flow is shared', async () => {
    const flow_id = await shareFlowRow()
    const flow = expect.objectContaining({ name: 'F', agents: {} })
    expect(await open(await shareSessionRow(flow_id))).toMatchObject({ flow_id, flow })
    expect(await open(await share({ flow_id }))).toMatchObject({ flow_id, flow })
    expect(await open(await share({ flow_id: flow_id.toUpperCase() }))).toMatchObject({ flow })
  })

  test('is the flow of the request, if the request has one', async () => {
    expect(await open(await share({ flow_id: await shareFlowRow() }, exampleFlow))).toMatchObject({ flow: exampleFlow })
  })

  test('is the field flow of an opened session that is shared again', async () => {
    const opened = await open(await share({ title: 'S', flow_id: 'own' }, exampleFlow))
    expect(await open(await share(opened))).toEqual(opened)
    const other = { name: 'F', nodes: [], edges: [] }
    expect(await open(await share(opened, other))).toMatchObject({ flow: other })
    const refused = { session: { title: 'S', flow: { name: 1 } }, share_id: crypto.randomUUID() }
    expect(await anon.rpc('share_session', refused)).toMatchObject({ status: 422, error: { details: 'flow_invalid' } })
  })

  test('is null if the flow has expired, was never shared, or flow_id is not an id', async () => {
    const expired = await shareFlowRow()
    const client = await database.connect()
    await client.query('update shared_resources set expires_at = now() where resource_id = $1', [expired])
    const never = crypto.randomUUID()
    await anon.from('flows').insert({ id: never, name: 'F', nodes: [], edges: [] }).throwOnError()
    for (const flow_id of [expired, never, crypto.randomUUID(), "x' or true --", '']) {
      expect((await open(await share({ title: 'S', flow_id }))).flow).toBeNull()
      expect((await open(await shareSessionRow(flow_id))).flow).toBeNull()
    }
  })

  test('stays in the session when the request is repeated after the flow has expired', async () => {
    const flow_id = await shareFlowRow()
    const shareId = await share({ flow_id })
    const client = await database.connect()
    await client.query('update shared_resources set expires_at = now() where resource_id = $1', [flow_id])
    await share({ flow_id }, undefined, shareId)
    expect((await open(shareId)).flow).not.toBeNull()
  })
})
