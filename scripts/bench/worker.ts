import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { pino } from 'pino'
import { z } from 'zod'
import { createDramaMedia, type DramaMedia } from '../../worker/adapters/drama_media.ts'
import { createGemini, type Gemini, geminiVariables } from '../../worker/adapters/gemini.ts'
import { createUserFiles, openUserBuckets, storageVariables, type UserFiles } from '../../worker/adapters/user_files.ts'
import { createGenerationDoor, type GenerationDoor } from '../../worker/handlers/studio/door.ts'
import { createTaskDoor, type TaskDoor } from '../../worker/handlers/tasks/door.ts'
import { heartbeatInThread } from '../../worker/heartbeat/heartbeat.ts'
import { createQueue } from '../../worker/queue/runner.ts'
import { bindAll } from '../../worker/shared/bind_all.ts'
import { createDb } from '../../worker/shared/db.ts'
import { createSpaces } from '../../worker/shared/object_store.ts'
import { createAccidents } from '../../worker/steps/accidents.ts'
import type { HandlerFactory } from '../../worker/steps/define_handler.ts'
import { createPump } from '../../worker/steps/pump.ts'
import { tasks } from '../../worker/tasks/index.ts'
import { createCache } from '../../worker/templates/cache.ts'
import { createTemplates, type Templates } from '../../worker/templates/resolver.ts'
import { assetsUrl } from '../local/services.ts'
import { type ClusterInfo, databaseUrl } from '../testing/cluster.ts'
import { spacesConfig } from '../testing/store.ts'
import { watch } from './jobs/stage.ts'

/** The services that the handlers of a benchmark get. */
export type BenchDeps = {
  templates: Templates
  media: DramaMedia
  gemini: Gemini
  tasks: TaskDoor
  files: UserFiles
  generations: GenerationDoor
}

/** Calls `work` while Plinth's worker runs in this process, with bundled templates and without a store of dramas' files. */
export async function withWorker<Result>(
  options: {
    cluster: ClusterInfo
    database: string
    /** How many steps the worker runs at a time. */
    concurrency: number
    handlers: Record<string, HandlerFactory<BenchDeps>>
    /** The environment of the adapter for Gemini. */
    geminiEnv?: Record<string, string>
    /** The environment of the adapter for the files of users. */
    storageEnv?: Record<string, string>
  },
  work: () => Promise<Result>,
): Promise<Result> {
  const { cluster, database, concurrency } = options
  const pool = new pg.Pool({ connectionString: databaseUrl(cluster, database, 'worker'), max: 15 })
  watch(pool)
  const db = createDb(pool)
  const logger = pino({ level: 'error' }, pino.destination(2))
  const cache = createCache(cluster.home, { ttlMs: 0 })
  const store = createSpaces(spacesConfig(1))
  const buckets = openUserBuckets(z.object(storageVariables).parse(options.storageEnv ?? {}))
  const deps: BenchDeps = {
    templates: createTemplates({ isRemote: false, db, store: undefined, cache, logger }),
    media: createDramaMedia(store, assetsUrl(1)),
    gemini: createGemini(z.object(geminiVariables).parse(options.geminiEnv ?? {})),
    tasks: createTaskDoor(db),
    files: createUserFiles(buckets),
    generations: createGenerationDoor(db),
  }
  const handlers = bindAll(options.handlers, deps)
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
    buckets?.close()
    await pool.end()
  }
}
