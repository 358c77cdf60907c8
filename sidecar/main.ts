import { createDb, openPool } from '../worker/shared/db.ts'
import { createLogger } from '../worker/shared/log.ts'
import { logWarnings } from '../worker/shared/log_warnings.ts'
import { createSpaces } from '../worker/shared/object_store.ts'
import { exitOnSignal, orExit } from '../worker/shared/process.ts'
import { parseConfig } from './config.ts'
import { buildServer } from './server.ts'

const config = await orExit(2, () => parseConfig(process.env))
const logger = createLogger('sidecar', config.LOG_LEVEL)
// Statements of role sidecar end after 10 s. This longer limit is for connections that no longer answer.
const pool = openPool({ url: config.DATABASE_URL, name: 'plinth-sidecar', max: 10, queryTimeoutMs: 12_000, logger })
const db = createDb(pool)
const store = createSpaces(config, { sockets: config.SIDECAR_UPLOADS_AT_ONCE })
const server = buildServer({
  db,
  store,
  logger,
  corsOrigins: config.SIDECAR_CORS_ORIGINS,
  cdnUrl: config.ASSETS_CDN_URL,
  uploadsAtOnce: config.SIDECAR_UPLOADS_AT_ONCE,
  jwtSecret: config.JWT_SECRET,
  paymobSecrets: [config.PAYMOB_HMAC_SECRET, config.PAYMOB_HMAC_SECRET_OLD].filter((secret) => secret !== undefined),
  paymobReturnUrl: config.PAYMOB_RETURN_URL,
  uploadTimeoutMs: config.SIDECAR_UPLOAD_TIMEOUT_SECONDS * 1000,
})

exitOnSignal(logger, async () => {
  await server.close()
  store.close()
  await pool.end()
})
await orExit(1, () => server.listen({ host: config.SIDECAR_HOST, port: config.SIDECAR_PORT }))
void logWarnings(db, 'sidecar.list_warnings', logger)
