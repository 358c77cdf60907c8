import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { pino } from 'pino'
import { createSpaces } from '../../worker/adapters/spaces.ts'
import { createDb } from '../../worker/deps.ts'
import { createCache } from '../../worker/templates/cache.ts'
import { createTemplates } from '../../worker/templates/resolver.ts'
import { openHome } from '../local/home.ts'
import { startPostgres } from '../local/postgres.ts'
import { freePort, stopStale } from '../local/process.ts'
import { startObjectStore, templateBucket } from '../local/services.ts'
import { findBundle, planVersion, publish } from '../publish.ts'
import { type ClusterInfo, databaseUrl, prepareDatabase } from '../testing/cluster.ts'
import { spacesConfig } from '../testing/store.ts'
import { atLeast, atMost, machine, median, print } from './report.ts'

/**
 * `npm run bench:templates`: what resolving a template of three artifacts of 20 KB costs from the cache (Postgres is asked
 * which version, each file is read and hashed) and from the store, in turns. `-- --json` prints one object.
 */

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '9' } },
})
const rounds = Number(options.rounds)
const cachedPerRound = 200
const coldPerRound = 5
const environment = machine()
const say = (line: string) => !options.json && console.log(line)

const home = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
const stop = async () => {
  await stopStale(home)
  rmSync(home, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stop().finally(() => process.exit(1)))
try {
  await promisify(execFile)('chmod', ['755', home])
  const cluster: ClusterInfo = { home, port: await freePort(), secrets: openHome(home) }
  await startPostgres({ home, port: cluster.port, adminPassword: cluster.secrets.adminPassword }, () => {})
  await prepareDatabase(cluster, 'plinth')
  const storePort = await freePort()
  await startObjectStore(home, storePort)
  const store = createSpaces({ ...spacesConfig(storePort, templateBucket), SPACES_TIMEOUT_SECONDS: 15 })

  const bundles = join(home, 'bundles')
  const kinds = ['one', 'two', 'three']
  mkdirSync(join(bundles, 'bench/v1.0.0'), { recursive: true })
  for (const kind of kinds) writeFileSync(join(bundles, `bench/v1.0.0/${kind}.md`), randomBytes(10_240).toString('hex'))
  const artifacts = kinds.map((kind) => ({ kind, locale: 'en', file: `${kind}.md`, content_type: 'text/markdown' }))
  const manifest = { template: 'bench', default_version: '1.0.0', versions: { '1.0.0': { artifacts } } }
  writeFileSync(join(bundles, 'bench/manifest.json'), JSON.stringify(manifest))
  const operator = new pg.Client(databaseUrl(cluster, 'plinth'))
  await operator.connect()
  const plan = await planVersion(await findBundle('bench', bundles), '1.0.0')
  await publish({ db: createDb(operator as unknown as pg.Pool), store }, plan, { setDefault: true })

  const pool = new pg.Pool({ connectionString: databaseUrl(cluster, 'plinth', 'worker'), max: 5 })
  // As in production, a line is written for each; here to nowhere.
  const logger = pino({}, { write: () => {} })
  const folder = join(home, 'cache')
  const templates = createTemplates({
    isRemote: true,
    db: createDb(pool),
    store,
    cache: createCache(folder, { ttlMs: 86_400_000 }),
    logger,
    bundlesFolder: bundles,
  })
  const time = async (source: string) => {
    const startedAt = performance.now()
    const resolved = await templates.resolve({ template: 'bench', locale: 'en' })
    const ms = performance.now() - startedAt
    if (resolved.source !== source) throw new Error(`It came from ${resolved.source} instead of ${source}.`)
    return ms
  }
  const cold = async () => {
    rmSync(folder, { recursive: true, force: true })
    return time('remote')
  }
  for (let n = 0; n < 20; n++) await cold()
  for (let n = 0; n < 500; n++) await time('cache')

  const results = { cached: [] as number[], cached99: [] as number[], cold: [] as number[], ratio: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds} …`)
    const colds: number[] = []
    for (let n = 0; n < coldPerRound; n++) colds.push(await cold())
    const cacheds: number[] = []
    for (let n = 0; n < cachedPerRound; n++) cacheds.push(await time('cache'))
    results.cold.push(median(colds))
    results.cached.push(median(cacheds))
    results.cached99.push(cacheds.toSorted((a, b) => a - b)[Math.floor(cacheds.length * 0.99)] ?? Number.NaN)
    results.ratio.push(median(colds) / median(cacheds))
  }
  // What a cached resolution is made of.
  const asked: number[] = []
  for (let n = 0; n < 300; n++) {
    const startedAt = performance.now()
    await createDb(pool).call('worker.template_manifest', {
      name: 'bench',
      version: 'default',
      locale: 'en',
      key: null,
      job_id: null,
    })
    asked.push(performance.now() - startedAt)
  }
  print(
    {
      title: 'bench:templates',
      bars: [
        atMost('three artifacts of 20 KB from the cache, hashes verified: p50', median(results.cached), 1, 'ms'),
        atLeast('from the store (downloads side by side) against from the cache', median(results.ratio), 50),
      ],
      figures: [
        { name: 'from the cache: p50', value: median(results.cached), unit: 'ms' },
        { name: 'from the cache: p99', value: median(results.cached99), unit: 'ms' },
        { name: 'of which asking Postgres: p50', value: median(asked), unit: 'ms' },
        { name: 'from the store: p50', value: median(results.cold), unit: 'ms' },
      ],
      environment: {
        ...environment,
        rounds,
        store: 's3rver, on the same machine: a store that is further away is slower',
      },
    },
    options.json,
  )
  await operator.end()
  await pool.end()
  store.close()
} finally {
  await stop()
}
