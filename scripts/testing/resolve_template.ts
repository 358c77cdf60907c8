import { parseConfig } from '../../worker/config.ts'
import { createDb, openPool } from '../../worker/shared/db.ts'
import { createLogger } from '../../worker/shared/log.ts'
import { createCache } from '../../worker/templates/cache.ts'
import { cacheFolder, openTemplateStore } from '../../worker/templates/config.ts'
import { createTemplates, type ResolvedTemplate, TemplateError } from '../../worker/templates/resolver.ts'

// A process with the worker's environment that resolves a template many times at once and prints the results.
const [template = '', version = 'default', times = '1'] = process.argv.slice(2)
const config = parseConfig(process.env)
const logger = createLogger('resolve', config.LOG_LEVEL)
const pool = openPool({ url: config.DATABASE_URL, name: 'resolve', max: 5, logger })
const store = openTemplateStore(config)
const templates = createTemplates({
  isRemote: config.FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE,
  db: createDb(pool),
  store,
  cache: createCache(cacheFolder(config), { ttlMs: config.TEMPLATES_CACHE_TTL_SECONDS * 1000 }),
  logger,
})
const resolved = await Promise.all(Array.from({ length: Number(times) }, () => resolve()))

/** Like a step, tries again when Postgres or the store did not answer in time. */
async function resolve(left = 20): Promise<ResolvedTemplate> {
  try {
    return await templates.resolve({ template, version, locale: 'en' })
  } catch (error) {
    if (left === 0 || !(error instanceof TemplateError)) throw error
    return resolve(left - 1)
  }
}
console.log(
  JSON.stringify(
    resolved.map(({ source, artifacts }) => ({
      source,
      hashes: Object.fromEntries(Object.entries(artifacts).map(([kind, { sha256 }]) => [kind, sha256])),
    })),
  ),
)
store?.close()
await pool.end()
