import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  contentOf,
  type Document,
  type DramaApi,
  exampleDrama,
  isDrama,
  open,
  save,
  schema,
  smallDrama,
  startDramaApi,
} from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient
let ben: SupabaseClient

beforeAll(async () => {
  dramas = await startDramaApi()
  ;({ ana, ben } = dramas)
})
afterAll(() => dramas.stop())

test('saves the example of the docs unchanged', async () => {
  expect(isDrama(exampleDrama), JSON.stringify(isDrama.errors)).toBe(true)
  const { data, status } = await save(ana, { ...exampleDrama, updated_at: null })
  expect(status).toBe(200)
  expect(contentOf(data)).toEqual(contentOf(exampleDrama))
  expect(isDrama(data), JSON.stringify(isDrama.errors)).toBe(true)
})

test('changes nothing for an unchanged drama, and refuses a drama that has changed since it was read', async () => {
  const { data } = await save(ana, smallDrama())
  expect((await save(ana, data)).data).toEqual(data)
  const second = await save(ana, { ...data, title: 'Second' })
  expect(second.data.updated_at).not.toBe(data.updated_at)
  expect(await save(ana, { ...data, title: 'Lost' })).toMatchObject({
    status: 409,
    error: { details: 'drama_changed' },
  })
  const { updated_at: _, ...without } = second.data
  expect(await save(ana, without)).toMatchObject({
    status: 409,
    error: { details: 'drama_changed', message: expect.stringContaining('updated_at is missing') },
  })
  expect((await open(ana, data.id)).data.title).toBe('Second')
})

test.each(['characters', 'episodes', 'scenes'])(
  'raises updated_at when only the last of the %s is deleted',
  async (list) => {
    const { data } = await save(ana, {
      characters: [{ name: 'A' }],
      episodes: [{ title: 'One', scenes: [{ text: 'S' }] }, { title: 'Two' }],
    })
    const [first, second] = data.episodes
    const without = {
      characters: { characters: [] },
      episodes: { episodes: [first] },
      scenes: { episodes: [{ ...first, scenes: [] }, second] },
    }[list]
    const etag = async () =>
      (await dramas.send(dramas.users.ana, `rpc/get_drama_complete?drama_id=${data.id}`)).headers.get('etag')
    const before = await etag()
    const saved = await save(ana, { ...data, ...without })
    expect(saved.error).toBeNull()
    expect(saved.data).toMatchObject(without as object)
    expect(Date.parse(saved.data.updated_at)).toBeGreaterThanOrEqual(Date.parse(data.updated_at))
    expect(saved.data.updated_at).not.toBe(data.updated_at)
    expect(await etag()).not.toBe(before)
    expect(await save(ana, data)).toMatchObject({ status: 409, error: { details: 'drama_changed' } })
  },
)

test('stores one of ten simultaneous saves and refuses the others', async () => {
  const { data } = await save(ana, smallDrama())
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      save(ana, { ...data, title: `Title ${n}`, episodes: [{ title: `Episode ${n}` }] }),
    ),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)])
  const winner = answers.find(({ status }) => status === 200)?.data
  expect((await open(ana, data.id)).data).toEqual(winner)
  const created = crypto.randomUUID()
  const twins = await Promise.all(Array.from({ length: 5 }, () => save(ana, { ...smallDrama(), id: created })))
  expect(twins.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409])
})

const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)
test.each<[string, unknown, number, string]>([
  ['a list', [], 422, 'Invalid drama: must be an object.'],
  ['null', null, 422, 'Invalid drama: must be an object.'],
  ['a text', 'drama', 422, 'Invalid drama: must be an object.'],
  ['an unknown field', { titel: 'x' }, 422, 'Invalid drama: unknown field "titel".'],
  ['a number for a text', { title: 1 }, 422, '"title" must be a text'],
  ['null for a text', { title: null }, 422, '"title" must be a text'],
  ['a long title', { title: 'x'.repeat(501) }, 422, 'up to 500'],
  ['an id that is not a UUID', { id: 'x' }, 422, '"id" must be a UUID'],
  ['a javascript: URL', { cover_url: 'javascript:alert(1)' }, 422, '"cover_url" must be an http(s) URL'],
  ['a URL with a space', { characters: [{ portrait_url: 'https://a b' }] }, 422, 'characters[0]: "portrait_url"'],
  ['a long URL', { cover_url: `https://x/${'x'.repeat(2000)}` }, 422, '"cover_url"'],
  ['a character that is a text', { characters: ['x'] }, 422, 'characters[0]: must be an object'],
  ['an object for a list', { episodes: {} }, 422, '"episodes" must be a list'],
  ['a scene that is null', { episodes: [{ scenes: [null] }] }, 422, 'episodes[0].scenes[0]: must be an object'],
  ['scenes that are a number', { episodes: [{ scenes: 1 }] }, 422, 'episodes[0]: "scenes"'],
  ['a list for extra', { extra: [] }, 422, '"extra" must be an object'],
  ['a time that is a word', { updated_at: 'now' }, 422, '"updated_at" must be a time'],
  ['an empty external id', { external_id: '' }, 422, '"external_id"'],
  ['201 characters', { characters: Array(201).fill({}) }, 422, 'a list of up to 200'],
  ['an id twice', { episodes: [{ id: exampleDrama.id }, { id: exampleDrama.id.toUpperCase() }] }, 422, 'occurs twice'],
  [
    'a character id of another drama',
    { episodes: [{ scenes: [{ character_ids: [exampleDrama.id] }] }] },
    422,
    'is not the id of a character',
  ],
  [
    'character ids that are numbers',
    { episodes: [{ scenes: [{ character_ids: [1] }] }] },
    422,
    '"character_ids" must be a list',
  ],
  [
    'character ids that are a text',
    { episodes: [{ scenes: [{ character_ids: 'x' }] }] },
    422,
    '"character_ids" must be a list',
  ],
  ['\\u0000 in a text', { title: 'a\u0000b' }, 400, ''],
  ['\\u0000 in extra', { extra: { a: '\u0000' } }, 400, ''],
  ['\\u0000 in a key', { extra: { 'a\u0000': 1 } }, 400, ''],
  ['a time in month 13', { updated_at: '2026-13-01T00:00:00Z' }, 422, '"updated_at" must be a time'],
  ['a time on February 31', { updated_at: '2026-02-31T00:00:00Z' }, 422, '"updated_at" must be a time'],
  [
    'a time in an impossible time zone',
    { updated_at: '2026-02-21T00:00:00+99:99' },
    422,
    '"updated_at" must be a time',
  ],
  [
    'a URL with white space outside ASCII',
    { cover_url: 'https://a\u2003b\ufeff' },
    422,
    '"cover_url" must be an http(s) URL',
  ],
  [
    'one scene too many in all episodes together',
    { episodes: [...Array(5).fill({ scenes: Array(400).fill({}) }), { scenes: [{}] }] },
    422,
    'more than 2000 scenes',
  ],
  ['as many scenes as a drama may have', { episodes: Array(5).fill({ scenes: Array(400).fill({}) }) }, 200, ''],
  ['more than 4 MiB', { extra: {}, title: 'x'.repeat(4_800_000) }, 413, '4 MiB'],
  [
    'more than 4 MiB in the form in which it is read',
    { episodes: Array(4).fill({ scenes: Array(500).fill({ text: 'x'.repeat(1900) }) }) },
    413,
    '4 MiB',
  ],
  ['a large extra', { extra: { a: 'x'.repeat(270_000) } }, 422, '"extra"'],
  ['an extra of 99 levels', { extra: deep(99) }, 200, ''],
  ['an extra of 100 levels', { extra: deep(100) }, 400, '100 levels'],
])('accepts or refuses a document: %s', async (_what, drama, status, message) => {
  const before = await ana.from('dramas').select('id', { count: 'exact', head: true })
  const answer = await save(ana, drama)
  expect(answer.status, JSON.stringify(answer.error)).toBe(status)
  if (status === 422) expect(answer.error).toMatchObject({ details: 'drama_invalid' })
  if (message) expect(answer.error?.message).toContain(message)
  const after = await ana.from('dramas').select('id', { count: 'exact', head: true })
  expect(after.count).toBe((before.count ?? 0) + (status === 200 ? 1 : 0))
})

test('accepts a field at each limit of the schema, and refuses it beyond', async () => {
  const limits = (at: Document): [string, unknown, unknown][] =>
    Object.entries<Document>(at.properties).flatMap(([key, { $ref }]): [string, unknown, unknown][] => {
      const name = $ref?.replace('#/$defs/', '')
      const { maxLength, maxItems } = schema.$defs[name] ?? {}
      if (name === 'external_id') return []
      if (name === 'http_url') {
        const url = (length: number) => `https://x/${'x'.repeat(length - 10)}`
        return [[key, url(maxLength), url(maxLength + 1)]]
      }
      if (maxLength !== undefined) return [[key, 'x'.repeat(maxLength), 'x'.repeat(maxLength + 1)]]
      if (maxItems !== undefined && key !== 'character_ids')
        return [[key, Array(maxItems).fill({}), Array(maxItems + 1).fill({})]]
      return []
    })
  const inside: Record<string, (part: object) => object> = {
    drama: (part) => part,
    character: (part) => ({ characters: [part] }),
    episode: (part) => ({ episodes: [part] }),
    scene: (part) => ({ episodes: [{ scenes: [part] }] }),
  }
  let checked = 0
  for (const [kind, wrap] of Object.entries(inside)) {
    for (const [key, fits, exceeds] of limits(kind === 'drama' ? schema : schema.$defs[kind])) {
      expect(isDrama(wrap({ [key]: fits })), key).toBe(true)
      expect((await save(ana, wrap({ [key]: fits }))).status, key).toBe(200)
      expect(isDrama(wrap({ [key]: exceeds })), key).toBe(false)
      expect(await save(ana, wrap({ [key]: exceeds })), key).toMatchObject({
        status: 422,
        error: { details: 'drama_invalid' },
      })
      checked += 1
    }
  }
  expect(checked).toBeGreaterThan(25)
})

test('saves in time as many ids as fit into 4 MiB', async () => {
  const characters = Array.from({ length: 200 }, () => ({ id: crypto.randomUUID() }))
  const character_ids = characters.map((one) => one.id)
  const { error, data } = await save(ana, { characters, episodes: [{ scenes: Array(490).fill({ character_ids }) }] })
  expect(error).toBeNull()
  expect(data.episodes[0].scenes[489].character_ids).toEqual(character_ids)
})

test('refuses JSON that is too deep to parse', async () => {
  const body = `{"drama":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  expect((await dramas.send(dramas.users.ana, 'rpc/save_drama_complete', {}, body)).status).toBe(400)
})

test('does not insert a drama again that was deleted since it was read', async () => {
  const { data } = await save(ana, smallDrama())
  expect((await ana.rpc('delete_drama', { drama_id: data.id })).error).toBeNull()
  expect(await save(ana, { ...data, title: 'Again' })).toMatchObject({
    status: 409,
    error: { details: 'drama_changed' },
  })
  expect((await open(ana, data.id)).status).toBe(404)
  // Without updated_at it is a new drama.
  const { updated_at: _, ...fresh } = data
  expect((await save(ana, fresh)).status).toBe(200)
})

test('refuses an external_id that another drama of the owner has, on insert and on update', async () => {
  const external_id = crypto.randomUUID()
  const taken = { status: 409, error: { details: 'external_id_taken' } }
  expect((await save(ana, { external_id })).status).toBe(200)
  expect(await save(ana, { external_id })).toMatchObject(taken)
  expect(await save(ana, { id: crypto.randomUUID(), external_id })).toMatchObject(taken)
  const { data } = await save(ana, { title: 'Other' })
  expect(await save(ana, { ...data, external_id })).toMatchObject(taken)
  expect((await open(ana, data.id)).data).toEqual(data)
  expect((await save(ben, { external_id })).status).toBe(200)
})
