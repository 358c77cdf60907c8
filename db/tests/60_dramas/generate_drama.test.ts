import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DramaApi, save, startDramaApi } from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient
let ben: SupabaseClient

beforeAll(async () => {
  dramas = await startDramaApi()
  ;({ ana, ben } = dramas)
})
afterAll(() => dramas.stop())

test('creates a drama and its run, by POST /dramas and by generate_drama, once per idempotency key', async () => {
  const posted = await ana
    .from('dramas')
    .insert({ premise: 'Test drama', model: 'gemini-3-pro-preview' })
    .select('id, run_id, model, premise, options, owner_id')
    .single()
  expect(posted.status, JSON.stringify(posted.error)).toBe(201)
  expect(posted.data).toMatchObject({
    owner_id: dramas.users.ana.id,
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
  // Another owner may use the same key.
  expect((await ben.rpc('generate_drama', wanted)).data.id).not.toBe(made[0]?.data.id)

  const runId = made[0]?.data.run_id
  expect((await ana.rpc('delete_drama', { drama_id: made[0]?.data.id })).error).toBeNull()
  expect((await ana.rpc('job_tree', { job_id: runId })).data.status).toBe('cancelled')
  // The run of a deleted drama cannot be retried.
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
])('refuses %j with %s', async (wanted, slug) => {
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
])('refuses %j with a message that says why', async (wanted, message) => {
  const { error } = await ana.rpc('generate_drama', { premise: 'x', ...wanted })
  expect(error?.message).toContain(message)
})

test('accepts the longest options in any script', async () => {
  for (const letter of ['灯', '😀', '\n', '\u0001']) {
    const options = { style: letter.repeat(2000), language: letter.repeat(100) }
    const { data, error } = await ana.rpc('generate_drama', { premise: 'x', options })
    expect(error).toBeNull()
    expect(data.options).toMatchObject(options)
  }
})

test('needs a video model for videos only', async () => {
  const { client } = dramas
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

test('refuses an insert of any other column and of \\u0000', async () => {
  for (const more of [{ owner_id: dramas.users.ben.id }, { id: crypto.randomUUID() }, { run_id: 1 }, { title: 'x' }]) {
    expect((await ana.from('dramas').insert({ premise: 'x', ...more })).status).toBe(403)
  }
  expect((await ana.from('dramas').insert({ premise: 'a\u0000' })).status).toBe(400)
  expect((await ana.rpc('generate_drama', { premise: 'x', options: { style: 'a\u0000' } })).status).toBe(400)
})
