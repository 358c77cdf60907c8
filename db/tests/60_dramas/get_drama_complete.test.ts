import type { SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DramaApi, open, save, smallDrama, startDramaApi } from './drama_api.ts'

let dramas: DramaApi
let ana: SupabaseClient

beforeAll(async () => {
  dramas = await startDramaApi()
  ;({ ana } = dramas)
})
afterAll(() => dramas.stop())

test('returns the saved document with an ETag, and 304 for this ETag until the drama changes', async () => {
  const saved = await save(ana, smallDrama())
  expect(saved.status, JSON.stringify(saved)).toBe(200)
  const path = `rpc/get_drama_complete?drama_id=${saved.data.id}`
  const first = await dramas.send(dramas.users.ana, path)
  expect(first.status).toBe(200)
  expect(JSON.parse(first.text)).toEqual(saved.data)
  const etag = first.headers.get('etag') ?? ''
  expect(etag).toMatch(/^"\d{16}"$/)
  expect(first.headers.get('cache-control')).toBe('private, no-cache')
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await dramas.send(dramas.users.ana, path, { 'if-none-match': tag })
    expect(again).toMatchObject({ status: 304, text: '' })
    expect(again.headers.get('etag')).toBe(etag)
  }
  expect((await dramas.send(dramas.users.ana, path, { 'if-none-match': '"1"' })).status).toBe(200)
})

test('returns changed rows and a new ETag, also after a change by SQL', async () => {
  const { data } = await save(ana, smallDrama())
  const { client } = dramas
  await client.query("update scenes set text = 'Day.' where drama_id = $1", [data.id])
  const opened = await open(ana, data.id)
  expect(opened.data.episodes[0].scenes[0].text).toBe('Day.')
  expect(opened.data.updated_at).not.toBe(data.updated_at)
  await client.query('delete from drama_characters where drama_id = $1', [data.id])
  expect((await open(ana, data.id)).data.characters).toEqual([])
})
