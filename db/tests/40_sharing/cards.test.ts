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
    ['a V1 card', { name: 'Ana' }, 'spec'],
    ['a V3 card', { ...bare, spec: 'chara_card_v3', spec_version: '3.0' }, 'spec'],
    ['a version as a number', { ...bare, spec_version: 2.0 }, 'spec_version'],
    ['another version', { ...bare, spec_version: '3.0' }, 'spec_version'],
    ['no data', { spec: 'chara_card_v2', spec_version: '2.0' }, 'data'],
    ['data that is a list', { ...bare, data: [] }, 'data'],
    ['no name', { ...bare, data: {} }, 'data.name'],
    ['a name that is null', { ...bare, data: { name: null } }, 'data.name'],
    ['a description that is a number', { ...bare, data: { name: 'Ana', description: 1 } }, 'data.description'],
    ['tags that are a string', { ...bare, data: { name: 'Ana', tags: 'a, b' } }, 'data.tags'],
    ['a tag that is a number', { ...bare, data: { name: 'Ana', tags: ['a', 1] } }, 'data.tags'],
    ['extensions that are a list', { ...bare, data: { name: 'Ana', extensions: [] } }, 'data.extensions'],
    ['a book that is a list', withBook([]), 'data.character_book'],
    ['entries that are an object', withBook({ entries: {} }), 'data.character_book.entries'],
    ['an entry that is a number', withBook({ entries: [{}, 5] }), 'data.character_book.entries'],
    ['keys that are a string', withBook({ entries: [{}, { keys: 'a' }] }), 'data.character_book.entries.1.keys'],
    ['an id that is a string', withBook({ entries: [{ id: '7' }] }), 'data.character_book.entries.0.id'],
    ['a position of no name', withBook({ entries: [{ position: 'top' }] }), 'data.character_book.entries.0.position'],
    ['enabled that is a number', withBook({ entries: [{ enabled: 1 }] }), 'data.character_book.entries.0.enabled'],
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

  test('sharing a card with an invalid lorebook is refused, and the message names the field', async () => {
    const { status, error } = await shareRow('characters', 'card_character', {
      name: 'Ana',
      lorebook: { entries: 'x' },
    })
    expect({ status, slug: error?.details }).toEqual({ status: 422, slug: 'card_invalid' })
    expect(error?.message).toContain('data.character_book.entries')
  })

  test('a card with an unknown icon is refused', async () => {
    const { error } = await anon.from('characters').insert({ name: 'Ana', icon_asset_id: crypto.randomUUID() })
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
