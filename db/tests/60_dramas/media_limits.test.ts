import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimSteps, completed, exchangeSteps } from '../../../scripts/testing/steps.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'
import { type DramaApi, startDramaApi } from './drama_api.ts'

// Reservations of media by several sessions at the same moment, and their refusals as a client gets them.
let dramas: DramaApi
let watcher: Client
let sessions: Client[]

beforeAll(async () => {
  dramas = await startDramaApi()
  watcher = dramas.client
  sessions = await Promise.all(Array.from({ length: 16 }, () => dramas.database.connect()))
  for (const session of sessions) await session.query("set lock_timeout = '20s'")
  await watcher.query('update app.settings set dramas_per_day = 100000, drama_assets_per_day = 100000')
  await watcher.query('update app.settings set job_retries_per_hour = 100000')
})
afterAll(() => dramas.stop())

type Refusal = { code: string; message: string; detail?: string }
/** The slug of a refusal, with or without headers. */
const slugOf = ({ message, detail }: Refusal): string | undefined =>
  message.startsWith('{') ? JSON.parse(message).details : detail

const be = (client: Client, sub: string) =>
  client.query(`select set_config('request.jwt.claims', $1, false)`, [JSON.stringify({ sub, role: 'authenticated' })])
const oneVideo = { episodes: 1, scenes_per_episode: 1, characters: 1, with_video: true }
/** Generates a drama of a scene with a video: two images and one video. */
const generate = async (client: Client, options: object = {}) =>
  (
    await client.query('select (generate_drama($1, options => $2)).run_id as run_id', [
      'A lighthouse',
      JSON.stringify({ ...oneVideo, ...options }),
    ])
  ).rows[0].run_id as string
const limit = (videos: number, all: number) =>
  watcher.query(
    `with changed as (update plans set videos_per_day = $1, images_per_day = 100000)
     update app.settings set all_videos_per_day = $2, all_images_per_day = 100000`,
    [videos, all],
  )
const newUser = async () => (await dramas.createUser(crypto.randomUUID())).user.id
const reserved = async (owner: string | null) =>
  (await watcher.query('select * from app.count_media($1, app.utc_day())', [owner])).rows[0] as {
    images: number
    videos: number
  }

/** Runs tasks, one after another in each session. Returns the slugs of refusals, and "made" for the others. */
async function inParallel(tasks: ((client: Client) => Promise<unknown>)[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const rest = [...tasks]
  await Promise.all(
    sessions.map(async (session) => {
      for (let task = rest.pop(); task !== undefined; task = rest.pop()) {
        const result = await task(session).then(
          () => 'made',
          (error: Refusal) => slugOf(error) ?? `${error.code} ${error.message}`,
        )
        counts[result] = (counts[result] ?? 0) + 1
      }
    }),
  )
  return counts
}

test('starts exactly as many of 100 parallel requests of a user as the plan allows', async () => {
  await limit(7, 1000)
  const user = await newUser()
  const request = async (client: Client) => {
    await be(client, user)
    await generate(client)
  }
  expect(await inParallel(Array.from({ length: 100 }, () => request))).toEqual({ made: 7, media_limit_reached: 93 })
  expect(await reserved(user)).toEqual({ images: 14, videos: 7 })
  expect((await watcher.query('select from dramas where owner_id = $1', [user])).rowCount).toBe(7)
  expect((await watcher.query('select from app.runs where owner_id = $1', [user])).rowCount).toBe(7)
})

test('never passes the ceiling when 50 users request in parallel', async () => {
  const before = await reserved(null)
  await limit(20, before.videos + 13)
  const users: string[] = []
  for (let n = 0; n < 50; n++) users.push(await newUser())
  const requests = users.map((user) => async (client: Client) => {
    await be(client, user)
    await generate(client)
  })
  expect(await inParallel(requests)).toEqual({ made: 13, media_ceiling_reached: 37 })
  expect((await reserved(null)).videos).toBe(before.videos + 13)
  const { rows } = await watcher.query(
    'select from unnest($1::uuid[]) as u (id), app.count_media(u.id, app.utc_day()) as c where c.videos > 0',
    [users],
  )
  expect(rows).toHaveLength(13)
  expect((await watcher.query('select from dramas where owner_id = any ($1)', [users])).rowCount).toBe(13)
})

test('refuses in PostgREST with the seconds until the day ends, also when the transaction commits', async () => {
  const { user } = await dramas.createUser('cleo')
  const ask = (path: string, options: object) =>
    dramas.send(user, path, {}, JSON.stringify({ premise: 'A lighthouse', options: { ...oneVideo, ...options } }))
  await limit(3, 1000)
  for (const path of ['rpc/generate_drama', 'dramas']) {
    const { status, headers, text } = await ask(path, { scenes_per_episode: 4 })
    expect(status).toBe(429)
    expect(JSON.parse(text)).toEqual({
      code: 'PT429',
      details: 'media_limit_reached',
      message: 'The plan allows 3 videos a day (UTC): 0 are reserved, and this request needs 4.',
      hint: 'Request fewer: the plan never allows so many in one day.',
    })
    const seconds = Number(headers.get('retry-after'))
    // Until midnight, or a moment more if midnight has passed since.
    const isNear = (ms: number) => Math.min(ms, 86_400_000 - ms) < 60_000
    expect(isNear((Date.now() + seconds * 1000) % 86_400_000)).toBe(true)
  }

  // Another user is about to reserve the last video of the day.
  const before = await reserved(null)
  await limit(3, before.videos + 1)
  const [other] = sessions as [Client]
  await be(other, await newUser())
  await other.query('begin')
  await generate(other)
  await other.query('set constraints all immediate')
  const late = ask('dramas', {})
  await expect
    .poll(async () => {
      const waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
      return (await watcher.query(waiting)).rowCount
    })
    .toBeGreaterThan(0)
  await other.query('commit')
  const { status, headers, text } = await late
  expect({ status, details: JSON.parse(text).details }).toEqual({ status: 429, details: 'media_ceiling_reached' })
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await watcher.query('select from dramas where owner_id = $1', [user.id])).rowCount).toBe(0)
  expect(await reserved(user.id)).toEqual({ images: 0, videos: 0 })
})

test('does not wait for a reservation of another user, nor at the end of a run', async () => {
  await limit(20, 1000)
  const [a, b] = sessions as [Client, Client]
  const user = await newUser()
  await be(a, user)
  await be(b, user)
  const run = await generate(a)
  await a.query('begin')
  await generate(a)
  await b.query("set lock_timeout = '1ms'")
  await b.query('select cancel_job($1)', [run])
  await be(b, await newUser())
  await generate(b)
  await b.query("set lock_timeout = '20s'")
  await a.query('commit')
  expect(await reserved(user)).toEqual({ images: 2, videos: 1 })
})

test('gives back a reservation on which another request of the same user waits for the rest of the day', async () => {
  await limit(1, 1000)
  const [a, b] = sessions as [Client, Client]
  const user = await newUser()
  await be(a, user)
  await be(b, user)
  for (const end of ['commit', 'rollback']) {
    await a.query('begin')
    const run = await generate(a)
    const waiting = generate(b).catch(slugOf)
    await untilWaiting(watcher, b)
    await a.query(end)
    expect(await waiting).toMatch(end === 'commit' ? /^media_limit_reached$/ : /^\d+$/)
    if (end === 'commit') await a.query('select cancel_job($1)', [run])
  }
  expect(await reserved(user)).toEqual({ images: 2, videos: 1 })
})

test('counts exactly and without a deadlock while runs are started, ended, cancelled, retried and deleted', async () => {
  const before = await reserved(null)
  await limit(12, before.videos + 30)
  // No steps of earlier tests.
  await watcher.query('delete from app.runs')
  const users = [await newUser(), await newUser(), await newUser()]
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed % below
  }
  const pick = async (client: Client, query: string, values: unknown[]) =>
    (await client.query(`${query} offset $${values.length + 1} limit 1`, [...values, random(5)])).rows[0]
  const runOf = (client: Client, user: string) =>
    pick(client, 'select r.id from app.runs as r where r.owner_id = $1 and not r.is_closed', [user])
  const media = [
    { key: 'image', type: 'generate_image', input: {} },
    { key: 'video', type: 'generate_video', input: {}, depends_on: ['image'] },
  ]
  const acts: ((client: Client, user: string) => Promise<unknown>)[] = [
    (client) => generate(client, { scenes_per_episode: 1 + random(3) }),
    async (client, user) => client.query('select cancel_job($1)', [(await runOf(client, user))?.id]),
    async (client, user) => client.query('select retry_job($1)', [(await runOf(client, user))?.id]),
    async (client, user) => {
      const drama = await pick(client, 'select d.id from dramas as d where d.owner_id = $1', [user])
      await client.query('select delete_drama($1)', [drama?.id])
    },
    async (client, user) => {
      const scene = await pick(client, 'select s.id from scenes as s where s.owner_id = $1', [user])
      await client.query("select regenerate_asset($1, 'video', 'A storm')", [scene?.id])
    },
  ]
  const work = async (client: Client) => {
    const worker = crypto.randomUUID()
    const steps = await claimSteps(client, worker, 1 + random(6))
    await exchangeSteps(
      client,
      worker,
      steps.map((step: ClaimedStep) =>
        step.type === 'write_outline'
          ? completed(step, { title: 'T', episodes: [{ id: crypto.randomUUID() }] }, media)
          : completed(step, { url: 'https://cdn.example.com/x' }),
      ),
    )
  }
  for (const user of users) {
    await be(watcher, user)
    await watcher.query('select save_drama_complete($1)', [
      '{"episodes": [{"scenes": [{"text": "x"}, {"text": "y"}]}]}',
    ])
  }
  const tasks = Array.from({ length: 500 }, (_, n) => async (client: Client) => {
    if (n % 5 === 0) return work(client)
    const user = users[random(users.length)] as string
    await be(client, user)
    return acts[random(acts.length)]?.(client, user)
  })
  const counts = await inParallel(tasks)
  expect(Object.keys(counts).filter((slug) => !/^(made|[a-z_]+)$/.test(slug))).toEqual([])
  expect(counts['made']).toBeGreaterThan(100)

  const { rows } = await watcher.query(
    `select
       sum(c.images)::integer as images,
       sum(c.videos)::integer as videos,
       max(c.videos) <= 12 as "isWithinPlan",
       (select count(*)::integer from app.media_reservations as m
        left join app.runs as r on r.id = m.run_id
        where r.id is null or r.finished_at is not null) as "reservationsOfEndedRuns"
     from unnest($1::uuid[]) as u (id)
     cross join lateral app.count_media(u.id, app.utc_day()) as c`,
    [users],
  )
  expect(rows[0]).toMatchObject({ isWithinPlan: true, reservationsOfEndedRuns: 0 })
  const others = await watcher.query(
    `select sum(c.images)::integer as images, sum(c.videos)::integer as videos
     from (select distinct d.owner_id from app.media_days as d where d.owner_id <> all ($1)) as d
     cross join lateral app.count_media(d.owner_id, app.utc_day()) as c`,
    [users],
  )
  const all = await reserved(null)
  expect(all.videos).toBeLessThanOrEqual(before.videos + 30)
  expect(all).toEqual({
    images: rows[0].images + others.rows[0].images,
    videos: rows[0].videos + others.rows[0].videos,
  })
})
