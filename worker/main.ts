import { createSpaces } from './adapters/spaces.ts'
import { parseConfig } from './config.ts'
import { createDb, createPing, openPool } from './deps.ts'
import { startHealth } from './health.ts'
import { createQueue } from './queue.ts'
import { createLogger, exitOnSignal, orExit } from './service.ts'

const config = await orExit(2, () => parseConfig(process.env))
const logger = createLogger('worker', config.LOG_LEVEL)

// Beside the jobs: one connection listens, one serves cron and schedules, one health.
const max = config.WORKER_CONCURRENCY + 3
const pool = openPool({ url: config.DATABASE_URL, name: 'plinth-worker', max, logger })
const db = createDb(pool)
const store = createSpaces(config)
const queue = createQueue({ pool, db, store, logger, concurrency: config.WORKER_CONCURRENCY })
const ping = createPing(db, 'worker.ping')

const { WORKER_HEALTH_HOST: host, WORKER_HEALTH_PORT: port } = config
const findTrouble = async () => queue.trouble() ?? ((await ping()) ? undefined : 'The database does not answer.')
const health = await orExit(1, () => startHealth({ host, port, findTrouble, logger }))
exitOnSignal(logger, async () => {
  await queue.stop()
  store.close()
  await pool.end()
  health.close()
})
queue.start()
