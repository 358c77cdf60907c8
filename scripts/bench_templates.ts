import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { pino } from 'pino'
import { createDb } from '../worker/shared/db.ts'
import { createSpaces, type Store } from '../worker/shared/object_store.ts'
import { createCache } from '../worker/templates/cache.ts'
import { createTemplates } from '../worker/templates/resolver.ts'
import { atLeast, atMost, machine, median, print } from './bench/report.ts'
import { openHome } from './local/home.ts'
import { freePort } from './local/ports.ts'
import { startPostgres } from './local/postgres.ts'
import { stopStale } from './local/process.ts'
import { startObjectStore, templateBucket } from './local/services.ts'
import { findBundle, planVersion, publish } from './templates/publish.ts'
import { type ClusterInfo, databaseUrl, prepareDatabase } from './testing/cluster.ts'
import { spacesConfig } from './testing/store.ts'

/**
 * `npm run bench:templates`: what resolving a template of three artifacts of 20 KB costs from the cache (Postgres is asked
 * which version, each file is read and hashed) and cold, in turns. Cold is what the first step on a new machine meets: an
 * empty cache, and no connection to Postgres or to the store yet. With connections, and only the cache empty, stands
 * beside it. `-- --json` prints one object.
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
  const storeConfig = { ...spacesConfig(storePort, templateBucket), SPACES_TIMEOUT_SECONDS: 15 }
  const store = createSpaces(storeConfig)

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

  const openPool = () => new pg.Pool({ connectionString: databaseUrl(cluster, 'plinth', 'worker'), max: 5 })
  const pool = openPool()
  // As in production, a line is written for each; here to nowhere.
  const logger = pino({}, { write: () => {} })
  const folder = join(home, 'cache')
  const make = (from: pg.Pool, store: Store) =>
    createTemplates({
      isRemote: true,
      db: createDb(from),
      store,
      cache: createCache(folder, { ttlMs: 86_400_000 }),
      logger,
      bundlesFolder: bundles,
    })
  const templates = make(pool, store)
  const time = async (source: string, by = templates, jobId?: number) => {
    const startedAt = performance.now()
    const resolved = await by.resolve({ template: 'bench', locale: 'en', ...(jobId !== undefined && { jobId }) })
    const ms = performance.now() - startedAt
    if (resolved.source !== source) throw new Error(`It came from ${resolved.source} instead of ${source}.`)
    return ms
  }
  const emptied = async () => {
    rmSync(folder, { recursive: true, force: true })
    return time('remote')
  }
  const cold = async () => {
    rmSync(folder, { recursive: true, force: true })
    const newPool = openPool()
    const newStore = createSpaces(storeConfig)
    const ms = await time('remote', make(newPool, newStore))
    newStore.close()
    await newPool.end()
    return ms
  }
  for (let n = 0; n < 20; n++) await emptied()
  for (let n = 0; n < 10; n++) await cold()
  for (let n = 0; n < 500; n++) await time('cache')

  const results = {
    cached: [] as number[],
    cached99: [] as number[],
    emptied: [] as number[],
    cold: [] as number[],
    ratio: [] as number[],
  }
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds} …`)
    const colds: number[] = []
    for (let n = 0; n < coldPerRound; n++) colds.push(await cold())
    const emptieds: number[] = []
    for (let n = 0; n < coldPerRound; n++) emptieds.push(await emptied())
    results.emptied.push(median(emptieds))
    const cacheds: number[] = []
    for (let n = 0; n < cachedPerRound; n++) cacheds.push(await time('cache'))
    results.cold.push(median(colds))
    results.cached.push(median(cacheds))
    results.cached99.push(cacheds.toSorted((a, b) => a - b)[Math.floor(cacheds.length * 0.99)] ?? Number.NaN)
    results.ratio.push(median(colds) / median(cacheds))
  }
  await operator.query("insert into job_types (name) values ('prompting')")
  const { rows: jobs } = await operator.query<{ id: number }>(
    `select app.submit_run('{"key": "a", "type": "prompting"}', null, null)::integer as id from generate_series(1, 500)`,
  )
  const recorded: number[] = []
  for (const { id } of jobs) recorded.push(await time('cache', templates, id))
  print(
    {
      title: 'bench:templates',
      bars: [
        atMost('three artifacts of 20 KB from the cache, hashes verified: p50', median(results.cached), 1, 'ms'),
        atLeast('cold, downloads side by side, against from the cache', median(results.ratio), 50),
      ],
      figures: [
        { name: 'from the cache: p50', value: median(results.cached), unit: 'ms' },
        { name: 'from the cache: p99', value: median(results.cached99), unit: 'ms' },
        { name: 'from the cache, recorded with its job: p50', value: median(recorded), unit: 'ms' },
        { name: 'cold: p50', value: median(results.cold), unit: 'ms' },
        { name: 'with connections, the cache empty: p50', value: median(results.emptied), unit: 'ms' },
      ],
      environment: {
        ...environment,
        rounds,
        store: '@20minutes/s3rver, on the same machine: a store that is further away is slower',
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
