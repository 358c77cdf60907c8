import { readFileSync } from 'node:fs'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { v2 as v2Schema } from 'character-card-utils'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

type Card = {
  spec: string
  spec_version: string
  data: Record<string, unknown> & { extensions: Record<string, unknown> }
}

let database: TestDatabase
let api: Api
let anon: SupabaseClient
let packageBytes: number
const iconId = crypto.randomUUID()
const iconUrl = `https://cdn.example.com/shared-assets/${iconId}/icon.png`

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  await client.query('update app.settings set share_writes_per_minute = 1000000')
  packageBytes = (await client.query("select app.get_share_limit('package_bytes') as bytes")).rows[0].bytes
  await client.query(
    `insert into assets (id, name, hash, size_byte, mime_type, file_path, object_key)
     values ($1, 'icon.png', repeat('0', 64), 10, 'image/png', $2, $3)`,
    [iconId, iconUrl, `shared-assets/${iconId}/icon.png`],
  )
  api = await startApi(database)
  anon = createClient(api.url, api.anonKey)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

/** 0, 1, 2 …, with two of them swapped. */
function swapped(length: number, a: number, b: number): number[] {
  return Array.from({ length }, (_, n) => (n === a ? b : n === b ? a : n))
}

/** Opens a card; fails unless it is Character Card V2 to the letter. */
async function openCard(shareId: string): Promise<Card> {
  const { data, error } = await anon.rpc('get_shared_resource', { share_id: shareId }, { get: true })
  expect(error).toBeNull()
  v2Schema.parse(data)
  expect(data.spec_version).toBe('2.0')
  return data
}

async function shareCard(card: unknown, more: Record<string, unknown> = {}): Promise<string> {
  const share_id = crypto.randomUUID()
  const { error } = await anon.rpc('share_card', { card, share_id, ...more })
  expect(error).toBeNull()
  return share_id
}

/** A card as it must open: as it was shared, with the five extensions that viewers show. */
function opened(card: Card, given: Card): Card {
  const { icon_url, createdAt, updatedAt, cardSummary, version } = card.data.extensions
  const extensions = { ...given.data.extensions, icon_url, createdAt, updatedAt, cardSummary, version }
  return { ...given, data: { ...given.data, extensions } }
}

const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\u0000', ''))
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '')))
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
const extensions = fc.dictionary(
  text.filter((key) => key !== '__proto__'),
  json,
  { maxKeys: 4 },
)
const entries = fc.array(
  fc.record(
    {
      keys: fc.array(text, { maxLength: 3 }),
      content: text,
      extensions,
      enabled: fc.boolean(),
      insertion_order: number,
      case_sensitive: fc.boolean(),
      name: text,
      priority: number,
      id: fc.integer(),
      comment: text,
      selective: fc.boolean(),
      secondary_keys: fc.array(text, { maxLength: 2 }),
      constant: fc.boolean(),
      position: fc.constantFrom('before_char', 'after_char'),
      unknown: json,
    },
    { requiredKeys: ['keys', 'content', 'extensions', 'enabled', 'insertion_order'] },
  ),
  { maxLength: 4 },
)
const book = fc.record(
  {
    name: text,
    description: text,
    scan_depth: number,
    token_budget: number,
    recursive_scanning: fc.boolean(),
    extensions,
    entries,
  },
  { requiredKeys: ['extensions', 'entries'] },
)
const strings = Object.fromEntries(
  [
    'name',
    'description',
    'personality',
    'scenario',
    'first_mes',
    'mes_example',
    'creator_notes',
    'system_prompt',
    'post_history_instructions',
    'creator',
    'character_version',
  ].map((key) => [key, text]),
)
const cards = fc.record({
  spec: fc.constant('chara_card_v2'),
  spec_version: fc.constant('2.0'),
  data: fc.record(
    {
      ...strings,
      alternate_greetings: fc.array(text, { maxLength: 3 }),
      tags: fc.array(text, { maxLength: 3 }),
      extensions,
      character_book: book,
      nickname: json,
    },
    { requiredKeys: [...Object.keys(strings), 'alternate_greetings', 'tags', 'extensions'] as never[] },
  ),
})

describe('share_card', () => {
  test('a card opens with every field that was shared, unknown extensions included', async () => {
    await fc.assert(
      fc.asyncProperty(cards, fc.constantFrom('character', 'scenario'), async (generated, kind) => {
        const card = JSON.parse(JSON.stringify(generated)) as Card
        const result = await openCard(await shareCard(card, { kind }))
        expect(result).toEqual(opened(result, card))
        expect(result.data.extensions).toMatchObject({
          icon_url: null,
          cardSummary: card.data['creator_notes'],
          version: card.data['character_version'],
          createdAt: expect.any(String),
          updatedAt: expect.any(String),
        })
      }),
      { numRuns: 60 },
    )
  })

  test('returns a link, shows the icon, and is safe to repeat', async () => {
    const card = { spec: 'chara_card_v2', spec_version: '2.0', data: { name: 'Ana' } }
    const request = { card, icon_asset_id: iconId, share_id: crypto.randomUUID() }
    const first = await anon.rpc('share_card', request).throwOnError()
    expect(first.data.url).toBe(`https://harpy.chat/cards/detail/${request.share_id}`)
    expect((await openCard(request.share_id)).data.extensions['icon_url']).toBe(iconUrl)
    const reordered = { data: card.data, spec_version: '2.0', spec: 'chara_card_v2' }
    expect((await anon.rpc('share_card', { ...request, card: reordered })).data).toEqual(first.data)
    for (const other of [
      { card: { ...card, data: { name: 'Bo' } } },
      { icon_asset_id: null },
      { kind: 'scenario' },
      { visibility: 'public' },
    ])
      expect(await anon.rpc('share_card', { ...request, ...other })).toMatchObject({
        status: 409,
        error: { details: 'share_id_taken' },
      })
  })

  test.each<[name: string, one: unknown, other: unknown]>([
    ['where a list ends', { a: [1], b: 2 }, { a: [1, 'b', 2] }],
    ['the order of a long list', Array.from({ length: 70 }, (_, n) => n), swapped(70, 0, 32)],
    ['nested lists', [[1], 2], [[1, 2]]],
  ])('refuses other content under the same id, also if it differs in %s', async (_name, one, other) => {
    const card = (value: unknown) => ({ ...bare, data: { name: 'Ana', extensions: { value } } })
    const share_id = await shareCard(card(one))
    expect(await anon.rpc('share_card', { card: card(other), share_id })).toMatchObject({ status: 409 })
  })

  test('a public card has a row with all fields of the card', async () => {
    const name = crypto.randomUUID()
    const data = {
      name,
      description: 'd',
      mes_example: 'e',
      creator_notes: 's',
      creator: 'c',
      character_version: '1',
      tags: ['t'],
      first_mes: 'one',
      alternate_greetings: ['two'],
      character_book: { extensions: {}, entries: [] },
      extensions: { title: 'T', conceptualOrigin: 'o' },
    }
    const row = { title: 'T', name, description: 'd', card_summary: 's', creator: 'c', version: '1', tags: ['t'] }
    const shared = { ...row, conceptual_origin: 'o', lorebook: data.character_book, icon_asset_id: iconId }
    for (const [kind, table, own] of [
      ['character', 'characters', { example_dialogue: 'e' }],
      ['scenario', 'scenarios', { first_messages: ['one', 'two'] }],
    ] as const) {
      await shareCard({ ...bare, data }, { kind, icon_asset_id: iconId, visibility: 'public' })
      const { data: rows } = await anon.from(table).select('*').eq('name', name).throwOnError()
      expect(rows).toMatchObject([{ ...shared, ...own }])
    }
  })

  test('refuses the second of two large cards that a caller shares at once', async () => {
    const client = await database.connect()
    const large = { ...bare, data: { name: 'x'.repeat(300_000) } }
    await client.query('begin')
    await client.query("select pg_advisory_xact_lock(hashtextextended('large package of address unknown', 0))")
    const refused = await anon.rpc('share_card', { card: large, share_id: crypto.randomUUID() })
    expect(refused).toMatchObject({ status: 429, error: { details: 'rate_limited' } })
    await shareCard(bare)
    await client.query('rollback')
    await shareCard(large)
  })

  const bare = { spec: 'chara_card_v2', spec_version: '2.0', data: { name: 'Ana' } }
  const withBook = (character_book: unknown) => ({ ...bare, data: { name: 'Ana', character_book } })
  test.each<[name: string, card: unknown, field: string]>([
    ['no object', 'card', 'card'],
    ['a list', [bare], 'card'],
    ['no data and no name', { spec: 'chara_card_v2', spec_version: '2.0' }, 'data'],
    ['data that is a list', { ...bare, data: [] }, 'data'],
    ['no name', { ...bare, data: {} }, 'data.name'],
    ['a name that is null', { ...bare, data: { name: null } }, 'data.name'],
    ['a name of V1 that is an object', { name: {} }, 'card.name'],
    ['a description that is an object', { ...bare, data: { name: 'Ana', description: {} } }, 'data.description'],
    ['a tag that is an object', { ...bare, data: { name: 'Ana', tags: ['a', {}] } }, 'data.tags'],
    ['extensions that are a number', { ...bare, data: { name: 'Ana', extensions: 1 } }, 'data.extensions'],
    ['a book that is a number', withBook(7), 'data.character_book'],
    ['entries that are a number', withBook({ entries: 5 }), 'data.character_book.entries'],
    ['an entry that is a number', withBook({ entries: [{}, 5] }), 'data.character_book.entries'],
    ['keys that are lists', withBook({ entries: [{}, { keys: [['a']] }] }), 'data.character_book.entries.1.keys'],
    [
      'world info whose keys are lists',
      withBook({ entries: { 0: { key: [[]] } } }),
      'data.character_book.entries.0.key',
    ],
    ['an order that is a word', withBook({ entries: [{ order: 'first' }] }), 'data.character_book.entries.0.order'],
    ['a depth that is a word', withBook({ scan_depth: 'deep' }), 'data.character_book.scan_depth'],
    ['enabled that is a number', withBook({ entries: [{ enabled: 2 }] }), 'data.character_book.entries.0.enabled'],
    [
      'too many fields',
      { ...bare, data: Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [n, 1])) },
      'data',
    ],
    ['too many tags', { ...bare, data: { name: 'Ana', tags: Array(10_001).fill('a') } }, 'data.tags'],
    ['too many entries', withBook({ entries: Array(10_001).fill({}) }), 'data.character_book.entries'],
  ])('refuses %s, and names the field', async (_name, card, field) => {
    const client = await database.connect()
    const count = async () =>
      (await client.query('select (select count(*) from shared_resources), (select count(*) from characters) as cards'))
        .rows
    const before = await count()
    const { status, error } = await anon.rpc('share_card', { card, share_id: crypto.randomUUID() })
    expect({ status, slug: error?.details }).toEqual({ status: 422, slug: 'card_invalid' })
    expect(error?.message.startsWith(`${field} `)).toBe(true)
    expect(await count()).toEqual(before)
  })

  test.each<[name: string, request: Record<string, unknown>, status: number, slug: string]>([
    ['no share_id', { card: bare }, 422, 'share_id_missing'],
    ['an unknown kind', { card: bare, kind: 'lorebook', share_id: crypto.randomUUID() }, 422, 'card_kind_unknown'],
    ['no kind', { card: bare, kind: null, share_id: crypto.randomUUID() }, 422, 'card_kind_unknown'],
    [
      'an unknown icon',
      { card: bare, icon_asset_id: crypto.randomUUID(), share_id: crypto.randomUUID() },
      422,
      'asset_not_found',
    ],
  ])('refuses %s', async (_name, request, status, slug) => {
    expect(await anon.rpc('share_card', request)).toMatchObject({ status, error: { details: slug } })
  })

  test('refuses a package that is too large', async () => {
    const card = { ...bare, data: { name: 'x'.repeat(packageBytes) } }
    expect(await anon.rpc('share_card', { card, share_id: crypto.randomUUID() })).toMatchObject({
      status: 413,
      error: { details: 'package_too_large' },
    })
  })

  test('refuses \\u0000, however deep', async () => {
    const card = withBook({ entries: [{ extensions: { a: ['\u0000'] } }] })
    expect(await anon.rpc('share_card', { card, share_id: crypto.randomUUID() })).toMatchObject({
      status: 400,
      error: { code: '22P05' },
    })
  })
})

/** Cards as sites and editors export them, with placeholders for texts and names. */
const readCase = (name: string) => readFileSync(new URL(`card_cases/${name}.json`, import.meta.url), 'utf8')

describe('a card of another version, or with values of other types, opens as V2', () => {
  const open = async (card: unknown) => openCard(await shareCard(card))
  const entriesOf = (card: Card) => (card.data['character_book'] as { entries: Record<string, unknown>[] }).entries
  const withEntries = (entries: unknown) => ({ data: { name: 'Ana', character_book: { entries } } })

  test('V1, with its unknown fields', async () => {
    const { data, ...rest } = await open({ name: 'Ana', first_mes: 'Hi', avatar: 'none', fav: true, tags: 'a, b' })
    expect(rest).toEqual({ spec: 'chara_card_v2', spec_version: '2.0' })
    expect(data).toMatchObject({ name: 'Ana', first_mes: 'Hi', avatar: 'none', fav: true, tags: ['a', 'b'] })
  })

  test('V1 with the names of other editors', async () => {
    const pygmalion = {
      char_name: 'Ana',
      char_persona: 'A pilot.',
      char_greeting: 'Hi',
      world_scenario: 'The sea.',
      example_dialogue: 'A: Hi',
    }
    const expected = {
      name: 'Ana',
      description: 'A pilot.',
      first_mes: 'Hi',
      scenario: 'The sea.',
      mes_example: 'A: Hi',
    }
    expect((await open(pygmalion)).data).toMatchObject(expected)
    const { data } = await open({ ...pygmalion, name: 'Bea', first_mes: 'Hello', kind: 'character' })
    expect(data).toMatchObject({
      name: 'Bea',
      char_name: 'Ana',
      first_mes: 'Hello',
      char_greeting: 'Hi',
      kind: 'character',
    })
    expect((await open({ name: 'Ana', greeting: 'Hi', sampleChat: 'A: Hi' })).data).toMatchObject({
      first_mes: 'Hi',
      mes_example: 'A: Hi',
    })
  })

  test.each([
    ['V2 with a version as a number', { spec: 'chara_card_v2', spec_version: 2.0 }],
    ['V2 of another version', { spec: 'chara_card_v2', spec_version: '2.1' }],
    ['V3', { spec: 'chara_card_v3', spec_version: '3.0' }],
    ['no spec', {}],
    ['a spec that is null', { spec: null, spec_version: null }],
  ])('%s', async (_what, spec) => {
    const { data, ...rest } = await open({ ...spec, data: { name: '', nickname: 'A' }, source: ['x'] })
    expect(rest).toEqual({ spec: 'chara_card_v2', spec_version: '2.0', source: ['x'] })
    expect(data).toMatchObject({ name: '', nickname: 'A' })
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['a greeting instead of a list', { alternate_greetings: 'Hi, you' }, { alternate_greetings: ['Hi, you'] }],
    ['an empty greeting', { alternate_greetings: '' }, { alternate_greetings: [] }],
    ['greetings as a map', { alternate_greetings: { 0: 'A', 1: 'B' } }, { alternate_greetings: ['A', 'B'] }],
    ['tags as text', { tags: 'sea, , night' }, { tags: ['sea', 'night'] }],
    ['tags that are numbers', { tags: ['a', 1, null, true] }, { tags: ['a', '1', 'true'] }],
    ['extensions as a list', { extensions: [] }, { extensions: {} }],
    ['extensions as a filled list', { extensions: ['a'] }, { extensions: { 0: 'a' } }],
    ['extensions as text', { extensions: '' }, { extensions: {} }],
    ['a version as a number', { character_version: 1.1 }, { character_version: '1.1' }],
    ['a description as a list', { description: ['A', 'B'] }, { description: 'A\nB' }],
    ['a description as an empty list', { description: [] }, { description: '' }],
    ['an empty book', { character_book: {} }, { character_book: { extensions: {}, entries: [] } }],
    ['a book as a list', { character_book: [] }, { character_book: { extensions: {}, entries: [] } }],
    [
      'numbers as text',
      { character_book: { scan_depth: '100', token_budget: '' } },
      { character_book: { scan_depth: 100 } },
    ],
    [
      'switches as numbers',
      { character_book: { recursive_scanning: 1 } },
      { character_book: { recursive_scanning: true } },
    ],
    ['no book, as text', { character_book: '' }, {}],
  ])('%s', async (_what, given, expected) => {
    const { data } = await open({ data: { name: 'Ana', ...given } })
    const { icon_url: _i, createdAt: _c, updatedAt: _u, cardSummary: _s, version: _v, ...extensions } = data.extensions
    expect({ ...data, extensions }).toMatchObject(expected)
    if ('extensions' in expected) expect(extensions).toEqual(expected['extensions'])
    if (given['character_book'] === '') expect(data).not.toHaveProperty('character_book')
  })

  test('world info in a book', async () => {
    const entry = {
      uid: 3,
      key: ['sea'],
      keysecondary: 'a, b',
      order: '7',
      disable: true,
      position: 4,
      depth: 2,
      content: 'c',
    }
    expect(entriesOf(await open(withEntries({ 3: entry, 9: { key: 'x,y', disable: 0 } })))).toEqual([
      {
        uid: 3,
        keys: ['sea'],
        secondary_keys: ['a', 'b'],
        insertion_order: 7,
        enabled: false,
        depth: 2,
        content: 'c',
        extensions: { position: 4 },
      },
      { keys: ['x', 'y'], enabled: true, content: '', extensions: {}, insertion_order: 0 },
    ])
  })

  test('names of both V2 and world info: those of V2 count', async () => {
    const [entry] = entriesOf(await open(withEntries([{ keys: ['a'], key: ['b'], enabled: true, disable: true }])))
    expect(entry).toMatchObject({ keys: ['a'], key: ['b'], enabled: true, disable: true })
  })

  test('ids and positions that V2 does not have move to the extensions', async () => {
    const entries = [
      { id: 'lamp-1', position: 'at_depth', extensions: { depth: 4 } },
      { id: '12', position: 1, extensions: { position: 7 } },
      { position: 4, extensions: { position: 0 } },
      { id: null, position: '' },
    ]
    const kept = { keys: [], content: '', enabled: true, insertion_order: 0 }
    expect(entriesOf(await open(withEntries(entries)))).toEqual([
      { ...kept, extensions: { id: 'lamp-1', position: 'at_depth', depth: 4 } },
      { ...kept, id: 12, position: 'after_char', extensions: { position: 7 } },
      { ...kept, extensions: { position: 0 } },
      { ...kept, extensions: {} },
    ])
  })

  test('a book in the extensions, __proto__ and doubled keys stay', async () => {
    const share_id = crypto.randomUUID()
    const data =
      '{"name":"A","name":"B","__proto__":{"x":1},"extensions":{"character_book":{"entries":{}},"__proto__":1}}'
    const response = await fetch(`${api.url}/rest/v1/rpc/share_card`, {
      method: 'POST',
      headers: { apikey: api.anonKey, 'content-type': 'application/json' },
      body: `{"share_id":"${share_id}","card":{"data":${data}}}`,
    })
    expect(response.status).toBe(200)
    const card = await openCard(share_id)
    expect(card.data['name']).toBe('B')
    expect(Object.getOwnPropertyDescriptor(card.data, '__proto__')?.value).toEqual({ x: 1 })
    expect(card.data.extensions['character_book']).toEqual({ entries: {} })
  })

  test('the persona of Agnai is the description, and its description is a note', async () => {
    const card = {
      kind: 'character',
      name: 'Ana',
      description: 'A note.',
      greeting: 'Hi',
      sampleChat: 'A: Hi',
      scenario: 'The sea.',
      persona: { kind: 'boostyle', attributes: { species: ['robot'], mind: ['kind', 'shy'] } },
      alternateGreetings: ['Hello'],
      systemPrompt: 's',
      postHistoryInstructions: 'p',
      characterVersion: '2',
      insert: { depth: 3, prompt: 'i' },
      characterBook: {
        kind: 'memory',
        scanDepth: 3,
        entries: [{ name: 'e', entry: 'c', keywords: ['k'], priority: 5, weight: 7, enabled: false }],
      },
    }
    const { data } = await open(card)
    expect(data).toMatchObject({
      description: 'species: robot\nmind: kind, shy',
      creator_notes: 'A note.',
      first_mes: 'Hi',
      mes_example: 'A: Hi',
      alternate_greetings: ['Hello'],
      system_prompt: 's',
      post_history_instructions: 'p',
      character_version: '2',
      insert: card.insert,
      persona: card.persona,
      character_book: {
        kind: 'memory',
        scan_depth: 3,
        entries: [{ name: 'e', content: 'c', keys: ['k'], priority: 5, insertion_order: 7, enabled: false }],
      },
    })
    const text = { name: 'Ana', greeting: 'Hi', persona: { kind: 'text', attributes: { text: ['A pilot.'] } } }
    expect((await open(text)).data).toMatchObject({ description: 'A pilot.', first_mes: 'Hi' })
  })

  test('a card of V2 keeps a persona as an unknown field', async () => {
    const data = { name: 'Ana', description: 'd', first_mes: '', persona: { attributes: { a: ['b'] } } }
    expect((await open({ data })).data).toMatchObject({ ...data, creator_notes: '' })
  })

  test('two names of one field: one is used, the other stays', async () => {
    const { data } = await open({ char_name: 'Ana', char_greeting: 'one', greeting: 'two', name: null })
    expect(data).toMatchObject({ name: 'Ana', first_mes: 'one', greeting: 'two' })
  })

  test.each<[name: string, card: Record<string, unknown>]>([
    ['below the data', { data: { char_name: 'Ana', char_persona: 'd' } }],
    ['above empty data', { name: 'Ana', description: 'd', data: {} }],
    ['above data with extensions only', { name: 'Ana', description: 'd', data: { extensions: { a: 1 } } }],
    ['in the answer of a site', { ok: true, data: { spec: 'chara_card_v3', data: { name: 'Ana', description: 'd' } } }],
    ['for Backyard', { aiDisplayName: 'Ana', aiPersona: 'd', loreItems: [] }],
    ['for TextGen', { name: 'Ana', context: 'd' }],
  ])('finds the fields of a card %s', async (_name, card) => {
    expect((await open(card)).data).toMatchObject({ name: 'Ana', description: 'd' })
  })

  test('finds the notes of an old file of SillyTavern', async () => {
    const { data } = await open({ name: 'Ana', creatorcomment: 'n', talkativeness: '0.5', fav: 'false' })
    expect(data).toMatchObject({ creator_notes: 'n', talkativeness: '0.5', fav: 'false' })
  })

  const expectedEntry = { keys: ['a', 'b'], content: 'c' }
  test.each<[name: string, book: unknown, more: Record<string, unknown>]>([
    ['a list of entries', [{ keys: ['a', 'b'], content: 'c' }], {}],
    ['a map of entries', { 0: { key: 'a, b', content: 'c' } }, {}],
    [
      'a lorebook of RisuAI',
      {
        type: 'risu',
        ver: 1,
        data: [{ key: 'a, b', content: 'c', insertorder: 9, alwaysActive: true, secondkey: '' }],
      },
      { insertion_order: 9, constant: true, secondary_keys: [] },
    ],
    [
      'a lorebook of NovelAI',
      { lorebookVersion: 5, entries: [{ text: 'c', displayName: 'n', keys: ['a', 'b'], forceActivation: false }] },
      { name: 'n', constant: false },
    ],
    ['a lorebook of V3', { spec: 'lorebook_v3', data: { entries: [{ keys: ['a', 'b'], content: 'c' }] } }, {}],
    ['a lorebook of Backyard', [{ key: 'a, b', value: 'c', order: 'a0' }], { order: 'a0', insertion_order: 0 }],
    [
      'a memory of Agnai',
      { entries: [{ keywords: ['a', 'b'], entry: 'c', weight: 2, secondaryKeys: ['d'] }] },
      { insertion_order: 2, secondary_keys: ['d'] },
    ],
  ])('finds the entries of %s, in a card and in a lorebook', async (_name, book, more) => {
    const expected = { entries: [{ ...expectedEntry, ...more }] }
    expect((await open({ data: { name: 'Ana', character_book: book } })).data['character_book']).toMatchObject(expected)
    const [id, share] = [crypto.randomUUID(), crypto.randomUUID()]
    await anon.from('characters').insert({ id, name: 'Ana', lorebook: book }).throwOnError()
    const row = { id: share, resource_type: 'card_character', resource_id: id }
    await anon.from('shared_resources').insert(row).throwOnError()
    expect((await openCard(share)).data['character_book']).toMatchObject(expected)
  })

  test('values of other types in a book open as the values that they mean', async () => {
    const entries = [
      { insertion_order: '1e2', priority: '0.30000000000000004', position: 'BEFORE_CHAR', id: '-3' },
      { insertion_order: '.5', priority: '5.', position: ' afterCharacter ', id: '007' },
    ]
    const kept = { keys: [], content: '', enabled: true, extensions: {} }
    expect(entriesOf(await open(withEntries(entries)))).toEqual([
      { ...kept, insertion_order: 100, priority: 0.30000000000000004, position: 'before_char', id: -3 },
      { ...kept, insertion_order: 0.5, priority: 5, position: 'after_char', extensions: { id: '007' } },
    ])
  })

  test('false and an empty list mean nothing where they cannot be a value', async () => {
    const nothing = { tags: false, alternate_greetings: false, character_book: false, extensions: false }
    const { data } = await open({ data: { name: 'Ana', ...nothing, scenario: [], creator_notes: '' } })
    expect(data).toMatchObject({ tags: [], alternate_greetings: [], scenario: '', creator_notes: '' })
    expect(data).not.toHaveProperty('character_book')
  })

  test.each([
    '01_alternate_greetings_is_a_string',
    '02_book_entries_are_a_map',
    '03_v3_fields_in_a_v2_envelope',
    '04_v3_card',
    '06_nulls_everywhere',
    '08_empty_string_where_a_number_belongs',
    '12_positions_of_many_editors',
  ])('case %s, without a loss', async (name) => {
    const given = JSON.parse(readCase(name)) as Card
    const card = await open(given)
    // Everything that V2 does not name is as it was.
    for (const [key, value] of Object.entries(given.data.extensions)) expect(card.data.extensions[key]).toEqual(value)
    for (const key of ['nickname', 'assets', 'group_only_greetings', 'creation_date', 'source', 'alternative']) {
      expect(card.data[key]).toEqual(given.data[key])
    }
    const entries = Object.values((given.data['character_book'] as { entries?: object })?.entries ?? {})
    if (entries.length > 0) {
      expect(entriesOf(card).map(({ content }) => content)).toEqual(entries.map(({ content = '' }) => content))
    }
    // An opened card can be shared again, and opens as the same card.
    const again = await open(card)
    const { createdAt, updatedAt } = again.data.extensions
    const extensions = { ...card.data.extensions, createdAt, updatedAt }
    expect(again).toEqual({ ...card, data: { ...card.data, extensions } })
  })

  test('half an emoji is refused by PostgREST, and nothing is stored', async () => {
    const response = await fetch(`${api.url}/rest/v1/rpc/share_card`, {
      method: 'POST',
      headers: { apikey: api.anonKey, 'content-type': 'application/json' },
      body: `{"share_id":"${crypto.randomUUID()}","card":${readCase('10_half_a_surrogate_pair')}}`,
    })
    expect(response.status).toBe(400)
  })

  /** Changes that exporters make to a valid card. A V2 reader must find the same texts afterwards. */
  const mutations: ((card: Card) => void)[] = [
    (card) => Object.assign(card, { spec: 'chara_card_v3', spec_version: '3.0' }),
    (card) => Object.assign(card, { spec_version: 2 }),
    ({ data }) =>
      Object.assign(data, { character_version: Number.parseInt(String(data['character_version']), 10) || 0 }),
    ({ data }) => Object.assign(data, { tags: null }),
    ({ data }) => Object.assign(data, { alternate_greetings: Object.assign({}, data['alternate_greetings']) }),
    ({ data }) => {
      const list = (data['character_book'] as { entries?: Record<string, unknown>[] } | undefined)?.entries
      if (list === undefined) return
      const entries = list.map(({ keys, secondary_keys = [], insertion_order, enabled, ...entry }) => ({
        ...entry,
        key: keys,
        keysecondary: secondary_keys,
        order:
          String(insertion_order)
            .slice(0, 10)
            .replace(/[^\d].*$/, '') || '',
        disable: enabled === false ? 1 : 0,
        position: 4,
      }))
      Object.assign(data['character_book'] as object, { entries: Object.assign({}, entries) })
    },
  ]
  test('no change of an exporter loses a text or an unknown field', async () => {
    await fc.assert(
      fc.asyncProperty(cards, fc.subarray(mutations, { minLength: 1 }), async (generated, chosen) => {
        const before = JSON.parse(JSON.stringify(generated)) as Card
        const card = structuredClone(before)
        for (const mutate of chosen) mutate(card)
        const { data } = await open(card)
        for (const key of ['name', 'description', 'first_mes', 'mes_example', 'system_prompt', 'alternate_greetings']) {
          expect(data[key]).toEqual(before.data[key])
        }
        expect(data['nickname']).toEqual(before.data['nickname'])
        expect(data.extensions).toMatchObject(before.data.extensions)
        const entries = (before.data['character_book'] as { entries: Record<string, unknown>[] } | undefined)?.entries
        expect(entriesOf({ ...card, data: { character_book: { entries: [] }, ...data } } as Card)).toMatchObject(
          (entries ?? []).map(({ keys, content, enabled, unknown }) => ({
            keys,
            content,
            enabled,
            ...(unknown !== undefined && { unknown }),
          })),
        )
      }),
      { numRuns: 60 },
    )
  })
})

describe('a real card', () => {
  const base = { spec: 'chara_card_v2', spec_version: '2.0' }
  const v1 = { name: 'Mira', description: 'd', personality: '', scenario: '', first_mes: 'Hi', mes_example: '' }

  test('opens, from an editor that repeats the V1 fields, numbers positions in extensions and leaves nulls', async () => {
    const card = {
      ...base,
      ...v1,
      create_date: '2024-03-01 @12h 00m 00s 000ms',
      chat: null,
      talkativeness: '0.5',
      data: {
        ...v1,
        creator_notes: null,
        system_prompt: null,
        post_history_instructions: null,
        alternate_greetings: null,
        tags: null,
        creator: null,
        character_version: null,
        group_only_greetings: [],
        extensions: { depth_prompt: { prompt: '', depth: 4, role: 'system' }, fav: false, world: '' },
        character_book: {
          name: null,
          entries: [
            {
              id: 0,
              keys: ['sea', null],
              secondary_keys: null,
              comment: 'The sea',
              content: 'It is wide.',
              constant: false,
              selective: true,
              insertion_order: 100,
              enabled: true,
              position: '',
              use_regex: true,
              extensions: { position: 4, depth: 4, selectiveLogic: 0, vectorized: null },
            },
          ],
        },
      },
    }
    const { data, ...rest } = await openCard(await shareCard(card))
    expect(rest).toMatchObject({ ...v1, chat: null, talkativeness: '0.5' })
    expect(data).toMatchObject({
      ...v1,
      creator_notes: '',
      tags: [],
      alternate_greetings: [],
      group_only_greetings: [],
    })
    expect(data.extensions).toMatchObject(card.data.extensions)
    const entry: Record<string, unknown> = { ...card.data.character_book.entries[0], keys: ['sea'] }
    delete entry['secondary_keys']
    delete entry['position']
    expect(data['character_book']).toEqual({ extensions: {}, entries: [entry] })
  })

  test('opens, from a site that numbers positions and writes null for no book', async () => {
    const card = { ...base, data: { ...v1, character_book: null, extensions: { chub: { id: 12, full_path: 'a/b' } } } }
    const { data } = await openCard(await shareCard(card))
    expect(data).not.toHaveProperty('character_book')
    expect(data.extensions).toMatchObject(card.data.extensions)

    const entries = [0, 1, 2, 'after_char', undefined].map((position) => ({ keys: [], content: '', position }))
    const numbered = { ...base, data: { ...v1, character_book: { entries } } }
    const book = (await openCard(await shareCard(numbered))).data['character_book'] as {
      entries: { position?: string }[]
    }
    expect(book.entries.map((entry) => entry.position)).toEqual([
      'before_char',
      'after_char',
      undefined,
      'after_char',
      undefined,
    ])
  })

  test('opens, with a book of 200 KB', async () => {
    const entries = Array.from({ length: 400 }, (_entry, id) => ({
      id,
      keys: [`place ${id}`, `ort ${id}`],
      content: `${id} `.repeat(100),
      extensions: {},
      enabled: id % 2 === 0,
      insertion_order: id,
      position: 'after_char',
    }))
    const card = { ...base, data: { ...v1, character_book: { extensions: {}, entries } } }
    expect(JSON.stringify(card).length).toBeGreaterThan(200_000)
    expect((await openCard(await shareCard(card))).data['character_book']).toEqual(card.data.character_book)
  })
})

describe('cards that were inserted directly', () => {
  async function shareRow(table: string, resource_type: string, row: Record<string, unknown>) {
    const id = crypto.randomUUID()
    const shareId = crypto.randomUUID()
    await anon
      .from(table)
      .insert({ id, ...row })
      .throwOnError()
    return { shareId, ...(await anon.from('shared_resources').insert({ id: shareId, resource_type, resource_id: id })) }
  }

  test('a character opens with the constants of origin 000', async () => {
    const { shareId } = await shareRow('characters', 'card_character', {
      title: 'The pilot',
      name: 'Ana',
      description: 'd',
      example_dialogue: 'e',
      lorebook: { extensions: {}, entries: [] },
      tags: ['a', 'b'],
      creator: 'c',
      version: '1',
      card_summary: 's',
      conceptual_origin: 'o',
      icon_asset_id: iconId,
    })
    expect(await openCard(shareId)).toEqual({
      spec: 'chara_card_v2',
      spec_version: '2.0',
      data: {
        name: 'Ana',
        description: 'd',
        personality: '',
        scenario: '',
        first_mes: '',
        mes_example: 'e',
        creator_notes: 's',
        system_prompt: '',
        post_history_instructions: '',
        alternate_greetings: [],
        character_book: { extensions: {}, entries: [] },
        tags: ['a', 'b'],
        creator: 'c',
        character_version: '1',
        extensions: {
          title: 'The pilot',
          icon_url: iconUrl,
          cardSummary: 's',
          version: '1',
          conceptualOrigin: 'o',
          createdAt: expect.any(String),
          updatedAt: expect.any(String),
        },
      },
    })
  })

  test('a character with only a name opens', async () => {
    const { shareId } = await shareRow('characters', 'card_character', { name: '' })
    const { data } = await openCard(shareId)
    expect(data).not.toHaveProperty('character_book')
    expect(data).toMatchObject({ description: '', mes_example: '', creator_notes: '', tags: [] })
  })

  test('a scenario opens with its first messages as greetings', async () => {
    const first_messages = ['One', { name: 'b', description: 'Two' }, 'Three']
    const { shareId } = await shareRow('scenarios', 'card_scenario', { name: 'Storm', first_messages })
    expect((await openCard(shareId)).data).toMatchObject({
      name: 'Storm',
      first_mes: 'One',
      alternate_greetings: ['Two', 'Three'],
    })
  })

  test('a scenario opens with a text as its only greeting', async () => {
    const { shareId } = await shareRow('scenarios', 'card_scenario', { name: 'Storm', first_messages: 'One' })
    expect((await openCard(shareId)).data).toMatchObject({ first_mes: 'One', alternate_greetings: [] })
  })

  test('a first message without a text is refused, because it would be lost', async () => {
    const first_messages = ['One', { text: 'Two' }]
    const { status, error } = await anon
      .from('scenarios')
      .insert({ id: crypto.randomUUID(), name: 'Storm', first_messages })
    expect({ status, slug: error?.details }).toEqual({ status: 422, slug: 'card_invalid' })
    expect(error?.message).toContain('first_messages.1 ')
  })

  test('an insert of a lorebook of world info opens as a book of V2', async () => {
    const lorebook = { entries: { 0: { key: ['sea'], content: 'c', disable: true } } }
    const { shareId } = await shareRow('characters', 'card_character', { name: 'Ana', lorebook })
    expect((await openCard(shareId)).data['character_book']).toMatchObject({
      entries: [{ keys: ['sea'], content: 'c', enabled: false }],
    })
  })

  test.each(['characters', 'scenarios'])(
    'an insert into %s with an invalid lorebook is refused at once',
    async (table) => {
      const id = crypto.randomUUID()
      const { status, error } = await anon.from(table).insert({ id, name: 'Ana', lorebook: { entries: 7 } })
      expect({ status, slug: error?.details }).toEqual({ status: 422, slug: 'card_invalid' })
      expect(error?.message).toContain('data.character_book.entries')
      const client = await database.connect()
      expect((await client.query(`select from ${table} where id = $1`, [id])).rowCount).toBe(0)
    },
  )

  test('a card with an unknown icon is refused', async () => {
    const { error } = await anon
      .from('characters')
      .insert({ id: crypto.randomUUID(), name: 'Ana', icon_asset_id: crypto.randomUUID() })
    expect(error).toMatchObject({ code: '23503' })
  })

  test('a public card can be selected with its icon, as in origin 000', async () => {
    const card = { spec: 'chara_card_v2', spec_version: '2.0', data: { name: 'Public Ana' } }
    await shareCard(card, { icon_asset_id: iconId, visibility: 'public' })
    await shareCard({ ...card, data: { name: 'Hidden Ana' } }, { icon_asset_id: iconId })
    const { data } = await anon.from('characters').select('*, assets(*)').ilike('name', '% Ana').throwOnError()
    expect(data).toMatchObject([{ name: 'Public Ana', assets: { id: iconId, file_path: iconUrl } }])
  })
})
