import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DramaApi, save, smallDrama, startDramaApi } from './drama_api.ts'

let dramas: DramaApi

beforeAll(async () => {
  dramas = await startDramaApi()
})
afterAll(() => dramas.stop())

test('limits saving and generating per user, and stores nothing for a refused request', async () => {
  const { client } = dramas
  const { user, client: api } = await dramas.createUser('dora')
  await client.query(
    'update app.settings set drama_writes_per_minute = 2, dramas_per_day = 1, drama_assets_per_day = 1',
  )
  try {
    expect((await save(api, smallDrama())).status).toBe(200)
    const { data } = await save(api, smallDrama())
    const third = await dramas.send(user, 'rpc/save_drama_complete', {}, JSON.stringify({ drama: smallDrama() }))
    expect(third.status).toBe(429)
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await api.rpc('generate_drama', { premise: 'x' })).status).toBe(200)
    expect((await api.rpc('generate_drama', { premise: 'x' })).status).toBe(429)
    expect((await api.from('dramas').insert({ premise: 'x' })).status).toBe(429)
    const asset = { target_id: data.characters[0].id, kind: 'portrait' }
    expect((await api.rpc('regenerate_asset', asset)).status).toBe(200)
    expect((await api.rpc('regenerate_asset', asset)).status).toBe(429)
    expect((await api.from('dramas').select('id')).data).toHaveLength(3)
  } finally {
    await client.query(
      'update app.settings set drama_writes_per_minute = 1000000, dramas_per_day = 50, drama_assets_per_day = 500',
    )
  }
})
