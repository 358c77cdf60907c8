import { createDb, openPool } from '../worker/deps.ts'
import { createLogger, exitOnSignal, orExit } from '../worker/service.ts'
import { parseConfig } from './config.ts'
import { buildServer } from './server.ts'

const config = await orExit(2, () => parseConfig(process.env))
const logger = createLogger('sidecar', config.LOG_LEVEL)
const pool = openPool({ url: config.DATABASE_URL, name: 'plinth-sidecar', max: 10, logger })
const server = buildServer({ db: createDb(pool), logger })

exitOnSignal(logger, async () => {
  await server.close()
  await pool.end()
})
await orExit(1, () => server.listen({ host: config.SIDECAR_HOST, port: config.SIDECAR_PORT }))
