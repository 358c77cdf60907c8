import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

let database: TestDatabase
let api: Api
let ana: SupabaseClient
let ben: SupabaseClient
let service: SupabaseClient
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
      authorization: `Bearer ${api.tokenFor(user)}`,
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
})
