import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { fileTypeFromBuffer } from 'file-type'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireInvariants } from '../../db/tests/20_jobs/invariants.ts'
import { type StandIn, startGemini } from '../../scripts/local/gemini.ts'
import { type Child, freePort, startChild } from '../../scripts/local/process.ts'
import { spacesEnv } from '../../scripts/local/services.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../scripts/testing/database.ts'
import { startTestStore, type TestStore } from '../../scripts/testing/store.ts'

// Whole dramas: real worker processes, Postgres, PostgREST and S3, and a stand-in that speaks Gemini's wire format.
let database: TestDatabase
let client: pg.Client
let api: Api
let store: TestStore
let gemini: StandIn
let home: string
let ana: SupabaseClient
const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
const workers: Child[] = []
let started = 0

const docs = new URL('../../docs/', import.meta.url)
const isDrama = addFormats
  .default(new Ajv2020({ allErrors: true }))
  .compile(JSON.parse(readFileSync(new URL('drama.schema.json', docs), 'utf8')))

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  await client.query("update app.settings set job_lease = '3 seconds', job_events_are_kept = true")
  await client.query("update job_types set backoff = '50 ms' where has_handler")
  api = await startApi(database)
  store = await startTestStore()
  gemini = await startGemini()
  home = mkdtempSync(join(tmpdir(), 'plinth-drama-'))
  ana = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
})
beforeEach(() => {
  gemini.behave({ latencyMs: 0, videoPolls: 3, faults: [] })
  gemini.requests.length = 0
  gemini.sold.length = 0
})
afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop('SIGTERM', 6000))))
afterAll(async () => {
  await gemini.stop()
  await store.stop()
  await api.stop()
  await database.drop()
  rmSync(home, { recursive: true, force: true })
})

async function startWorker(env: Record<string, string> = {}): Promise<Child> {
  started += 1
  const worker = startChild(home, `worker-${started}`, process.execPath, [join(import.meta.dirname, '../main.ts')], {
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: database.url('worker'),
      WORKER_HEALTH_PORT: String(await freePort()),
      WORKER_STEP_CONCURRENCY: '6',
      GEMINI_API_KEY: 'key',
      GEMINI_BASE_URL: gemini.url,
      GEMINI_TIMEOUT_SECONDS: '2',
      GEMINI_VIDEO_POLL_SECONDS: '0.05',
      ...spacesEnv(store.port),
      PLINTH_HOME: home,
      ...env,
    },
  })
  workers.push(worker)
  return worker
}

type Drama = {
  id: string
  title: string
  characters: { id: string; name: string; appearance: string; portrait_url: string | null }[]
  episodes: {
    title: string
    script: string
    scenes: {
      id: string
      text: string
      image_prompt: string
      image_url: string | null
      video_url: string | null
      character_ids: string[]
    }[]
  }[]
}
type Node = {
  key: string
  type: string
  status: string
  error: { slug: string; message: string } | null
  children: Node[]
}

async function generate(premise: string, options: object = {}): Promise<{ id: string; runId: number }> {
  const { data } = await ana
    .rpc('generate_drama', { premise, options })
    .single<{ id: string; run_id: number }>()
    .throwOnError()
  return { id: data.id, runId: data.run_id }
}

async function open(id: string): Promise<Drama> {
  const { data } = await ana.rpc('get_drama_complete', { drama_id: id }, { get: true }).throwOnError()
  expect(isDrama(data), JSON.stringify(isDrama.errors)).toBe(true)
  return data as Drama
}

const tree = async (runId: number) => (await ana.rpc('job_tree', { job_id: runId }).throwOnError()).data as Node
const flatten = (node: Node): Node[] => [node, ...node.children.flatMap(flatten)]
const status = async (jobId: number) =>
  (await ana.from('jobs').select('status').eq('id', jobId).single().throwOnError()).data.status as string

async function until(what: string, fact: () => Promise<boolean>, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) if (await fact()) return
  const logs = workers.map(({ log }) => readFileSync(log, 'utf8').slice(-3000)).join('\n')
  throw new Error(`It never happened: ${what}.\n${logs}`)
}
const ended = (runId: number, expected = 'completed') =>
  until(`run ${runId} is ${expected}`, async () => {
    const now = await status(runId)
    if (now !== expected && ['failed', 'cancelled', 'completed'].includes(now)) {
      throw new Error(`The run is ${now}: ${JSON.stringify(flatten(await tree(runId)).filter(({ error }) => error))}`)
    }
    return now === expected
  })

async function expectPng(url: string | null): Promise<void> {
  expect(url).toMatch(`${store.url}/drama-assets/`)
  const response = await fetch(url ?? '')
  expect(response.headers.get('content-type')).toBe('image/png')
  expect(await fileTypeFromBuffer(await response.arrayBuffer())).toMatchObject({ mime: 'image/png' })
}

test('a drama is made from a premise that is posted', { timeout: 90_000 }, async () => {
  await startWorker()
  const response = await fetch(`${api.url}/rest/v1/dramas?select=id,run_id`, {
    method: 'POST',
    headers: {
      apikey: api.anonKey,
      authorization: `Bearer ${api.tokenFor(user)}`,
      'content-type': 'application/json',
      prefer: 'return=representation',
    },
    body: JSON.stringify({ premise: 'A keeper finds letters that were never sent.', model: 'gemini-3-pro-preview' }),
  })
  expect(response.status).toBe(201)
  const [{ id, run_id }] = (await response.json()) as [{ id: string; run_id: number }]
  await ended(run_id)

  const drama = await open(id)
  expect(drama).toMatchObject({
    premise: 'A keeper finds letters that were never sent.',
    model: 'gemini-3-pro-preview',
  })
  expect(drama.title).not.toBe('')
  expect(drama.characters).toHaveLength(4)
  expect(drama.episodes.map(({ scenes }) => scenes.length)).toEqual([4, 4, 4])
  for (const { portrait_url } of drama.characters) await expectPng(portrait_url)
  for (const { script, scenes } of drama.episodes) {
    expect(script).not.toBe('')
    for (const scene of scenes) {
      expect(scene.text).not.toBe('')
      expect(drama.characters.map(({ id }) => id)).toEqual(expect.arrayContaining(scene.character_ids))
      expect(scene.video_url).toBeNull()
      await expectPng(scene.image_url)
    }
  }
  // outline, cast, 4 portraits, 3 scripts, 12 texts, 12 images: each bought once, none twice.
  expect(gemini.sold).toHaveLength(33)
  expect(new Set(gemini.sold).size).toBe(33)
  const { rows } = await client.query(
    `select type, count(*)::int, bool_and((output #>> '{usage,input_tokens}')::int > 0 and (output #>> '{usage,output_tokens}')::int > 0) as has_usage
     from jobs where root_id = $1 and type <> 'generate_drama' group by type order by type`,
    [run_id],
  )
  expect(rows).toEqual([
    { type: 'generate_image', count: 16, has_usage: true },
    { type: 'write_cast', count: 1, has_usage: true },
    { type: 'write_outline', count: 1, has_usage: true },
    { type: 'write_scene', count: 12, has_usage: true },
    { type: 'write_script', count: 3, has_usage: true },
  ])
  expect(gemini.requests[0]).toBe('/v1beta/models/gemini-3-pro-preview:generateContent')
  await requireInvariants(client)
})
