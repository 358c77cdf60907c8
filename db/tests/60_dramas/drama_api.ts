import { readFile } from 'node:fs/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type pg from 'pg'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

export type User = { id: string; email: string }
// biome-ignore lint/suspicious/noExplicitAny: any document
export type Document = any

/** A database with dramas, its API, and clients of two users and of service_role. */
export type DramaApi = {
  database: TestDatabase
  client: pg.Client
  api: Api
  users: { ana: User; ben: User }
  ana: SupabaseClient
  ben: SupabaseClient
  service: SupabaseClient
  createUser(name: string): Promise<{ user: User; client: SupabaseClient }>
  /** Sends a request as a client without a library does. */
  send(
    user: User,
    path: string,
    headers?: Record<string, string>,
    body?: string,
  ): Promise<{ status: number; headers: Headers; text: string }>
  stop(): Promise<void>
}

export async function startDramaApi(): Promise<DramaApi> {
  const database = await createDatabase()
  const client = await database.connect()
  // Some tests send ten requests of one user at the same moment.
  await client.query('update app.settings set drama_writes_per_minute = 1000000, requests_at_once = 0')
  // require_drama_room.test.sql tests these limits; here one user generates many dramas.
  await client.query('update public.plans set dramas_per_day = null, dramas_open = null')
  const api = await startApi(database)
  const createUser = async (name: string) => {
    const user = { id: crypto.randomUUID(), email: `${name}@example.com` }
    await client.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
    return { user, client: createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) }) }
  }
  const [ana, ben] = [await createUser('ana'), await createUser('ben')]
  return {
    database,
    client,
    api,
    users: { ana: ana.user, ben: ben.user },
    ana: ana.client,
    ben: ben.client,
    service: createClient(api.url, api.serviceKey),
    createUser,
    send: async (user, path, headers = {}, body) => {
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
    },
    stop: async () => {
      await api.stop()
      await database.drop()
    },
  }
}

const docs = async (name: string) =>
  JSON.parse(await readFile(new URL(`../../../docs/${name}`, import.meta.url), 'utf8'))

export const schema: Document = await docs('drama.schema.json')
export const exampleDrama: Document = await docs('drama.example.json')
/** Whether a document is as docs/drama.schema.json describes it. */
export const isDrama = addFormats.default(new Ajv2020({ allErrors: true })).compile(schema)

export const save = async (client: SupabaseClient, drama: unknown, more: object = {}) =>
  client.rpc('save_drama_complete', { drama, ...more })

export const open = async (client: SupabaseClient, drama_id: string) =>
  client.rpc('get_drama_complete', { drama_id }, { get: true })

/** A new drama of two characters, two episodes and one scene. */
export const smallDrama = () => {
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

/** A drama without its read-only fields, to compare a saved document with the one that was sent. */
export const contentOf = (drama: Document) => ({
  ...drama,
  options: 0,
  run_id: 0,
  created_at: 0,
  updated_at: 0,
  characters: drama.characters.map((character: Document) => ({ ...character, portrait_job_id: 0 })),
  episodes: drama.episodes.map((episode: Document) => ({
    ...episode,
    scenes: episode.scenes.map((scene: Document) => ({ ...scene, image_job_id: 0, video_job_id: 0 })),
  })),
})
