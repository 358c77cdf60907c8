import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DramaApi, open, save, startDramaApi } from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient

beforeAll(async () => {
  dramas = await startDramaApi()
  ;({ ana } = dramas)
})
afterAll(() => dramas.stop())

test('refuses the idempotency key of another image, also after its drama was deleted', async () => {
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
  // A new drama with the same ids does not get the run of the deleted drama.
  const { updated_at: _, ...again } = one
  expect((await save(ana, again)).error).toBeNull()
  expect(await ask(one)).toMatchObject(refusal)
})

test('returns 404 when the target has no image of that kind', async () => {
  const { data } = await save(ana, { episodes: [{ scenes: [{ text: 'x' }] }] })
  for (const target_id of [data.episodes[0].scenes[0].id, data.id, crypto.randomUUID()]) {
    expect((await ana.rpc('regenerate_asset', { target_id, kind: 'portrait' })).error).toMatchObject({
      details: 'drama_not_found',
      message: 'Character not found.',
    })
  }
})

test('ignores a prompt of white space, and refuses a character without any text', async () => {
  const { data } = await save(ana, { characters: [{ name: ' Mira\n' }, { appearance: '\n' }] })
  const asked = await ana.rpc('regenerate_asset', {
    target_id: data.characters[0].id,
    kind: 'portrait',
    prompt: '\n\t',
  })
  expect((await ana.rpc('job_tree', { job_id: asked.data })).error).toBeNull()
  const { client } = dramas
  const { rows } = await client.query("select input ->> 'prompt' as prompt from jobs where id = $1", [asked.data])
  expect(rows).toEqual([{ prompt: 'Mira' }])
  expect(await ana.rpc('regenerate_asset', { target_id: data.characters[1].id, kind: 'portrait' })).toMatchObject({
    status: 422,
    error: { details: 'prompt_missing' },
  })
})
