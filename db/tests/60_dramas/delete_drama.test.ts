import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DramaApi, save, smallDrama, startDramaApi } from './drama_api.ts'

let dramas: DramaApi

beforeAll(async () => {
  dramas = await startDramaApi()
})
afterAll(() => dramas.stop())

test('deletes the dramas of a deleted user', async () => {
  const { client } = dramas
  const { user, client: api } = await dramas.createUser('eve')
  await save(api, smallDrama())
  expect((await api.rpc('generate_drama', { premise: 'x' })).status).toBe(200)
  await client.query('delete from auth.users where id = $1', [user.id])
  for (const table of ['dramas', 'drama_characters', 'episodes', 'scenes']) {
    expect((await client.query(`select from ${table} where owner_id = $1`, [user.id])).rowCount).toBe(0)
  }
  expect(
    (await client.query('select from app.drama_runs where drama_id not in (select id from dramas)')).rowCount,
  ).toBe(0)
})
