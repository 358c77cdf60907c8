import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DramaApi, open, save, smallDrama, startDramaApi } from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient
let ben: SupabaseClient
let service: SupabaseClient

beforeAll(async () => {
  dramas = await startDramaApi()
  ;({ ana, ben, service } = dramas)
})
afterAll(() => dramas.stop())

test('answers another user as if the drama did not exist, and stores nothing', async () => {
  const { data } = await save(ana, smallDrama())
  const missing = { status: 404, error: { code: 'PT404', details: 'drama_not_found' } }
  const unknown = await open(ben, crypto.randomUUID())
  expect(unknown).toMatchObject(missing)
  expect(await open(ben, data.id)).toEqual(unknown)
  expect(await save(ben, { ...data, title: 'Mine' })).toMatchObject(missing)
  expect((await ben.rpc('delete_drama', { drama_id: data.id })).error).toEqual(
    (await ben.rpc('delete_drama', { drama_id: crypto.randomUUID() })).error,
  )
  const own = smallDrama()
  const stolen = [
    { ...own, characters: [{ id: data.characters[0].id }], episodes: [] },
    { ...own, episodes: [{ id: data.episodes[0].id }] },
    { ...own, episodes: [{ title: 'x', scenes: [{ id: data.episodes[0].scenes[0].id }] }] },
    { ...own, episodes: [{ id: data.episodes[0].id, scenes: [{ id: data.episodes[0].scenes[0].id }] }] },
  ]
  for (const drama of stolen) {
    expect(await save(ben, drama)).toMatchObject(missing)
    // A drama may not take parts of another drama of the same owner, either.
    expect(await save(ana, drama)).toMatchObject(missing)
  }
  expect((await open(ben, own.id)).status).toBe(404)
  for (const table of ['dramas', 'drama_characters', 'episodes', 'scenes']) {
    expect((await ben.from(table).select('id, created_at')).data).toEqual([])
    expect((await ben.from(table).delete().neq('id', crypto.randomUUID())).status).toBe(403)
    expect((await ana.from(table).update({ created_at: 'now' }).eq('id', data.id)).status).toBe(403)
  }
  expect((await ben.rpc('list_dramas')).data).toEqual({ dramas: [], next: null })
  expect((await save(ben, smallDrama(), { owner_id: dramas.users.ana.id })).error).toMatchObject({
    details: 'owner_not_found',
  })
  expect((await open(ana, data.id)).data).toEqual(data)
})

test('gives a client the whole row of a drama that it inserts, and extra only in the document', async () => {
  const inserted = await ana.from('dramas').insert({ premise: 'A storm' }).select().single()
  expect(inserted).toMatchObject({ status: 201, data: { premise: 'A storm', run_id: expect.any(Number) } })
  expect(inserted.data).not.toHaveProperty('extra')

  const { data } = await save(ana, { ...smallDrama(), extra: { mine: 1 } })
  expect((await open(ana, data.id)).data.extra).toEqual({ mine: 1 })
  // A change of extra alone raises the version; without extra, none is kept.
  const changed = (await save(ana, { ...data, extra: { mine: 2 } })).data
  expect(changed.updated_at).not.toBe(data.updated_at)
  expect((await open(ana, data.id)).data).toMatchObject({ extra: { mine: 2 }, updated_at: changed.updated_at })
  const { extra: _extra, ...rest } = changed
  expect((await save(ana, rest)).data.extra).toEqual({})
  await ana.rpc('delete_drama', { drama_id: data.id }).throwOnError()
})

test("select('*') gives the whole rows of a drama, without what only the document has", async () => {
  const written = { image_prompt: 'A lamp.', video_prompt: 'It turns.', extra: { mine: 2 } }
  const episodes = [{ title: 'One', script: 'Night.', extra: { mine: 1 }, scenes: [{ title: 'Dusk', ...written }] }]
  const { data } = await save(ana, { ...smallDrama(), episodes })
  const [episode] = data.episodes
  const [scene] = episode.scenes
  expect(episode).toMatchObject({ script: 'Night.', extra: { mine: 1 } })
  expect(scene).toMatchObject(written)
  const whole = '*, drama_characters(*), episodes(*, scenes(*))'
  for (const client of [ana, service]) {
    for (const [table, id] of Object.entries({ episodes: episode.id, scenes: scene.id })) {
      const row = (await client.from(table).select('*').eq('id', id).single().throwOnError()).data
      expect(row).toMatchObject({ id, drama_id: data.id })
      for (const key of ['script', 'image_prompt', 'video_prompt', 'extra']) expect(row).not.toHaveProperty(key)
    }
    const rows = await client.from('dramas').select(whole).eq('id', data.id).single().throwOnError()
    expect(rows.data.episodes[0].scenes[0].id).toBe(scene.id)
  }
  for (const [table, id] of Object.entries({ episodes: episode.id, scenes: scene.id })) {
    const edited = await ana.from(table).update({ title: 'New' }).eq('id', id).select().single().throwOnError()
    expect(edited.data).toMatchObject({ id, title: 'New' })
    expect((await ben.from(table).select('*').eq('id', id)).data).toEqual([])
  }
  const edited = (await open(ana, data.id)).data
  expect(edited.episodes[0]).toMatchObject({ title: 'New', script: 'Night.', extra: { mine: 1 } })
  expect(edited.episodes[0].scenes[0]).toEqual({ ...scene, title: 'New' })

  // Empty texts are saved, too. A change of these fields alone raises the versions of row and drama.
  const versionOf = async (table: string, id: string) =>
    (await ana.from(table).select('updated_at').eq('id', id).single().throwOnError()).data.updated_at
  const before = [await versionOf('episodes', episode.id), await versionOf('scenes', scene.id)]
  edited.episodes[0].script = ''
  edited.episodes[0].scenes[0].extra = {}
  const saved = (await save(ana, edited)).data
  expect(saved.updated_at).not.toBe(edited.updated_at)
  expect(saved.episodes[0]).toEqual(edited.episodes[0])
  const after = [await versionOf('episodes', episode.id), await versionOf('scenes', scene.id)]
  expect(after[0]).not.toBe(before[0])
  expect(after[1]).not.toBe(before[1])
  expect((await save(ana, saved)).data).toEqual(saved)
  expect([await versionOf('episodes', episode.id), await versionOf('scenes', scene.id)]).toEqual(after)
  await ana.rpc('delete_drama', { drama_id: data.id }).throwOnError()
  const { rows } = await dramas.client.query(
    `select (select count(*)::int from app.episode_details) as episodes, (select count(*)::int from app.scene_details) as scenes`,
  )
  expect(rows).toEqual([{ episodes: 0, scenes: 0 }])
})

test('refuses anonymous callers every function and table of dramas, except the list of models', async () => {
  const anon = createClient(dramas.api.url, dramas.api.anonKey)
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

test('lets only service_role say when a new drama was created', async () => {
  const owner_id = dramas.users.ana.id
  const created_at = '2020-02-03T04:05:06+00:00'
  const old = await save(service, { ...smallDrama(), created_at }, { owner_id })
  expect(old.data).toMatchObject({ created_at })
  const later = await save(service, { ...old.data, title: 'Later', created_at: '2021-01-01T00:00:00Z' }, { owner_id })
  expect(later.data).toMatchObject({ title: 'Later', created_at })
  for (const [who, unused] of [
    [ana, created_at],
    [service, 'last year'],
    [service, '2999-01-01T00:00:00Z'],
  ] as const) {
    const { data } = await save(who, { ...smallDrama(), created_at: unused }, who === ana ? {} : { owner_id })
    expect(Math.abs(Date.parse(data.created_at) - Date.now())).toBeLessThan(3_600_000)
  }
})

test('lets service_role read any drama, and save one for the owner that it names', async () => {
  const { data } = await save(service, smallDrama(), { owner_id: dramas.users.ana.id })
  expect((await open(ana, data.id)).data).toEqual(data)
  expect((await open(service, data.id)).data).toEqual(data)
  expect(await save(service, smallDrama())).toMatchObject({ status: 422, error: { details: 'owner_missing' } })
  expect(await save(service, smallDrama(), { owner_id: crypto.randomUUID() })).toMatchObject({ status: 404 })
  expect(await save(service, data, { owner_id: dramas.users.ben.id })).toMatchObject({ status: 404 })
})
