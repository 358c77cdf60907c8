import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { z } from 'zod'
import { studioHandlers } from '../../../worker/handlers/studio/index.ts'
import { createSpaces } from '../../../worker/shared/object_store.ts'
import { defineHandler, type HandlerFactory } from '../../../worker/steps/define_handler.ts'
import { makePng } from '../../local/gemini.ts'
import { freePort } from '../../local/ports.ts'
import { startGeminiStandIn, startObjectStore } from '../../local/services.ts'
import { spacesConfig } from '../../testing/store.ts'
import { atMost, median, type Section, say } from '../report.ts'
import { watchWaits } from '../watch_waits.ts'
import { type BenchDeps, withWorker } from '../worker.ts'
import type { StudioStage, User } from './stage.ts'

/** The competitor: a run of one step that does nothing. */
const noop = defineHandler({ input: z.object({}), output: z.object({}), run: () => ({}) })

/** The milliseconds of a run: all of them, and those in which the worker waited for Gemini and for the store. */
type Cost = { ms: number; waitMs: number }

/**
 * Measures a generation against a no-op step, both from the submission until the run is completed, one at a time, in turns, in
 * the same worker process. A generation reads its photo from an S3 server, asks the stand-in for Gemini, which answers at once,
 * and stores its image.
 *
 * The bar is for the generation without its waits: from the moment when a request to Gemini or to the store is sent until the
 * headers of the answer arrive. The other program is not a part of Plinth. Everything else counts: making, sending and reading
 * the messages, and all of the database. The ratio of the whole generation is printed, too.
 */
export async function measureGenerations(stage: StudioStage, generations: number): Promise<Section> {
  const photo = makePng('a face')
  const etag = `"${createHash('md5').update(photo).digest('hex')}"`
  const { admin, users, toolId } = await stage.open('generations', etag)
  const [user] = users
  if (!user) throw new Error('A generation needs a user')
  await admin.query(`insert into public.job_types (name, timeout) values ('noop', '6 min')`)
  await admin.query(`select set_config('request.jwt.claims', $1, false)`, [user.claims])
  const [geminiPort, storePort] = [await freePort(), await freePort()]
  const { home } = stage.cluster
  const [gemini, store] = await Promise.all([
    startGeminiStandIn(home, geminiPort),
    startObjectStore(home, storePort, ['user_uploads', 'generations']),
  ])
  await putPhoto(storePort, user, photo)
  const waits = [watchWaits(geminiPort), watchWaits(storePort)]
  const readWaitMs = () => waits.reduce((sum, one) => sum + one.read(), 0)
  try {
    return await withWorker(
      {
        cluster: stage.cluster,
        database: 'generations',
        concurrency: 10,
        handlers: { ...studioHandlers, noop } as Record<string, HandlerFactory<BenchDeps>>,
        geminiEnv: { GEMINI_API_KEY: 'stand-in', GEMINI_BASE_URL: `http://127.0.0.1:${geminiPort}` },
        storageEnv: {
          STORAGE_S3_ENDPOINT: `http://127.0.0.1:${storePort}`,
          STORAGE_S3_REGION: 'us-east-1',
          STORAGE_S3_ACCESS_KEY_ID: 'S3RVER',
          STORAGE_S3_SECRET_ACCESS_KEY: 'S3RVER',
        },
      },
      () => compare(admin, { user, toolId }, { generations, rounds: stage.rounds, readWaitMs }),
    )
  } finally {
    for (const one of waits) one.stop()
    await gemini.stop('SIGTERM', 3000)
    await store.stop('SIGTERM', 3000)
  }
}

async function compare(
  admin: pg.Client,
  { user, toolId }: { user: User; toolId: string },
  { generations, rounds, readWaitMs }: { generations: number; rounds: number; readWaitMs: () => number },
): Promise<Section> {
  const runNoop = () =>
    admin.query(`select app.submit_run('{"key": "noop", "type": "noop", "input": {}}', $1, null) as id`, [user.id])
  const runGeneration = () =>
    admin.query(
      `select public.process_image(
         tool_id => $1,
         original_image_storage_path => $2,
         tool_parameters => jsonb_build_object('color', gen_random_uuid())
       )`,
      [toolId, user.photo],
    )
  /** Runs one at a time, and returns the medians of their costs. */
  const run = async (count: number, submit: () => Promise<pg.QueryResult>): Promise<Cost> => {
    const costs: Cost[] = []
    for (let n = 0; n < count; n++) {
      const [from, waited] = [performance.now(), readWaitMs()]
      await submit()
      while ((await admin.query('select from app.runs where finished_at is null limit 1')).rowCount !== 0) {
        await sleep(0)
      }
      costs.push({ ms: performance.now() - from, waitMs: readWaitMs() - waited })
    }
    return {
      ms: median(costs.map(({ ms }) => ms)),
      waitMs: median(costs.map(({ waitMs }) => waitMs)),
    }
  }
  say('Generations: a warm-up, then rounds …')
  await run(20, runNoop)
  await run(20, runGeneration)
  await admin.query('analyze')
  const results: { step: Cost; generation: Cost }[] = []
  for (let round = 0; round < rounds; round++) {
    results.push({ step: await run(generations, runNoop), generation: await run(generations, runGeneration) })
  }
  const { rows } = await admin.query(
    `select count(*) filter (where g.status <> 'completed')::integer as others from public.generations as g`,
  )
  if (rows[0].others !== 0) throw new Error(`${rows[0].others} generations were not completed`)
  const of = (key: 'step' | 'generation', cost: keyof Cost) => median(results.map((one) => one[key][cost]))
  const whole = median(results.map(({ step, generation }) => generation.ms / step.ms))
  const own = median(results.map(({ step, generation }) => (generation.ms - generation.waitMs) / step.ms))
  return {
    bars: [atMost('a generation, without its waits for Gemini and the store: against a no-op step', own, 3)],
    figures: [
      { name: 'a no-op step, submitted and completed alone: p50', value: of('step', 'ms'), unit: 'ms' },
      { name: 'a generation, alone: p50', value: of('generation', 'ms'), unit: 'ms' },
      { name: 'a generation: its waits for Gemini and the store', value: of('generation', 'waitMs'), unit: 'ms' },
      { name: 'a generation, with its waits, against a no-op step', value: whole, unit: '×' },
    ],
  }
}

async function putPhoto(port: number, user: User, photo: Buffer): Promise<void> {
  const store = createSpaces(spacesConfig(port, 'user_uploads'))
  await store.put({
    key: user.photo,
    open: () => Readable.from([photo]),
    length: photo.length,
    contentType: 'image/png',
    cacheControl: 'no-store',
  })
  store.close()
}
