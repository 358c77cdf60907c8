import { createDramaMedia } from './adapters/drama_media.ts'
import { createGemini } from './adapters/gemini.ts'
import { createPaymob } from './adapters/paymob.ts'
import { createUserFiles, openUserBuckets } from './adapters/user_files.ts'
import { findStore, parseConfig } from './config.ts'
import type { DramaDeps } from './handlers/dramas/deps.ts'
import type { PaymentDeps } from './handlers/payments/deps.ts'
import { createOrderDoor } from './handlers/payments/door.ts'
import type { StudioDeps } from './handlers/studio/deps.ts'
import { createGenerationDoor } from './handlers/studio/door.ts'
import type { AgentTaskDeps } from './handlers/tasks/deps.ts'
import { createTaskDoor } from './handlers/tasks/door.ts'
import { heartbeatInThread } from './heartbeat/heartbeat.ts'
import type { TaskFactory } from './queue/define_task.ts'
import { createQueue } from './queue/runner.ts'
import { bindAll } from './shared/bind_all.ts'
import { createGate } from './shared/connection_gate.ts'
import { createDb, createPing, openPool } from './shared/db.ts'
import { startHealth } from './shared/health.ts'
import { createLogger } from './shared/log.ts'
import { logWarnings } from './shared/log_warnings.ts'
import { createSpaces } from './shared/object_store.ts'
import { exitOnSignal, orExit } from './shared/process.ts'
import { createAccidents } from './steps/accidents.ts'
import { chooseHandlers } from './steps/choose_handlers.ts'
import type { HandlerFactory } from './steps/define_handler.ts'
import { createPump } from './steps/pump.ts'
import type { StorageDeps, Deps as TaskDeps } from './tasks/deps.ts'
import { createCache } from './templates/cache.ts'
import { cacheFolder, openTemplateStore } from './templates/config.ts'
import { createTemplates } from './templates/resolver.ts'

/** The services of this process for its handlers, of all products. */
type HandlerDeps = DramaDeps & AgentTaskDeps & PaymentDeps & StudioDeps

/**
 * Starts a worker process: reads the environment, opens the pool, gives handlers and tasks their services, and exits at a
 * signal. For main.ts, of the worker and of tests.
 */
export async function startWorker(options: {
  handlers: Record<string, HandlerFactory<HandlerDeps>>
  tasks: Record<string, TaskFactory<TaskDeps>>
  /** The tasks of a pool: a worker with `WORKER_TYPES`, which runs no schedules either. */
  poolTasks: Record<string, TaskFactory<Pick<TaskDeps, 'pump'>>>
  /** The job types that need the buckets of users' files. A worker without STORAGE_S3_* leaves them to other workers. */
  storageTypes?: string[]
  /** The tasks that need these buckets. Pools do not run them. */
  storageTasks?: Record<string, TaskFactory<TaskDeps & StorageDeps>>
  /** How long a handler may ignore its signal before the process ends. Default: a minute. */
  ignoredMaxMs?: number
}): Promise<void> {
  const config = await orExit(2, () => parseConfig(process.env))
  const buckets = openUserBuckets(config)
  const left = buckets === undefined ? (options.storageTypes ?? []) : []
  const handlers = await orExit(2, () =>
    chooseHandlers(options.handlers, config, { types: left, need: 'STORAGE_S3_*' }),
  )
  const logger = createLogger('worker', config.LOG_LEVEL)

  // graphile-worker's queries are short. Calls of functions wait longer than the statement_timeout of role worker (30 s),
  // because a call that takes longer than this timeout gets no answer.
  const gate = createGate({ logger })
  const poolOptions = { url: config.DATABASE_URL, name: 'plinth-worker', queryTimeoutMs: 15_000, gate, logger }
  // One connection per job, one that listens, one for everything else: cron, schedules, health, calls of handlers.
  const pool = openPool({ ...poolOptions, max: config.WORKER_CONCURRENCY + 2 })
  const db = createDb(pool, { timeoutMs: 40_000 })
  // Calls of handlers may wait for rows that a client holds, so exchanges have connections of their own: one for the pump,
  // two for late results.
  const exchangePool = openPool({ ...poolOptions, max: 3 })
  const assets = findStore(config)
  const store = assets && createSpaces(assets.spaces)
  const templateStore = openTemplateStore(config)
  const cache = createCache(cacheFolder(config), { ttlMs: config.TEMPLATES_CACHE_TTL_SECONDS * 1000 })
  const isRemote = config.FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE
  const templates = createTemplates({ isRemote, db, store: templateStore, cache, logger })
  const drainMs = config.WORKER_DRAIN_SECONDS * 1000
  const accidents = createAccidents()
  const pump = createPump({
    db,
    exchangeDb: createDb(exchangePool, { timeoutMs: 40_000 }),
    logger,
    handlers: bindAll(handlers, {
      templates,
      gemini: createGemini(config),
      media: createDramaMedia(store, assets?.publicUrl),
      tasks: createTaskDoor(db),
      paymob: createPaymob(config),
      orders: createOrderDoor(db),
      files: createUserFiles(buckets),
      generations: createGenerationDoor(db),
    }),
    concurrency: config.WORKER_STEP_CONCURRENCY,
    accidents,
    onIgnoredSignal: () => shutdown.fail({ isHurried: false }),
    ...(options.ignoredMaxMs !== undefined && { ignoredMaxMs: options.ignoredMaxMs }),
    openHeartbeat: heartbeatInThread({
      url: config.DATABASE_URL,
      logLevel: config.LOG_LEVEL,
      stallSeconds: config.WORKER_STALL_SECONDS,
      onDeath(err) {
        logger.error({ err }, 'Heartbeat thread died')
        shutdown.fail({ isHurried: true })
      },
    }),
  })
  const isPool = config.WORKER_TYPES !== undefined || store === undefined
  const queue = createQueue({
    pool,
    db,
    logger,
    tasks: isPool
      ? bindAll(options.poolTasks, { pump, logger })
      : {
          ...bindAll(options.tasks, { db, store, templateStore, pump, logger }),
          ...(buckets && bindAll(options.storageTasks ?? {}, { db, store, templateStore, buckets, pump, logger })),
        },
    runsSchedules: !isPool,
    concurrency: config.WORKER_CONCURRENCY,
    callTask: accidents.call,
  })
  const ping = createPing(db, 'worker.ping')

  const { WORKER_HEALTH_HOST: host, WORKER_HEALTH_PORT: port } = config
  const findTrouble = async () => queue.trouble() ?? (await ping())
  const health = await orExit(1, () => startHealth({ host, port, findTrouble, logger }))
  // Supervisors kill a process that takes longer; docs/operations.md names the time.
  const maxMs = drainMs + 8000
  const shutdown = exitOnSignal(
    logger,
    async (hurry) => {
      const stops = await Promise.allSettled([queue.stop(drainMs, hurry), pump.stop(drainMs, hurry)])
      store?.close()
      templateStore?.close()
      buckets?.close()
      await Promise.all([pool.end(), exchangePool.end()])
      health.close()
      for (const stop of stops) if (stop.status === 'rejected') throw stop.reason
    },
    { maxMs, canHurry: true },
  )
  accidents.watch((accident) => {
    pump.endAfterAccident(accident)
    shutdown.fail({ isHurried: true })
  })
  if (isRemote) {
    const tidy = () => cache.tidy().catch((err: Error) => logger.warn({ err }, 'Template cache could not be tidied'))
    void tidy()
    setInterval(tidy, 86_400_000).unref()
  }
  if (left.length > 0) logger.info({ types: left }, 'STORAGE_S3_* is not set: other workers must run these types')
  queue.start()
  pump.start()
  void logWarnings(db, 'worker.list_warnings', logger)
}
