import { createSpaces } from './adapters/spaces.ts'
import { parseConfig } from './config.ts'
import type { Handler } from './define_handler.ts'
import { createDb, createPing, openPool } from './deps.ts'
import { startHealth } from './health.ts'
import { createQueue } from './queue.ts'
import { createLogger, exitOnSignal, orExit } from './service.ts'
import { createSteps } from './steps.ts'

/** Starts a worker process with these handlers: reads the environment, opens the pool, exits. For main.ts, here and in tests. */
export async function startWorker(handlers: Record<string, Handler>): Promise<void> {
  const config = await orExit(2, () => parseConfig(process.env))
  const logger = createLogger('worker', config.LOG_LEVEL)

  // Beside the jobs: one connection listens, one serves cron and schedules, one health, two the steps.
  const max = config.WORKER_CONCURRENCY + 5
  const pool = openPool({ url: config.DATABASE_URL, name: 'plinth-worker', max, logger })
  const db = createDb(pool)
  const store = createSpaces(config)
  const steps = createSteps({ db, logger, handlers, concurrency: config.WORKER_STEP_CONCURRENCY })
  const queue = createQueue({ pool, db, store, logger, steps, concurrency: config.WORKER_CONCURRENCY })
  const ping = createPing(db, 'worker.ping')

  const { WORKER_HEALTH_HOST: host, WORKER_HEALTH_PORT: port } = config
  const findTrouble = async () => queue.trouble() ?? ((await ping()) ? undefined : 'The database does not answer.')
  const health = await orExit(1, () => startHealth({ host, port, findTrouble, logger }))
  exitOnSignal(logger, async () => {
    await Promise.all([queue.stop(), steps.stop()])
    store.close()
    await pool.end()
    health.close()
  })
  queue.start()
  steps.start()
}
