import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { fileTypeFromBuffer } from 'file-type'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { requireInvariants } from '../../../db/tests/20_jobs/invariants.ts'
import { type Fault, type StandIn, startGemini } from '../../../scripts/local/gemini.ts'
import { freePort } from '../../../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../../../scripts/local/process.ts'
import { spacesEnv } from '../../../scripts/local/services.ts'
import { allowMedia } from '../../../scripts/testing/allow_media.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { startTestStore, type TestStore } from '../../../scripts/testing/store.ts'

// Whole dramas: real worker processes, Postgres, PostgREST and S3, and a stand-in for Gemini with its wire format.
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

const docs = new URL('../../../docs/', import.meta.url)
const isDrama = addFormats
  .default(new Ajv2020({ allErrors: true }))
  .compile(JSON.parse(readFileSync(new URL('drama.schema.json', docs), 'utf8')))

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  await client.query("update app.settings set job_lease = '3 seconds', job_events_are_kept = true")
  // The tests cause so many faults that a step would often reach five failures.
  await client.query("update job_types set backoff = '50 ms', max_failures = 20 where has_handler")
  // The tests generate more than a plan allows.
  await allowMedia(client)
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
  // Shifts the clock of the worker if a test asks for it.
  const clock = join(import.meta.dirname, '../../../scripts/testing/shifted_clock.ts')
  const args = ['--import', clock, join(import.meta.dirname, '../../main.ts')]
  const worker = startChild(home, `worker-${started}`, process.execPath, args, {
    env: {
      ...systemEnv(),
      DATABASE_URL: database.url('worker'),
      WORKER_HEALTH_PORT: String(await freePort()),
      WORKER_STEP_CONCURRENCY: '6',
      GEMINI_API_KEY: 'key',
      GEMINI_BASE_URL: gemini.url,
      // So long that no busy machine buys an answer twice; tests with hanging calls set less.
      GEMINI_TIMEOUT_SECONDS: '60',
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

async function until(what: string, fact: () => Promise<boolean>, seconds = 120): Promise<void> {
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

test('generates a whole drama from a premise that a client inserts', async () => {
  await startWorker()
  const response = await fetch(`${api.url}/rest/v1/dramas?select=id,run_id`, {
    method: 'POST',
    headers: {
      apikey: api.anonKey,
      authorization: `Bearer ${await api.tokenFor(user)}`,
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
  // Outline, cast, 4 portraits, 3 scripts, 12 texts and 12 images: each bought once.
  expect(gemini.sold).toHaveLength(33)
  expect(new Set(gemini.sold).size).toBe(33)
  const { rows } = await client.query(
    `select type, count(*)::int, bool_and((output #>> '{usage,input_tokens}')::int > 0 and (output #>> '{usage,output_tokens}')::int > 0) as has_usage
     from jobs where root_id = $1 and type not in ('generate_drama', 'draw_episode') group by type order by type`,
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

test('completes a drama despite faults of Gemini and killed workers, and buys the answer of a completed step once', async () => {
  gemini.behave({
    latencyMs: 100,
    faults: [
      { kind: 'blocked', every: 9, times: 1, path: 'image' },
      { kind: 'rate', every: 8, times: 3, retryDelay: '0.5s' },
      { kind: 'unavailable', every: 6, times: 6 },
      { kind: 'hang', every: 10, times: 2 },
      { kind: 'broken_json', every: 5, times: 2, path: 'gemini-3-pro-preview' },
    ],
  })
  // This test kills workers so often that one step may be lost three times.
  await client.query('update job_types set max_losses = 10')
  const impatient = { GEMINI_TIMEOUT_SECONDS: '4' }
  await Promise.all([startWorker(impatient), startWorker(impatient)])
  const { id, runId } = await generate('Two sisters keep one lighthouse.', { episodes: 3, scenes_per_episode: 5 })
  const kills = 3
  for (let kill = 1; kill <= kills; kill++) {
    // While steps run: the killed worker returns none of them.
    await until('some more is bought', async () => gemini.sold.length >= kill * 8)
    const victim = workers.shift() as Child
    process.kill(victim.pid, 'SIGKILL')
    await victim.exited
    await startWorker(impatient)
  }
  await ended(runId)

  // All steps except the refused image completed; regenerate_asset generates that image.
  const refused = flatten(await tree(runId)).filter(({ status }) => status === 'failed')
  expect(refused).toMatchObject([
    {
      type: 'generate_image',
      error: { slug: 'prompt_blocked', message: expect.stringContaining('prohibited content') },
    },
  ])
  const before = await open(id)
  const scenes = before.episodes.flatMap((episode) => episode.scenes)
  const lacking = [
    ...before.characters
      .filter(({ portrait_url }) => portrait_url === null)
      .map((one) => ['portrait', one.id] as const),
    ...scenes.filter(({ image_url }) => image_url === null).map((one) => ['image', one.id] as const),
  ]
  expect(lacking).toHaveLength(1)
  gemini.behave({ faults: [] })
  const bought = gemini.sold.length
  const [[kind, target_id]] = lacking as [readonly [string, string]]
  await ended((await ana.rpc('regenerate_asset', { target_id, kind }).throwOnError()).data)
  expect(gemini.sold.length).toBe(bought + 1)

  const drama = await open(id)
  expect(drama.characters).toHaveLength(4)
  expect(drama.episodes.map((episode) => episode.scenes.length)).toEqual([5, 5, 5])
  const urls = [
    ...drama.characters.map(({ portrait_url }) => portrait_url),
    ...drama.episodes.flatMap((episode) => episode.scenes.map(({ image_url }) => image_url)),
  ]
  await Promise.all(urls.map(expectPng))
  for (const { script, scenes } of drama.episodes) {
    expect(script).not.toBe('')
    expect(scenes.every(({ text }) => text !== '')).toBe(true)
  }

  // 1 + 1 + 4 + 3 + 15 + 15 steps have an answer, minus the refused one. Further answers were broken or lost with a worker.
  const { rows } = await client.query(
    `select
       (select count(*)::int from jobs where root_id = $1 and output ? 'usage') as completed,
       (select count(*)::int from (
          select job_id from app.job_events where run_id = $1 and status = 'completed' group by 1 having count(*) > 1
        ) as t) as twice,
       (select count(*)::int from app.job_events as e join jobs as j on j.id = e.job_id
        where e.run_id = $1 and e.status = 'running' and j.type <> 'generate_drama') as attempts`,
    [runId],
  )
  const [{ completed, twice, attempts }] = rows
  expect({ completed, twice }).toEqual({ completed: 38, twice: 0 })
  const repeated = bought - completed - 2
  expect(repeated).toBeGreaterThanOrEqual(0)
  expect(repeated).toBeLessThanOrEqual(kills * 6)
  // No worker asked for a step that it had not claimed.
  expect(bought).toBeLessThanOrEqual(attempts)
  console.info(`${completed} answers kept, ${bought} bought, ${repeated} of them lost with ${kills} killed workers`)
  await requireInvariants(client)
})

test('stops a cancelled run, continues a retried one, and buys no completed answer again', async () => {
  gemini.behave({ latencyMs: 150 })
  await startWorker()
  const { id, runId } = await generate('A cook who cannot taste.', { episodes: 2, scenes_per_episode: 4 })
  await until('some scenes are written', async () => gemini.sold.length > 12)
  await ana.rpc('cancel_job', { job_id: runId }).throwOnError()
  expect(await status(runId)).toBe('cancelled')
  await until('the worker asks for nothing more', async () => {
    const asked = gemini.requests.length
    await sleep(2500)
    return gemini.requests.length === asked
  })
  await open(id)

  const read = async () =>
    (
      await client.query(
        "select id, output, worked_at from jobs where root_id = $1 and worked_at is not null and type not in ('generate_drama', 'draw_episode') order by id",
        [runId],
      )
    ).rows
  const kept = await read()
  expect(kept.length).toBeGreaterThan(2)
  const lost = gemini.sold.length - kept.length
  expect(lost).toBeLessThanOrEqual(6)
  await ana.rpc('retry_job', { job_id: runId }).throwOnError()
  await ended(runId)
  const all = await read()
  expect(all).toEqual(expect.arrayContaining(kept))
  expect(all).toHaveLength(1 + 1 + 4 + 2 + 8 + 8)
  expect(gemini.sold.length).toBe(all.length + lost)
  const drama = await open(id)
  expect(drama.episodes.flatMap(({ scenes }) => scenes).every(({ image_url }) => image_url !== null)).toBe(true)
})

test('continues a failed run from its failed step', async () => {
  // The third text is the script, after outline and cast.
  gemini.behave({ faults: [{ kind: 'safety', every: 3, times: 1, path: 'gemini-3-pro-preview' }] })
  await startWorker()
  const { id, runId } = await generate('A bell under the sea.', { episodes: 1, scenes_per_episode: 2, characters: 2 })
  await ended(runId, 'failed')
  expect(flatten(await tree(runId)).find(({ type }) => type === 'write_script')).toMatchObject({
    status: 'failed',
    error: { slug: 'provider_refused', message: expect.stringContaining('safety') },
  })
  const { rows } = await client.query(
    "select count(*)::int as kept from jobs where root_id = $1 and type = 'generate_image' and status = 'completed'",
    [runId],
  )
  await ana.rpc('retry_job', { job_id: runId }).throwOnError()
  await ended(runId)
  // Outline, cast, script, 2 portraits, 2 texts and 2 images. Portraits that were aborted with the run may be bought twice.
  expect(new Set(gemini.sold).size).toBe(9)
  expect(gemini.sold.length - 9).toBeLessThanOrEqual(2 - rows[0].kept)
  const drama = await open(id)
  expect(drama.characters.every(({ portrait_url }) => portrait_url !== null)).toBe(true)
})

test('completes a drama of 24 scenes without a gap and for little more if 3 % of the calls have each kind of fault', async () => {
  const kinds: Fault['kind'][] = [
    'rate',
    'unavailable',
    'hang',
    'reset',
    'truncated',
    'broken_json',
    'thoughts',
    'empty',
    'no_image',
    'other',
    'fence',
    'tail',
    'echo',
    'too_many_states',
    'video_failed',
    'video_empty',
    'video_lost',
  ]
  const options = { episodes: 4, scenes_per_episode: 6, characters: 3, with_video: true }
  // Outline, cast, 3 portraits, 4 scripts; text, image and video of 24 scenes.
  const clean = 1 + 1 + 3 + 4 + 3 * 24
  const faults = kinds.map((kind, n): Fault => ({ kind, every: 33, offset: (n * 7) % 33, retryDelay: '1s' }))
  gemini.behave({ latencyMs: 5, videoPolls: 2, faults })
  await client.query('update job_types set max_failures = 5 where has_handler')
  await startWorker({ GEMINI_TIMEOUT_SECONDS: '4', WORKER_STEP_CONCURRENCY: '10' })
  const { id, runId } = await generate('A town that forgets its names.', options)
  await ended(runId)
  await client.query('update job_types set max_failures = 20 where has_handler')

  const drama = await open(id)
  expect(drama.characters.every(({ portrait_url }) => portrait_url !== null)).toBe(true)
  const scenes = drama.episodes.flatMap((episode) => episode.scenes)
  expect(scenes).toHaveLength(24)
  for (const { text, image_url, video_url } of scenes) {
    expect([text !== '', image_url !== null, video_url !== null]).toEqual([true, true, true])
  }
  console.info(`${gemini.sold.length} calls paid, ${clean} without faults`)
  expect(gemini.sold.length).toBeLessThan(clean * 1.15)
})

test('fails the run of a premise that Gemini refuses, with a message for people', async () => {
  gemini.behave({ faults: [{ kind: 'blocked', every: 1 }] })
  await startWorker()
  const { id, runId } = await generate('Something that must not be.')
  await ended(runId, 'failed')
  const [root, outline] = flatten(await tree(runId))
  expect(outline?.error).toEqual({
    slug: 'prompt_blocked',
    message: 'Gemini refuses the prompt: prohibited content. Change the prompt.',
  })
  expect(root?.error).not.toBeNull()
  expect(gemini.requests).toHaveLength(1)
  expect((await open(id)).episodes).toEqual([])
})

test('fails a run with provider_not_configured if the worker has no key', async () => {
  await startWorker({ GEMINI_API_KEY: '' })
  const { runId } = await generate('A map of nowhere.')
  await ended(runId, 'failed')
  expect(flatten(await tree(runId))[1]?.error?.slug).toBe('provider_not_configured')
  expect(gemini.requests).toHaveLength(0)
})

test('starts a video once even if the worker, whose clock is two hours behind, is killed; polls it without using a slot', async () => {
  gemini.behave({ videoPolls: 1_000_000 })
  await startWorker({ WORKER_STEP_CONCURRENCY: '1', PLINTH_TEST_CLOCK_SHIFT_MS: '-7200000' })
  const options = { episodes: 1, scenes_per_episode: 2, characters: 1, with_video: true }
  const { id, runId } = await generate('A tide table with one line too many.', options)
  const count = (part: string) => gemini.requests.filter((path) => path.includes(part)).length
  // One slot, and both videos are being made.
  const polled = () => new Set(gemini.requests.filter((path) => path.includes('/operations/')))
  await until('both are polled', async () => polled().size === 2)
  expect(count(':download')).toBe(0)
  const victim = workers.shift() as Child
  process.kill(victim.pid, 'SIGKILL')
  await victim.exited
  gemini.behave({ videoPolls: 60 })
  await startWorker({ WORKER_STEP_CONCURRENCY: '1' })
  await ended(runId)
  expect(count(':predictLongRunning')).toBe(2)
  expect(count(':download')).toBe(2)
  for (const { video_url } of (await open(id)).episodes.flatMap(({ scenes }) => scenes)) {
    const response = await fetch(video_url ?? '')
    expect(response.headers.get('content-type')).toBe('video/mp4')
    expect(await fileTypeFromBuffer(await response.arrayBuffer())).toMatchObject({ mime: 'video/mp4' })
  }
})

test.each([
  ['fails to make', { kind: 'video_failed', every: 1, times: 1, path: '/operations/' }],
  ['loses while it is polled', { kind: 'video_lost', every: 1, times: 1, path: '/operations/' }],
  ['loses while it is downloaded', { kind: 'video_lost', every: 1, times: 1, path: ':download' }],
] as const)('starts a video again that Gemini %s, and reports why another one is filtered', async (_how, fault) => {
  gemini.behave({ videoPolls: 1, faults: [fault] })
  await startWorker()
  const options = { episodes: 1, scenes_per_episode: 1, characters: 1, with_video: true }
  const { id, runId } = await generate('A door in the water.', options)
  await ended(runId)
  expect(gemini.requests.filter((path) => path.includes(':predictLongRunning'))).toHaveLength(2)
  const [scene] = (await open(id)).episodes[0]?.scenes ?? []
  expect(scene?.video_url).toMatch(/\.mp4$/)

  gemini.behave({ faults: [{ kind: 'safety', every: 1, path: '/operations/' }] })
  const { data: videoId } = await ana.rpc('regenerate_asset', { target_id: scene?.id, kind: 'video' }).throwOnError()
  await ended(videoId, 'failed')
  expect((await tree(videoId)).error).toMatchObject({
    slug: 'provider_refused',
    message: expect.stringContaining('filtered'),
  })
  // The earlier video stays.
  expect((await open(id)).episodes[0]?.scenes[0]?.video_url).toBe(scene?.video_url)
})

test('continues each pending video when its run is cancelled and retried, and buys none again', async () => {
  gemini.behave({ videoPolls: 1_000_000 })
  await startWorker()
  const options = { episodes: 1, scenes_per_episode: 8, characters: 1, with_video: true }
  const reserved = async () => (await ana.rpc('get_media_limits').throwOnError()).data.videos_reserved as number
  const before = await reserved()
  const { id, runId } = await generate('A clock that waits.', options)
  const bought = () => gemini.requests.filter((path) => path.includes(':predictLongRunning')).length
  const pending = async () =>
    (await client.query('select count(state)::int as n from app.job_queue where run_id = $1', [runId])).rows[0].n
  for (let cycle = 0; cycle < 5; cycle++) {
    await until('each video has an operation', async () => (await pending()) === 8)
    await ana.rpc('cancel_job', { job_id: runId }).throwOnError()
    await ana.rpc('retry_job', { job_id: runId }).throwOnError()
  }
  gemini.behave({ videoPolls: 1 })
  await ended(runId)
  expect(bought()).toBe(8)
  // Each video was reserved once, too.
  expect((await reserved()) - before).toBe(8)
  const [episode] = (await open(id)).episodes
  expect(episode?.scenes.every(({ video_url }) => video_url !== null)).toBe(true)
  expect((await client.query('select count(*)::int as n from app.step_states')).rows[0].n).toBe(0)
  await requireInvariants(client)
})

test('loses no paid video because Gemini does not answer a third of the polls', async () => {
  await startWorker()
  const { id, runId } = await generate('A well of echoes.', { episodes: 1, scenes_per_episode: 1, characters: 1 })
  await ended(runId)
  const [scene] = (await open(id)).episodes[0]?.scenes ?? []
  gemini.behave({ videoPolls: 20, faults: [{ kind: 'unavailable', every: 3, path: '/operations/' }] })
  await client.query("update job_types set max_failures = 5 where name = 'generate_video'")
  const { data: videoId } = await ana.rpc('regenerate_asset', { target_id: scene?.id, kind: 'video' }).throwOnError()
  await ended(videoId)
  await client.query("update job_types set max_failures = 20 where name = 'generate_video'")
  expect(gemini.requests.filter((path) => path.includes(':predictLongRunning'))).toHaveLength(1)
})

test('buys at most three operations for a video that Gemini never makes', async () => {
  await startWorker()
  const { id, runId } = await generate('A kiln that stays cold.', { episodes: 1, scenes_per_episode: 1, characters: 1 })
  await ended(runId)
  const [scene] = (await open(id)).episodes[0]?.scenes ?? []
  gemini.behave({ videoPolls: 1, faults: [{ kind: 'video_failed', every: 1, path: '/operations/' }] })
  const { data: videoId } = await ana.rpc('regenerate_asset', { target_id: scene?.id, kind: 'video' }).throwOnError()
  await ended(videoId, 'failed')
  expect((await tree(videoId)).error?.slug).toBe('video_failed')
  expect(gemini.requests.filter((path) => path.includes(':predictLongRunning'))).toHaveLength(3)
})

test('replaces one portrait and one image, and fetches no reference from another server', async () => {
  let fetched = 0
  const trap = createServer((_request, response) => {
    fetched += 1
    response.end()
  })
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
  const foreign = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/secret.png`
  await startWorker()
  const { id, runId } = await generate('Letters in a wall.', { episodes: 1, scenes_per_episode: 2, characters: 2 })
  await ended(runId)
  const before = await open(id)
  const [first, second] = before.characters
  const scene = before.episodes[0]?.scenes.find(({ character_ids }) => character_ids.length > 0)
  expect(scene).toBeDefined()
  // The image of a scene is drawn after the portraits of its characters.
  const { rows } = await client.query(
    `select input ->> 'kind' as kind, min((output #>> '{usage,input_tokens}')::int) as tokens from jobs
     where root_id = $1 and type = 'generate_image' and (input ->> 'kind' = 'portrait' or input ->> 'references' <> '[]')
     group by 1 order by 1`,
    [runId],
  )
  expect(rows[0].tokens).toBeGreaterThan(rows[1].tokens + 100)

  const bought = gemini.sold.length
  const again = async (target: string | undefined, kind: string, prompt?: string) =>
    ended((await ana.rpc('regenerate_asset', { target_id: target, kind, prompt }).throwOnError()).data)
  await again(first?.id, 'portrait', 'Older, with a scar.')
  await again(scene?.id, 'image', 'The lamp goes out.')
  expect(gemini.sold.length).toBe(bought + 2)
  const after = await open(id)
  expect(after.characters[0]?.portrait_url).not.toBe(first?.portrait_url)
  expect(after.characters[1]?.portrait_url).toBe(second?.portrait_url)
  await expectPng(after.characters[0]?.portrait_url ?? null)
  const images = (drama: Drama) =>
    Object.fromEntries(drama.episodes[0]?.scenes.map((one) => [one.id, one.image_url]) ?? [])
  expect(images(after)).toEqual({ ...images(before), [scene?.id ?? '']: images(after)[scene?.id ?? ''] })
  expect(images(after)[scene?.id ?? '']).not.toBe(images(before)[scene?.id ?? ''])

  const changed = { ...after, characters: after.characters.map((one) => ({ ...one, portrait_url: foreign })) }
  await ana.rpc('save_drama_complete', { drama: changed }).throwOnError()
  await again(scene?.id, 'image')
  const [video] = (await client.query('select input from jobs order by id desc limit 1')).rows
  expect(video.input.references).toContain(foreign)
  expect(fetched).toBe(0)
  trap.close()
})
