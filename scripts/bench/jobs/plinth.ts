import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { pino } from 'pino'
import { z } from 'zod'
import { createDramaMedia } from '../../../worker/adapters/drama_media.ts'
import { createGemini, geminiVariables } from '../../../worker/adapters/gemini.ts'
import { heartbeatInThread } from '../../../worker/heartbeat/heartbeat.ts'
import { createQueue } from '../../../worker/queue/runner.ts'
import { bindAll } from '../../../worker/shared/bind_all.ts'
import { createDb } from '../../../worker/shared/db.ts'
import { createSpaces } from '../../../worker/shared/object_store.ts'
import { createAccidents } from '../../../worker/steps/accidents.ts'
import { createPump } from '../../../worker/steps/pump.ts'
import { tasks } from '../../../worker/tasks/index.ts'
import { createCache } from '../../../worker/templates/cache.ts'
import { createTemplates } from '../../../worker/templates/resolver.ts'
import { assetsUrl } from '../../local/services.ts'
import { databaseUrl } from '../../testing/cluster.ts'
import { testHandlers } from '../../testing/handlers.ts'
import { spacesConfig } from '../../testing/store.ts'
import { type Shape, toSpec } from './shapes.ts'
import { type JobsStage, until, watch } from './stage.ts'

/** Calls `work` while Plinth's worker runs in this process. */
export async function withPlinth<Result>(
  { cluster, concurrency }: JobsStage,
  work: () => Promise<Result>,
  database = 'plinth',
): Promise<Result> {
  const pool = new pg.Pool({ connectionString: databaseUrl(cluster, database, 'worker'), max: 15 })
  watch(pool)
  const db = createDb(pool)
  const logger = pino({ level: 'error' }, pino.destination(2))
  // No step of this benchmark has prompts or files, or asks Gemini.
  const cache = createCache(cluster.home, { ttlMs: 0 })
  const templates = createTemplates({ isRemote: false, db, store: undefined, cache, logger })
  const store = createSpaces(spacesConfig(1))
  const media = createDramaMedia(store, assetsUrl(1))
  const gemini = createGemini(z.object(geminiVariables).parse({}))
  const deps = { templates, media, gemini }
  const handlers = bindAll(testHandlers, deps)
  const openHeartbeat = heartbeatInThread({
    url: databaseUrl(cluster, database, 'worker'),
    logLevel: 'error',
    stallSeconds: 60,
    onDeath(error) {
      throw error
    },
  })
  const accidents = createAccidents()
  const pump = createPump({ db, logger, handlers, concurrency, accidents, onIgnoredSignal() {}, openHeartbeat })
  const taskDeps = { db, store, templateStore: undefined, pump, logger }
  const queue = createQueue({ pool, db, logger, tasks: bindAll(tasks, taskDeps), runsSchedules: true, concurrency: 10 })
  queue.start()
  pump.start()
  while (queue.trouble() !== undefined) await sleep(20)
  try {
    return await work()
  } finally {
    const now = AbortSignal.abort()
    await Promise.all([queue.stop(0, now), pump.stop(0, now)])
    await pool.end()
  }
}

/**
 * Runs the shapes on Plinth. Returns the milliseconds of submitting, and of submitting and running. Throws if a step ran early
 * or without its output.
 */
export async function runOnPlinth(client: pg.Client, shapes: Shape[]): Promise<{ submit: number; ran: number }> {
  const specs = shapes.map((shape) => JSON.stringify(toSpec(shape)))
  const from = performance.now()
  const ids: number[] = []
  for (const spec of specs) {
    ids.push(Number((await client.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id))
  }
  const submitted = performance.now()
  await until(client, 'select from app.runs where id = any ($1) and finished_at is null limit 1', [ids])
  const ended = performance.now()
  const { rows } = await client.query(
    `select
      count(*) filter (
        where j.status = 'completed' and jsonb_array_length(j.output -> 'of') = coalesce(cardinality(j.depends_on), 0)
      ) as good,
      count(*) filter (
        where j.started_at < (select max(d.worked_at) from jobs as d where d.id = any (j.depends_on))
      ) as early
    from jobs as j where j.root_id = any ($1) and j.parent_id is not null`,
    [ids],
  )
  const expected = shapes.reduce((sum, shape) => sum + shape.steps, 0)
  if (Number(rows[0].good) !== expected || Number(rows[0].early) > 0) {
    throw new Error(`Plinth: ${JSON.stringify(rows[0])} of ${expected}`)
  }
  return { submit: submitted - from, ran: ended - from }
}

/** Submits the shapes, and returns the milliseconds. */
export async function submitAll(client: pg.Client, shapes: Shape[]): Promise<number> {
  const specs = shapes.map((shape) => JSON.stringify(toSpec(shape)))
  const from = performance.now()
  for (const spec of specs) await client.query('select app.submit_run($1, null, null)', [spec])
  return performance.now() - from
}
