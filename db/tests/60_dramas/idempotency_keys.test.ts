import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Document, type DramaApi, save, startDramaApi, type User } from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient
let ben: SupabaseClient
let user: User

beforeAll(async () => {
  dramas = await startDramaApi()
  await dramas.client.query('update app.settings set dramas_per_day = 1000')
  ;({ ben } = dramas)
})
afterAll(() => dramas.stop())

// Each test has a user of its own, so that it can count what the user has.
let n = 0
beforeEach(async () => {
  ;({ user, client: ana } = await dramas.createUser(`user-${++n}`))
})

const taken = {
  status: 409,
  error: {
    code: 'PT409',
    details: 'idempotency_key_taken',
    message: 'Another request was sent with this idempotency key before.',
    hint: 'Send a new key with a new request, or repeat the first request unchanged.',
  },
}
const generate = (request: object) => ana.rpc('generate_drama', { idempotency_key: 'k', ...request })
/** Inserts a drama as a client without a library does. */
const post = async (row: object | object[], headers: Record<string, string> = {}, as = user) => {
  const { status, headers: sent, text } = await dramas.send(as, 'dramas', headers, JSON.stringify(row))
  return { status, location: sent.get('location'), body: text && (JSON.parse(text) as Document) }
}
/** Reads what a Location names. */
const follow = async (location: string | null) =>
  JSON.parse((await dramas.send(user, String(location).replace(/^\//, ''))).text) as Document[]
/** How many dramas, runs and spent requests the user has. */
const count = async () =>
  (
    await dramas.client.query(
      `select
        (select count(*)::integer from dramas where owner_id = $1) as dramas,
        (select count(*)::integer from app.runs where owner_id = $1) as runs,
        (select max(spent_until) from app.rate_limits where bucket = 'dramas' and key like '%' || $1 || '%') as spent`,
      [user.id],
    )
  ).rows[0]

test.each([
  [
    'the same options in another order',
    { options: { style: 'Ink', episodes: 2 } },
    { options: { episodes: 2, style: 'Ink' } },
  ],
  ['no options, null and defaults', {}, { model: null, options: null }],
  ['a default that is named', {}, { options: { episodes: 3, with_video: false, language: 'English', style: '' } }],
  [
    'the default models by name',
    {},
    {
      model: 'gemini-3-pro-preview',
      options: { image_model: 'gemini-3-pro-image-preview', video_model: 'veo-3.1-generate-preview' },
    },
  ],
  [
    'a default that is left out',
    { model: 'gemini-3-pro-preview', options: { characters: 4 } },
    { model: '', options: {} },
  ],
])('generate_drama returns the first drama for %s', async (_, first, second) => {
  const made = await generate({ premise: 'A', ...first })
  expect(made.error).toBeNull()
  const before = await count()
  for (let round = 0; round < 3; round++) expect((await generate({ premise: 'A', ...second })).data).toEqual(made.data)
  expect(await count()).toEqual(before)
  expect(before).toEqual({ dramas: 1, runs: 1, spent: expect.any(Date) })
})

test.each([
  ['premise', { premise: 'B' }],
  ['premise, by white space', { premise: 'A ' }],
  ['model', { model: 'gemini-2.5-flash' }],
  ['option', { options: { episodes: 2 } }],
  ['option, an unknown one', { options: { lots: 1 } }],
  ['form of options', { options: [] }],
  ['option, a model', { options: { image_model: 'gemini-2.5-flash-image' } }],
  ['premise, an invalid one', { premise: '' }],
])('generate_drama refuses the key of another request, and an insert does: another %s', async (_, other) => {
  const made = await generate({ premise: 'A' })
  expect(made.error).toBeNull()
  const before = await count()
  expect(await generate({ premise: 'A', ...other })).toMatchObject(taken)
  expect(await ana.from('dramas').insert({ premise: 'A', idempotency_key: 'k', ...other })).toMatchObject(taken)
  expect(await count()).toEqual(before)
  expect((await generate({ premise: 'A' })).data).toEqual(made.data)
})

test('an insert answers with the Location of its drama, whatever answer the client prefers', async () => {
  for (const prefer of ['', 'return=minimal', 'return=headers-only', 'return=representation']) {
    const made = await post({ premise: 'A' }, { prefer })
    expect(made.status).toBe(201)
    expect(made.location).toMatch(/^\/dramas\?id=eq\.[0-9a-f-]{36}$/)
    const [drama] = await follow(made.location)
    expect(drama).toMatchObject({ premise: 'A', owner_id: user.id, idempotency_key: null })
    if (prefer === 'return=representation') expect(made.body).toEqual([drama])
  }
})

test('a repeated insert is refused with the Location of the first drama, and buys nothing', async () => {
  const row = { premise: 'A', options: { episodes: 2 }, idempotency_key: 'k' }
  const made = await post(row)
  expect(made.status).toBe(201)
  const before = await count()
  for (const prefer of ['', 'return=minimal', 'return=representation', 'resolution=ignore-duplicates']) {
    expect(await post(row, { prefer })).toEqual({
      status: 409,
      location: made.location,
      body: {
        code: 'PT409',
        details: 'drama_exists',
        message: 'The drama was generated by an earlier request with this idempotency key.',
        hint: 'Read the drama that header Location names, or select it by its idempotency_key.',
      },
    })
  }
  expect(await count()).toEqual(before)
  expect(before).toMatchObject({ dramas: 1, runs: 1 })
  const [drama] = await follow(made.location)
  expect(drama).toMatchObject({ premise: 'A', idempotency_key: 'k' })
  // Without headers, as in supabase-js
  const found = await ana.from('dramas').select('id').eq('idempotency_key', 'k').single()
  expect(found.data?.id).toBe(drama.id)
  expect((await post({ ...row, premise: 'B' })).body).toMatchObject({ details: 'idempotency_key_taken' })
  expect((await post({ ...row, premise: 'B' })).location).toBeNull()
})

test('generate_drama and an insert share their keys', async () => {
  const made = await generate({ premise: 'A' })
  expect(await post({ premise: 'A', idempotency_key: 'k' })).toMatchObject({
    status: 409,
    location: `/dramas?id=eq.${made.data.id}`,
    body: { details: 'drama_exists' },
  })
  const posted = await post({ premise: 'B', idempotency_key: 'l' })
  const [drama] = await follow(posted.location)
  expect((await generate({ premise: 'B', idempotency_key: 'l' })).data).toEqual(drama)
  expect(await generate({ premise: 'A', idempotency_key: 'l' })).toMatchObject(taken)
  expect(await count()).toMatchObject({ dramas: 2, runs: 2 })
})

test('a key belongs to its owner and to one kind of request', async () => {
  const made = await generate({ premise: 'A' })
  const others = await ben.rpc('generate_drama', { premise: 'B', idempotency_key: 'k' })
  expect(others.error).toBeNull()
  // Another user sees neither the key nor its drama.
  expect((await ben.from('dramas').select('id').eq('idempotency_key', 'k')).data).toEqual([{ id: others.data.id }])
  expect((await ben.from('dramas').select('id').eq('id', made.data.id)).data).toEqual([])
  const { data } = await save(ana, { characters: [{ name: 'Mira' }] })
  const target = { target_id: data.characters[0].id, kind: 'portrait', idempotency_key: 'k' }
  expect((await ana.rpc('regenerate_asset', target)).error).toBeNull()
  // submit_run accepts no other request under the keys with which the runs of dramas are stored.
  const { service } = dramas
  for (const idempotency_key of ['generate_drama:k', 'regenerate_asset:k']) {
    const spec = { key: 'drama', type: 'group' }
    expect(await service.rpc('submit_run', { spec, owner_id: user.id, idempotency_key })).toMatchObject(taken)
  }
  const spec = { key: 'r', type: 'group' }
  expect((await service.rpc('submit_run', { spec, owner_id: user.id, idempotency_key: 'k' })).error).toBeNull()
  // A run that the service submitted under the key of a drama is not the drama's.
  await service.rpc('submit_run', { spec, owner_id: user.id, idempotency_key: 'generate_drama:m' })
  expect(await generate({ premise: 'A', idempotency_key: 'm' })).toMatchObject(taken)
})

test('a known key outlives its model, its run and the name of its drama', async () => {
  const { client } = dramas
  const request = { premise: 'A', model: 'gemini-2.5-flash' }
  const made = await generate(request)
  await client.query("update ai_models set is_enabled = false where name = 'gemini-2.5-flash'")
  try {
    expect((await generate(request)).data).toEqual(made.data)
    expect(await generate({ ...request, idempotency_key: 'l' })).toMatchObject({ error: { details: 'model_unknown' } })
  } finally {
    await client.query("update ai_models set is_enabled = true where name = 'gemini-2.5-flash'")
  }
  await client.query('delete from app.runs where id = $1', [made.data.run_id])
  const { data: opened } = await ana.rpc('get_drama_complete', { drama_id: made.data.id }, { get: true })
  expect((await save(ana, { ...opened, premise: 'B', model: '' })).error).toBeNull()
  const again = await generate(request)
  expect(again.data).toMatchObject({ id: made.data.id, premise: 'B' })
  expect(await generate({ ...request, premise: 'B' })).toMatchObject(taken)
  expect(await post({ ...request, idempotency_key: 'k' })).toMatchObject({ status: 409, location: expect.any(String) })
})

test('two equal requests without a model are the same when the default model has changed between them', async () => {
  const { client } = dramas
  const made = await generate({ premise: 'A' })
  const swap = (model: string) =>
    client
      .query("update ai_models set is_default = false where kind = 'text'")
      .then(() => client.query('update ai_models set is_default = true where name = $1', [model]))
  await swap('gemini-2.5-flash')
  try {
    expect((await generate({ premise: 'A' })).data).toEqual(made.data)
  } finally {
    await swap('gemini-3-pro-preview')
  }
})

test('the key of a deleted drama is refused until its run is deleted, and accepted afterwards', async () => {
  const made = await generate({ premise: 'A' })
  expect((await ana.rpc('delete_drama', { drama_id: made.data.id })).error).toBeNull()
  const gone = { status: 404, error: { details: 'drama_not_found' } }
  expect(await generate({ premise: 'A' })).toMatchObject(gone)
  expect(await ana.from('dramas').insert({ premise: 'A', idempotency_key: 'k' })).toMatchObject(gone)
  expect(await generate({ premise: 'B' })).toMatchObject(taken)
  await dramas.client.query('delete from app.runs where id = $1', [made.data.run_id])
  expect((await generate({ premise: 'B' })).status).toBe(200)
})

test('a drama of an older release is returned for its key, whatever is sent', async () => {
  const made = await generate({ premise: 'A' })
  await dramas.client.query('update app.runs set request_hash = null where id = $1', [made.data.run_id])
  await dramas.client.query('delete from app.drama_requests where drama_id = $1', [made.data.id])
  await dramas.client.query('update dramas set idempotency_key = null where id = $1', [made.data.id])
  expect((await generate({ premise: 'B' })).data).toMatchObject({ id: made.data.id })
  expect(await post({ premise: 'B', idempotency_key: 'k' })).toMatchObject({
    status: 409,
    location: `/dramas?id=eq.${made.data.id}`,
  })
})

test('a refused request does not use up its key', async () => {
  for (const refused of [{ premise: '' }, { premise: 'A', model: 'x' }, { premise: 'A', options: { lots: 1 } }]) {
    expect((await generate(refused)).status).toBe(422)
    expect((await post({ ...refused, idempotency_key: 'k' })).status).toBe(422)
  }
  await dramas.client.query('update app.settings set dramas_per_day = 1')
  try {
    expect((await generate({ premise: 'first', idempotency_key: 'first' })).status).toBe(200)
    expect((await generate({ premise: 'A' })).status).toBe(429)
    expect((await post({ premise: 'A', idempotency_key: 'k' })).status).toBe(429)
    // A repetition spends nothing.
    expect((await generate({ premise: 'first', idempotency_key: 'first' })).status).toBe(200)
    expect((await post({ premise: 'first', idempotency_key: 'first' })).body).toMatchObject({ details: 'drama_exists' })
  } finally {
    await dramas.client.query('update app.settings set dramas_per_day = 1000')
  }
  await dramas.client.query('delete from app.rate_limits')
  expect((await post({ premise: 'B', idempotency_key: 'k' })).status).toBe(201)
})

test('refuses an unusable key with 4xx, and accepts 180 characters of any script', async () => {
  for (const idempotency_key of ['', 'x'.repeat(181), '灯'.repeat(181), 'x'.repeat(1_000_000)]) {
    const refusal = { status: 422, error: { details: 'idempotency_key_invalid' } }
    expect(await generate({ premise: 'A', idempotency_key })).toMatchObject(refusal)
    expect(await ana.from('dramas').insert({ premise: 'A', idempotency_key })).toMatchObject(refusal)
  }
  for (const idempotency_key of ['a\u0000', '\u0000']) {
    expect((await generate({ premise: 'A', idempotency_key })).status).toBe(400)
    expect((await ana.from('dramas').insert({ premise: 'A', idempotency_key })).status).toBe(400)
  }
  for (const letter of ['灯', '😀', '\n', "'", '"', '\\', '%']) {
    const idempotency_key = letter.repeat(180)
    const made = await generate({ premise: 'A', idempotency_key })
    expect((await generate({ premise: 'A', idempotency_key })).data).toEqual(made.data)
  }
  expect((await ana.from('dramas').insert({ premise: 'A', idempotency_key: 1 })).status).toBe(201)
  expect((await ana.from('dramas').insert({ premise: 'A', idempotency_key: '1' })).status).toBe(409)
})

test('an insert of several dramas has no Location, and one key that is known refuses all', async () => {
  const rows = [1, 2, 3].map((row) => ({ premise: `A ${row}`, idempotency_key: `k-${row}` }))
  const made = await post(rows, { prefer: 'return=representation' })
  expect(made).toMatchObject({ status: 201, location: null, body: rows })
  expect(await count()).toMatchObject({ dramas: 3, runs: 3 })
  expect((await post([{ premise: 'x' }], {})).location).toMatch(/^\/dramas/)

  const again = await post([{ premise: 'new', idempotency_key: 'new' }, rows[1] as object])
  expect(again).toMatchObject({ status: 409, body: { details: 'drama_exists' } })
  expect(await follow(again.location)).toMatchObject([{ idempotency_key: 'k-2' }])

  const twice = { premise: 'B', idempotency_key: 'twice' }
  expect(await post([twice, twice])).toMatchObject({
    status: 409,
    location: null,
    body: {
      details: 'idempotency_key_taken',
      message: 'Two dramas of this request have the same idempotency key.',
    },
  })
  expect((await post([twice, { ...twice, premise: 'C' }])).body).toMatchObject({ details: 'idempotency_key_taken' })
  expect(await count()).toMatchObject({ dramas: 4, runs: 4 })
  expect((await post(twice)).status).toBe(201)
})

test('service_role inserts a drama for the owner that it names, under the keys of this owner', async () => {
  const { service } = dramas
  const row = { premise: 'A', idempotency_key: 'k' }
  const insert = (owner_id?: string) => service.from('dramas').insert({ ...row, owner_id })
  expect(await insert()).toMatchObject({ status: 422, error: { details: 'owner_missing' } })
  expect(await insert(crypto.randomUUID())).toMatchObject({ status: 404, error: { details: 'owner_not_found' } })
  const made = await insert(user.id).select('*').single()
  expect(made).toMatchObject({ status: 201, data: { owner_id: user.id, premise: 'A' } })
  expect(await insert(user.id)).toMatchObject({ status: 409, error: { details: 'drama_exists' } })
  expect((await generate(row)).data).toEqual(made.data)
  expect(await insert((await dramas.createUser('other')).user.id)).toMatchObject({ status: 201 })
  for (const more of [{ id: crypto.randomUUID() }, { run_id: 1 }, { title: 'x' }]) {
    expect((await service.from('dramas').insert({ ...row, owner_id: user.id, ...more })).status).toBe(403)
  }
  // No limit counts what the service inserts.
  await dramas.client.query('update app.settings set dramas_per_day = 1')
  try {
    for (const premise of ['B', 'C', 'D']) {
      expect((await service.from('dramas').insert({ premise, owner_id: user.id })).status).toBe(201)
    }
  } finally {
    await dramas.client.query('update app.settings set dramas_per_day = 1000')
  }
})

test('a user names neither another owner nor the key of a drama that exists', async () => {
  const made = await post({ premise: 'A', idempotency_key: 'k', owner_id: user.id })
  expect(made.status).toBe(403)
  await post({ premise: 'A', idempotency_key: 'k' })
  expect((await ana.from('dramas').update({ idempotency_key: 'l' }).eq('idempotency_key', 'k')).status).toBe(403)
})

test('regenerate_asset compares target, kind and prompt with the first request of the key', async () => {
  const { data } = await save(ana, {
    characters: [{ name: 'Mira' }, { name: 'Ada' }],
    episodes: [{ scenes: [{ text: 'Night.' }] }],
  })
  const [mira, ada] = data.characters
  const scene = data.episodes[0].scenes[0]
  const ask = (request: object) => ana.rpc('regenerate_asset', { idempotency_key: 'k', ...request })
  const first = { target_id: mira.id, kind: 'portrait', prompt: 'With a lamp' }
  const made = await ask(first)
  expect(made.error).toBeNull()
  const runs = (await count()).runs
  expect((await ask(first)).data).toBe(made.data)
  expect((await ask({ ...first, prompt: ' With a lamp\n' })).data).toBe(made.data)
  for (const other of [
    { prompt: 'Without a lamp' },
    { prompt: null },
    { prompt: 'x'.repeat(10_001) },
    { target_id: ada.id },
    { target_id: scene.id, kind: 'image' },
    { target_id: scene.id, kind: 'video' },
  ]) {
    expect(await ask({ ...first, ...other })).toMatchObject(taken)
  }
  expect((await count()).runs).toBe(runs)

  // Without a prompt, the text of the target is not part of the request.
  const plain = { target_id: mira.id, kind: 'portrait', idempotency_key: 'plain' }
  const without = await ask(plain)
  await save(ana, {
    ...(await ana.rpc('get_drama_complete', { drama_id: data.id })).data,
    title: 'x',
    characters: [{ ...mira, name: '' }, ada],
  })
  for (const prompt of [undefined, null, '', ' \n']) expect((await ask({ ...plain, prompt })).data).toBe(without.data)
  expect((await ask({ ...plain, idempotency_key: 'new' })).error).toMatchObject({ details: 'prompt_missing' })
  expect((await ask({ ...plain, idempotency_key: 'new', prompt: 'A lamp' })).error).toBeNull()
})

test('regenerate_asset refuses a prompt that is too long, instead of cutting it off', async () => {
  const { data } = await save(ana, { characters: [{ name: 'Mira' }] })
  const ask = (prompt: string) =>
    ana.rpc('regenerate_asset', { target_id: data.characters[0].id, kind: 'portrait', prompt, idempotency_key: 'k' })
  for (const prompt of ['x'.repeat(10_001), '😀'.repeat(10_001), 'x'.repeat(20_000)]) {
    expect(await ask(prompt)).toMatchObject({
      status: 422,
      error: {
        details: 'prompt_invalid',
        message: 'A prompt has at most 10000 characters.',
        hint: 'Shorten the prompt.',
      },
    })
  }
  const made = await ask(`\n${'😀'.repeat(10_000)} `)
  expect(made.error).toBeNull()
  const { rows } = await dramas.client.query("select input ->> 'prompt' as prompt from jobs where id = $1", [made.data])
  expect(rows[0].prompt).toBe('😀'.repeat(10_000))
})
