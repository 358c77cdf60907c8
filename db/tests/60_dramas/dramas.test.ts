import { readFile } from 'node:fs/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

let database: TestDatabase
let api: Api
let ana: SupabaseClient
let ben: SupabaseClient
let service: SupabaseClient
const ajv = addFormats.default(new Ajv2020({ allErrors: true }))
const docs = async (name: string) =>
  JSON.parse(await readFile(new URL(`../../../docs/${name}`, import.meta.url), 'utf8'))
const schema = await docs('drama.schema.json')
const isDrama = ajv.compile(schema)
const example = await docs('drama.example.json')
const anaUser = { id: crypto.randomUUID(), email: 'ana@example.com' }
const benUser = { id: crypto.randomUUID(), email: 'ben@example.com' }

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  await client.query('update app.settings set drama_writes_per_minute = 1000000')
  for (const { id, email } of [anaUser, benUser]) {
    await client.query('insert into auth.users (id, email) values ($1, $2)', [id, email])
  }
  api = await startApi(database)
  const as = (user: typeof anaUser) =>
    createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
  ana = as(anaUser)
  ben = as(benUser)
  service = createClient(api.url, api.serviceKey)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

const save = async (client: SupabaseClient, drama: unknown, more: object = {}) =>
  client.rpc('save_drama_complete', { drama, ...more })
const open = async (client: SupabaseClient, drama_id: string) =>
  client.rpc('get_drama_complete', { drama_id }, { get: true })

/** A request as a client without a library makes it. */
async function send(user: typeof anaUser, path: string, headers: Record<string, string> = {}, body?: string) {
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      apikey: api.anonKey,
      authorization: `Bearer ${await api.tokenFor(user)}`,
      'content-type': 'application/json',
      ...headers,
    },
    ...(body !== undefined && { body }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const small = () => {
  const [anaId, boId] = [crypto.randomUUID(), crypto.randomUUID()]
  return {
    id: crypto.randomUUID(),
    title: 'The lighthouse',
    characters: [
      { id: anaId, name: 'Ana' },
      { id: boId, name: 'Bo' },
    ],
    episodes: [
      {
        id: crypto.randomUUID(),
        title: 'One',
        scenes: [{ id: crypto.randomUUID(), text: 'Night.', character_ids: [boId] }],
      },
      { id: crypto.randomUUID(), title: 'Two', scenes: [] },
    ],
  }
}

/** The document as it is once it is saved: ids and texts filled in, what nobody can save left out. */
// biome-ignore lint/suspicious/noExplicitAny: any document
type Any = any
const content = (drama: Any) => ({
  ...drama,
  options: 0,
  run_id: 0,
  created_at: 0,
  updated_at: 0,
  characters: drama.characters.map((character: Any) => ({ ...character, portrait_job_id: 0 })),
  episodes: drama.episodes.map((episode: Any) => ({
    ...episode,
    scenes: episode.scenes.map((scene: Any) => ({ ...scene, image_job_id: 0, video_job_id: 0 })),
  })),
})

const text = (length: number) =>
  fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .map((value) => [...value.replaceAll('\u0000', '')].slice(0, length).join(''))
const url = fc.option(
  fc.webUrl({ withQueryParameters: true }).filter((value) => /^https?:\/\/[^\s"<>]+$/.test(value)),
  { nil: null },
)
const id = fc.uuid()
const extra = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('\\u0000', '')))
const dramas = fc
  .record({
    id,
    external_id: fc.option(fc.uuid(), { nil: null }),
    title: text(500),
    premise: text(500),
    logline: text(500),
    genre: text(200),
    language: text(100),
    style: text(500),
    model: text(100),
    cover_url: url,
    extra,
    characters: fc.uniqueArray(
      fc.record({
        id,
        name: text(500),
        role: text(500),
        description: text(500),
        appearance: text(500),
        portrait_url: url,
        extra,
      }),
      { maxLength: 5, selector: (one) => one.id },
    ),
    episodes: fc.uniqueArray(
      fc.record({
        id,
        title: text(500),
        summary: text(500),
        script: text(500),
        extra,
        scenes: fc.uniqueArray(
          fc.record({
            id,
            title: text(500),
            summary: text(500),
            text: text(500),
            image_prompt: text(500),
            video_prompt: text(500),
            image_url: url,
            video_url: url,
            audio_url: url,
            extra,
            who: fc.array(fc.nat(20), { maxLength: 3 }),
          }),
          { maxLength: 4, selector: (one) => one.id },
        ),
      }),
      { maxLength: 4, selector: (one) => one.id },
    ),
  })
  .map((drama) => ({
    ...drama,
    episodes: drama.episodes.map((episode) => ({
      ...episode,
      scenes: episode.scenes.map(({ who, ...scene }) => ({
        ...scene,
        character_ids: drama.characters.length
          ? [...new Set(who.map((one) => drama.characters[one % drama.characters.length]?.id))]
          : [],
      })),
    })),
  }))

describe('a drama', () => {
  test('is saved and opened as one document, with an ETag, and 304 while nothing has changed', async () => {
    const saved = await save(ana, small())
    expect(saved.status, JSON.stringify(saved)).toBe(200)
    const path = `rpc/get_drama_complete?drama_id=${saved.data.id}`
    const first = await send(anaUser, path)
    expect(first.status).toBe(200)
    expect(JSON.parse(first.text)).toEqual(saved.data)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"\d{16}"$/)
    expect(first.headers.get('cache-control')).toBe('private, no-cache')
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await send(anaUser, path, { 'if-none-match': tag })
      expect(again).toMatchObject({ status: 304, text: '' })
      expect(again.headers.get('etag')).toBe(etag)
    }
    expect((await send(anaUser, path, { 'if-none-match': '"1"' })).status).toBe(200)
  })

  test('the example in docs fits the schema, and is saved as it stands', async () => {
    expect(isDrama(example), JSON.stringify(isDrama.errors)).toBe(true)
    const { data, status } = await save(ana, { ...example, updated_at: null })
    expect(status).toBe(200)
    expect(content(data)).toEqual(content(example))
    expect(isDrama(data), JSON.stringify(isDrama.errors)).toBe(true)
  })

  test('what is saved is what opens: first from its rows, and again changed into any other', async () => {
    await fc.assert(
      fc.asyncProperty(dramas, dramas, fc.nat(1000), async (first, second, seed) => {
        const saved = await save(ana, first)
        expect(saved.status, JSON.stringify(saved.error)).toBe(200)
        expect(isDrama(saved.data), JSON.stringify(isDrama.errors)).toBe(true)
        expect(content(saved.data)).toEqual(content({ ...saved.data, ...first }))
        expect((await open(ana, first.id)).data).toEqual(saved.data)

        // The second one takes over some of the first: kept, moved, changed.
        const keep = <T extends { id: string }>(olds: T[], news: T[]) =>
          [...news, ...olds.filter((_one, n) => (seed + n) % 3 > 0)].sort((a, b) =>
            (seed % 2 ? a : b).id < (seed % 2 ? b : a).id ? -1 : 1,
          )
        const changed = {
          ...second,
          id: first.id,
          updated_at: saved.data.updated_at,
          characters: keep(first.characters, second.characters),
          episodes: keep(first.episodes, second.episodes),
        }
        const ids = changed.characters.map((character) => character.id)
        // Scenes wander through the episodes.
        const scenes = changed.episodes.flatMap((episode) => episode.scenes).reverse()
        changed.episodes = changed.episodes.map((episode, n) => ({
          ...episode,
          scenes: scenes
            .filter((_scene, m) => m % changed.episodes.length === n)
            .map((scene) => ({
              ...scene,
              character_ids: scene.character_ids.filter((one) => ids.includes(one ?? '')),
            })),
        }))
        const again = await save(ana, changed)
        expect(again.status, JSON.stringify(again.error)).toBe(200)
        expect(content(again.data)).toEqual(content({ ...again.data, ...changed }))
        const client = await database.connect()
        await client.query('delete from app.drama_packages where drama_id = $1', [first.id])
        await client.end()
        expect((await open(ana, first.id)).data).toEqual(again.data)
      }),
      { numRuns: 40 },
    )
  }, 90_000)

  test('saving what stands there changes nothing; what has changed meanwhile is a 409', async () => {
    const { data } = await save(ana, small())
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

  test('ten who save at once: one is first, the others learn that they are not', async () => {
    const { data } = await save(ana, small())
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        save(ana, { ...data, title: `Title ${n}`, episodes: [{ title: `Episode ${n}` }] }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)])
    const winner = answers.find(({ status }) => status === 200)?.data
    expect((await open(ana, data.id)).data).toEqual(winner)
    const created = crypto.randomUUID()
    const twins = await Promise.all(Array.from({ length: 5 }, () => save(ana, { ...small(), id: created })))
    expect(twins.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409])
  })

  test('a changed row makes the package and the ETag stale, whoever changes it', async () => {
    const { data } = await save(ana, small())
    const client = await database.connect()
    await client.query("update scenes set text = 'Day.' where drama_id = $1", [data.id])
    const opened = await open(ana, data.id)
    expect(opened.data.episodes[0].scenes[0].text).toBe('Day.')
    expect(opened.data.updated_at).not.toBe(data.updated_at)
    await client.query('delete from drama_characters where drama_id = $1', [data.id])
    expect((await open(ana, data.id)).data.characters).toEqual([])
  })
})

describe('who is not the owner', () => {
  test('reads nothing and changes nothing, and learns nothing', async () => {
    const { data } = await save(ana, small())
    const missing = { status: 404, error: { code: 'PT404', details: 'drama_not_found' } }
    const unknown = await open(ben, crypto.randomUUID())
    expect(unknown).toMatchObject(missing)
    expect(await open(ben, data.id)).toEqual(unknown)
    expect(await save(ben, { ...data, title: 'Mine' })).toMatchObject(missing)
    expect((await ben.rpc('delete_drama', { drama_id: data.id })).error).toEqual(
      (await ben.rpc('delete_drama', { drama_id: crypto.randomUUID() })).error,
    )
    const own = small()
    const stolen = [
      { ...own, characters: [{ id: data.characters[0].id }], episodes: [] },
      { ...own, episodes: [{ id: data.episodes[0].id }] },
      { ...own, episodes: [{ title: 'x', scenes: [{ id: data.episodes[0].scenes[0].id }] }] },
      { ...own, episodes: [{ id: data.episodes[0].id, scenes: [{ id: data.episodes[0].scenes[0].id }] }] },
    ]
    for (const drama of stolen) {
      expect(await save(ben, drama)).toMatchObject(missing)
      // Neither may a drama take what is another one's of the same owner.
      expect(await save(ana, drama)).toMatchObject(missing)
    }
    expect((await open(ben, own.id)).status).toBe(404)
    for (const table of ['dramas', 'drama_characters', 'episodes', 'scenes']) {
      expect((await ben.from(table).select('*')).data).toEqual([])
      expect((await ben.from(table).delete().neq('id', crypto.randomUUID())).status).toBe(403)
      expect((await ana.from(table).update({ title: 'x' }).eq('id', data.id)).status).toBeGreaterThanOrEqual(400)
    }
    expect((await ben.rpc('list_dramas')).data).toEqual({ dramas: [], next: null })
    expect((await save(ben, small(), { owner_id: anaUser.id })).error).toMatchObject({ details: 'owner_not_found' })
    expect((await open(ana, data.id)).data).toEqual(data)
  })

  test('is nobody: anonymous callers may do none of it', async () => {
    const anon = createClient(api.url, api.anonKey)
    const calls = [
      anon.rpc('get_drama_complete', { drama_id: crypto.randomUUID() }),
      anon.rpc('save_drama_complete', { drama: {} }),
      anon.rpc('list_dramas'),
      anon.rpc('delete_drama', { drama_id: crypto.randomUUID() }),
      anon.rpc('generate_drama', { premise: 'x' }),
      anon.rpc('regenerate_asset', { target_id: crypto.randomUUID(), kind: 'image' }),
      anon.from('dramas').select('id'),
      anon.from('dramas').insert({ premise: 'x' }),
    ]
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(calls.map(() => 401))
    expect((await anon.from('ai_models').select('name').eq('kind', 'text')).data).toContainEqual({
      name: 'gemini-3-pro-preview',
    })
  })

  test('is service_role, which names the owner', async () => {
    const { data } = await save(service, small(), { owner_id: anaUser.id })
    expect((await open(ana, data.id)).data).toEqual(data)
    expect((await open(service, data.id)).data).toEqual(data)
    expect(await save(service, small())).toMatchObject({ status: 422, error: { details: 'owner_missing' } })
    expect(await save(service, small(), { owner_id: crypto.randomUUID() })).toMatchObject({ status: 404 })
    expect(await save(service, data, { owner_id: benUser.id })).toMatchObject({ status: 404 })
  })
})

describe('bad input', () => {
  const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)
  test.each<[string, unknown, number, string]>([
    ['no object', [], 422, 'Invalid drama: must be an object.'],
    ['null', null, 422, 'Invalid drama: must be an object.'],
    ['a text', 'drama', 422, 'Invalid drama: must be an object.'],
    ['an unknown field', { titel: 'x' }, 422, 'Invalid drama: unknown field "titel".'],
    ['a number for a text', { title: 1 }, 422, '"title" must be a text'],
    ['null for a text', { title: null }, 422, '"title" must be a text'],
    ['a long title', { title: 'x'.repeat(501) }, 422, 'up to 500'],
    ['an id that is none', { id: 'x' }, 422, '"id" must be a UUID'],
    ['a script for a URL', { cover_url: 'javascript:alert(1)' }, 422, '"cover_url" must be an http(s) URL'],
    ['a URL with a space', { characters: [{ portrait_url: 'https://a b' }] }, 422, 'characters[0]: "portrait_url"'],
    ['a long URL', { cover_url: `https://x/${'x'.repeat(2000)}` }, 422, '"cover_url"'],
    ['a character that is none', { characters: ['x'] }, 422, 'characters[0]: must be an object'],
    ['an object for a list', { episodes: {} }, 422, '"episodes" must be a list'],
    ['a scene that is none', { episodes: [{ scenes: [null] }] }, 422, 'episodes[0].scenes[0]: must be an object'],
    ['scenes that are no list', { episodes: [{ scenes: 1 }] }, 422, 'episodes[0]: "scenes"'],
    ['a list for extra', { extra: [] }, 422, '"extra" must be an object'],
    ['a time that is none', { updated_at: 'now' }, 422, '"updated_at" must be a time'],
    ['an empty external id', { external_id: '' }, 422, '"external_id"'],
    ['201 characters', { characters: Array(201).fill({}) }, 422, 'a list of up to 200'],
    ['an id twice', { episodes: [{ id: example.id }, { id: example.id.toUpperCase() }] }, 422, 'occurs twice'],
    [
      'who is none of them',
      { episodes: [{ scenes: [{ character_ids: [example.id] }] }] },
      422,
      'is not the id of a character',
    ],
    ['ids that are none', { episodes: [{ scenes: [{ character_ids: [1] }] }] }, 422, '"character_ids" must be a list'],
    ['a text for ids', { episodes: [{ scenes: [{ character_ids: 'x' }] }] }, 422, '"character_ids" must be a list'],
    ['\\u0000 in a text', { title: 'a\u0000b' }, 400, ''],
    ['\\u0000 in extra', { extra: { a: '\u0000' } }, 400, ''],
    ['\\u0000 in a key', { extra: { 'a\u0000': 1 } }, 400, ''],
    ['a month that is none', { updated_at: '2026-13-01T00:00:00Z' }, 422, '"updated_at" must be a time'],
    ['a day that is none', { updated_at: '2026-02-31T00:00:00Z' }, 422, '"updated_at" must be a time'],
    ['a zone that is none', { updated_at: '2026-02-21T00:00:00+99:99' }, 422, '"updated_at" must be a time'],
    ['a URL with another space', { cover_url: 'https://a\u2003b\ufeff' }, 422, '"cover_url" must be an http(s) URL'],
    [
      'too many scenes in all',
      { episodes: [...Array(5).fill({ scenes: Array(400).fill({}) }), { scenes: [{}] }] },
      422,
      'more than 2000 scenes',
    ],
    ['as many scenes as may be', { episodes: Array(5).fill({ scenes: Array(400).fill({}) }) }, 200, ''],
    ['more than 4 MiB', { extra: {}, title: 'x'.repeat(4_800_000) }, 413, '4 MiB'],
    [
      'more than 4 MiB as it would be read',
      { episodes: Array(4).fill({ scenes: Array(500).fill({ text: 'x'.repeat(1900) }) }) },
      413,
      '4 MiB',
    ],
    ['a large extra', { extra: { a: 'x'.repeat(270_000) } }, 422, '"extra"'],
    ['a deep extra', { extra: deep(1000) }, 200, ''],
  ])('%s', async (_what, drama, status, message) => {
    const before = await ana.from('dramas').select('id', { count: 'exact', head: true })
    const answer = await save(ana, drama)
    expect(answer.status, JSON.stringify(answer.error)).toBe(status)
    if (status === 422) expect(answer.error).toMatchObject({ details: 'drama_invalid' })
    if (message) expect(answer.error?.message).toContain(message)
    const after = await ana.from('dramas').select('id', { count: 'exact', head: true })
    expect(after.count).toBe((before.count ?? 0) + (status === 200 ? 1 : 0))
  })

  test('every limit of the schema is the limit here', async () => {
    const limits = (at: Any): [string, unknown, unknown][] =>
      Object.entries<Any>(at.properties).flatMap(([key, { $ref }]): [string, unknown, unknown][] => {
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

  test('as many ids as 4 MiB hold are saved in time', async () => {
    const characters = Array.from({ length: 200 }, () => ({ id: crypto.randomUUID() }))
    const character_ids = characters.map((one) => one.id)
    const { error, data } = await save(ana, { characters, episodes: [{ scenes: Array(490).fill({ character_ids }) }] })
    expect(error).toBeNull()
    expect(data.episodes[0].scenes[489].character_ids).toEqual(character_ids)
  }, 20_000)

  test('what is too deep to be read is a 4xx', async () => {
    const body = `{"drama":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    expect((await send(anaUser, 'rpc/save_drama_complete', {}, body)).status).toBe(413)
  })
})

describe('conflicts', () => {
  test('what was deleted since it was opened is not made again', async () => {
    const { data } = await save(ana, small())
    expect((await ana.rpc('delete_drama', { drama_id: data.id })).error).toBeNull()
    expect(await save(ana, { ...data, title: 'Again' })).toMatchObject({
      status: 409,
      error: { details: 'drama_changed' },
    })
    expect((await open(ana, data.id)).status).toBe(404)
    // As a new one it may be saved.
    const { updated_at: _, ...fresh } = data
    expect((await save(ana, fresh)).status).toBe(200)
  })

  test('an external_id is one drama’s, by inserting and by updating, and each owner’s own', async () => {
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
})

describe('list_dramas', () => {
  test('goes through all of them, newest first, page by page', async () => {
    const client = await database.connect()
    const cleo = { id: crypto.randomUUID(), email: 'cleo@example.com' }
    await client.query('insert into auth.users (id, email) values ($1, $2)', [cleo.id, cleo.email])
    // Many at the same moment, so that the id decides.
    await client.query(
      `insert into dramas (owner_id, title, created_at)
       select $1, n::text, timestamptz '2026-01-01' + (n / 10) * interval '1 second' from generate_series(1, 45) as n`,
      [cleo.id],
    )
    const user = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(cleo) })
    const seen: string[] = []
    let after: string | null = null
    let pages = 0
    do {
      const page: Any = await user.rpc('list_dramas', { page_size: 10, after })
      expect(page.error).toBeNull()
      seen.push(...page.data.dramas.map((drama: { id: string }) => drama.id))
      after = page.data.next
      pages += 1
    } while (after !== null)
    const { rows } = await client.query('select id from dramas where owner_id = $1 order by created_at desc, id desc', [
      cleo.id,
    ])
    expect(seen).toEqual(rows.map((row) => row.id))
    expect(pages).toBe(5)
    for (const page of [{ page_size: 0 }, { page_size: 101 }, { after: 'x' }, { after: '1_x' }, { page_size: null }]) {
      expect(await user.rpc('list_dramas', page)).toMatchObject({ status: 422, error: { details: 'page_invalid' } })
    }
    expect((await user.from('dramas').select('id, title').order('title').limit(1)).data).toMatchObject([{ title: '1' }])
  })
})

test('a user who goes takes their dramas along', async () => {
  const client = await database.connect()
  const eve = { id: crypto.randomUUID(), email: 'eve@example.com' }
  await client.query('insert into auth.users (id, email) values ($1, $2)', [eve.id, eve.email])
  const user = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(eve) })
  await save(user, small())
  expect((await user.rpc('generate_drama', { premise: 'x' })).status).toBe(200)
  await client.query('delete from auth.users where id = $1', [eve.id])
  for (const table of ['dramas', 'drama_characters', 'episodes', 'scenes']) {
    expect((await client.query(`select from ${table} where owner_id = $1`, [eve.id])).rowCount).toBe(0)
  }
  expect(
    (await client.query('select from app.drama_runs where drama_id not in (select id from dramas)')).rowCount,
  ).toBe(0)
})

describe('limits', () => {
  test('saving and generating are limited per user, and what is refused changes nothing', async () => {
    const client = await database.connect()
    const dora = { id: crypto.randomUUID(), email: 'dora@example.com' }
    await client.query('insert into auth.users (id, email) values ($1, $2)', [dora.id, dora.email])
    const user = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(dora) })
    await client.query(
      'update app.settings set drama_writes_per_minute = 2, dramas_per_day = 1, drama_assets_per_day = 1',
    )
    try {
      expect((await save(user, small())).status).toBe(200)
      const { data } = await save(user, small())
      const third = await send(dora, 'rpc/save_drama_complete', {}, JSON.stringify({ drama: small() }))
      expect(third.status).toBe(429)
      expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await user.rpc('generate_drama', { premise: 'x' })).status).toBe(200)
      expect((await user.rpc('generate_drama', { premise: 'x' })).status).toBe(429)
      expect((await user.from('dramas').insert({ premise: 'x' })).status).toBe(429)
      const asset = { target_id: data.characters[0].id, kind: 'portrait' }
      expect((await user.rpc('regenerate_asset', asset)).status).toBe(200)
      expect((await user.rpc('regenerate_asset', asset)).status).toBe(429)
      expect((await user.from('dramas').select('id')).data).toHaveLength(3)
    } finally {
      await client.query(
        'update app.settings set drama_writes_per_minute = 1000000, dramas_per_day = 50, drama_assets_per_day = 500',
      )
    }
  })
})

describe('generating', () => {
  test('POST /dramas { premise, model } and generate_drama make a drama and its run', async () => {
    const posted = await ana
      .from('dramas')
      .insert({ premise: 'Test drama', model: 'gemini-3-pro-preview' })
      .select('id, run_id, model, premise, options, owner_id')
      .single()
    expect(posted.status, JSON.stringify(posted.error)).toBe(201)
    expect(posted.data).toMatchObject({
      owner_id: anaUser.id,
      model: 'gemini-3-pro-preview',
      options: { episodes: 3, image_model: 'gemini-3-pro-image-preview' },
    })
    const tree = await ana.rpc('job_tree', { job_id: posted.data?.run_id })
    expect(tree.data).toMatchObject({ type: 'generate_drama', children: [{ type: 'write_outline', status: 'queued' }] })
    expect((await ben.rpc('job_tree', { job_id: posted.data?.run_id })).status).toBe(404)

    const wanted = { premise: 'Another', options: { episodes: 2, with_video: true }, idempotency_key: 'one' }
    const made = await Promise.all(Array.from({ length: 5 }, () => ana.rpc('generate_drama', wanted)))
    expect(made.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(new Set(made.map(({ data }) => data.id)).size).toBe(1)
    expect((await ana.from('dramas').select('id').eq('premise', 'Another')).data).toHaveLength(1)
    // A key is the owner's own.
    expect((await ben.rpc('generate_drama', wanted)).data.id).not.toBe(made[0]?.data.id)

    const runId = made[0]?.data.run_id
    expect((await ana.rpc('delete_drama', { drama_id: made[0]?.data.id })).error).toBeNull()
    expect((await ana.rpc('job_tree', { job_id: runId })).data.status).toBe('cancelled')
    // Nobody pays for a drama that is not there.
    expect(await ana.rpc('retry_job', { job_id: runId })).toMatchObject({
      status: 409,
      error: { details: 'job_closed' },
    })
    expect(await ana.rpc('generate_drama', wanted)).toMatchObject({ status: 404 })
  })

  test.each([
    [{ premise: '' }, 'premise_invalid'],
    [{ premise: ' \n' }, 'premise_invalid'],
    [{ premise: ' \u00a0\u2003\n' }, 'premise_invalid'],
    [{ premise: null }, 'premise_invalid'],
    [{ premise: 'x'.repeat(10_001) }, 'premise_invalid'],
    [{ premise: 'x', model: 'gpt' }, 'model_unknown'],
    [{ premise: 'x', model: 'veo-3.1-generate-preview' }, 'model_unknown'],
    [{ premise: 'x', options: { image_model: 'gemini-3-pro-preview' } }, 'model_unknown'],
    [{ premise: 'x', options: [] }, 'options_invalid'],
    [{ premise: 'x', options: { episodes: 25 } }, 'options_invalid'],
    [{ premise: 'x', options: { episodes: 1.5 } }, 'options_invalid'],
    [{ premise: 'x', options: { with_video: 'yes' } }, 'options_invalid'],
    [{ premise: 'x', options: { style: 'x'.repeat(2001) } }, 'options_invalid'],
    [{ premise: 'x', options: { lots: 1 } }, 'options_invalid'],
    [{ premise: 'x', idempotency_key: '' }, 'idempotency_key_invalid'],
    [{ premise: 'x', idempotency_key: 'x'.repeat(181) }, 'idempotency_key_invalid'],
  ])('%j is refused', async (wanted, slug) => {
    expect(await ana.rpc('generate_drama', wanted)).toMatchObject({ status: 422, error: { details: slug } })
    const { idempotency_key, ...row } = wanted as Record<string, unknown>
    if (idempotency_key === undefined && row['premise'] !== null) {
      expect((await ana.from('dramas').insert(row)).error).toMatchObject({ details: slug })
    }
  })

  test.each([
    [{ options: { lots: 1 } }, 'Unknown option "lots". Use one of: characters, episodes, image_model,'],
    [{ options: { episodes: 25 } }, 'Option "episodes" must be a whole number from 1 to 24.'],
    [{ options: { image_model: 'x' } }, 'Unknown image model "x".'],
  ])('%j: the message says why', async (wanted, message) => {
    const { error } = await ana.rpc('generate_drama', { premise: 'x', ...wanted })
    expect(error?.message).toContain(message)
  })

  test('the longest options fit, in any script', async () => {
    for (const letter of ['灯', '😀', '\n', '\u0001']) {
      const options = { style: letter.repeat(2000), language: letter.repeat(100) }
      const { data, error } = await ana.rpc('generate_drama', { premise: 'x', options })
      expect(error).toBeNull()
      expect(data.options).toMatchObject(options)
    }
  })

  test('a video model is needed for videos only', async () => {
    const client = await database.connect()
    const { data } = await save(ana, { episodes: [{ scenes: [{ summary: 'S' }] }] })
    await client.query("update ai_models set is_enabled = false where kind = 'video'")
    try {
      const generate = (options: object) => ana.rpc('generate_drama', { premise: 'x', options })
      expect((await generate({})).error).toBeNull()
      expect(await generate({ with_video: true })).toMatchObject({
        error: { details: 'model_unknown', message: 'No default video model is enabled.' },
      })
      expect(await generate({ video_model: 'veo-3.1-generate-preview' })).toMatchObject({
        error: { details: 'model_unknown' },
      })
      const target_id = data.episodes[0].scenes[0].id
      const before = await ana.from('jobs').select('id', { count: 'exact', head: true })
      expect(await ana.rpc('regenerate_asset', { target_id, kind: 'video' })).toMatchObject({
        status: 422,
        error: { details: 'model_unknown' },
      })
      expect((await ana.from('jobs').select('id', { count: 'exact', head: true })).count).toBe(before.count)
      expect((await ana.rpc('regenerate_asset', { target_id, kind: 'image' })).error).toBeNull()
    } finally {
      await client.query("update ai_models set is_enabled = true where kind = 'video'")
    }
  })

  test('a key is of one image: with another one it is refused, also when the first is gone', async () => {
    const one = (await save(ana, { characters: [{ name: 'Mira' }, { name: 'Ben' }] })).data
    const other = (await save(ana, { characters: [{ name: 'Ada' }] })).data
    const ask = (drama: { characters: { id: string }[] }, n = 0) =>
      ana.rpc('regenerate_asset', { target_id: drama.characters[n]?.id, kind: 'portrait', idempotency_key: 'k' })
    const first = await ask(one)
    expect((await ask(one)).data).toBe(first.data)
    const refusal = { status: 409, error: { details: 'idempotency_key_taken' } }
    expect(await ask(one, 1)).toMatchObject(refusal)
    expect((await ana.rpc('delete_drama', { drama_id: one.id })).error).toBeNull()
    expect(await ask(other)).toMatchObject(refusal)
    expect((await open(ana, other.id)).data.characters[0].portrait_job_id).toBeNull()
    // Saved anew under its ids, it has nothing to do with the run of the one that was deleted.
    const { updated_at: _, ...again } = one
    expect((await save(ana, again)).error).toBeNull()
    expect(await ask(one)).toMatchObject(refusal)
  })

  test('what has no such image is said to have none', async () => {
    const { data } = await save(ana, { episodes: [{ scenes: [{ text: 'x' }] }] })
    for (const target_id of [data.episodes[0].scenes[0].id, data.id, crypto.randomUUID()]) {
      expect((await ana.rpc('regenerate_asset', { target_id, kind: 'portrait' })).error).toMatchObject({
        details: 'drama_not_found',
        message: 'Character not found.',
      })
    }
  })

  test('a prompt of line breaks is none', async () => {
    const { data } = await save(ana, { characters: [{ name: ' Mira\n' }, { appearance: '\n' }] })
    const asked = await ana.rpc('regenerate_asset', {
      target_id: data.characters[0].id,
      kind: 'portrait',
      prompt: '\n\t',
    })
    expect((await ana.rpc('job_tree', { job_id: asked.data })).error).toBeNull()
    const client = await database.connect()
    const { rows } = await client.query("select input ->> 'prompt' as prompt from jobs where id = $1", [asked.data])
    expect(rows).toEqual([{ prompt: 'Mira' }])
    expect(await ana.rpc('regenerate_asset', { target_id: data.characters[1].id, kind: 'portrait' })).toMatchObject({
      status: 422,
      error: { details: 'prompt_missing' },
    })
  })

  test('no other column can be inserted, and \\u0000 is a 400', async () => {
    for (const more of [{ owner_id: benUser.id }, { id: crypto.randomUUID() }, { run_id: 1 }, { title: 'x' }]) {
      expect((await ana.from('dramas').insert({ premise: 'x', ...more })).status).toBe(403)
    }
    expect((await ana.from('dramas').insert({ premise: 'a\u0000' })).status).toBe(400)
    expect((await ana.rpc('generate_drama', { premise: 'x', options: { style: 'a\u0000' } })).status).toBe(400)
  })
})
