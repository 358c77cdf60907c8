import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { pino } from 'pino'
import { createDb } from '../../../worker/shared/db.ts'
import { createSpaces, type Store } from '../../../worker/shared/object_store.ts'
import { createCache } from '../../../worker/templates/cache.ts'
import { createTemplates } from '../../../worker/templates/resolver.ts'
import { freePort } from '../../local/ports.ts'
import { startObjectStore, templateBucket } from '../../local/services.ts'
import { findBundle, planVersion, publish } from '../../templates/publish.ts'
import { databaseUrl, prepareDatabase } from '../../testing/cluster.ts'
import { spacesConfig } from '../../testing/store.ts'
import { atLeast, atMost, machine, median, type Report, say } from '../report.ts'
import { type Stage, withStage } from '../stage.ts'

const cachedPerRound = 200
const coldPerRound = 5

/**
 * Measures how long a template of three artifacts of 20 KB is resolved, in turns: from the cache (Postgres returns the
 * version, each file is read and hashed), cold (an empty cache and no connections yet, as on a new machine), and with
 * connections and an empty cache.
 */
export function benchmarkTemplates({ rounds }: { rounds: number }): Promise<Report> {
  const environment = machine()
  return withStage(async (stage) => {
    const bench = await prepareTemplates(stage)
    for (let n = 0; n < 20; n++) await bench.emptied()
    for (let n = 0; n < 10; n++) await bench.cold()
    for (let n = 0; n < 500; n++) await bench.cached()

    const results = {
      cached: [] as number[],
      cached99: [] as number[],
      emptied: [] as number[],
      cold: [] as number[],
      ratio: [] as number[],
    }
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds} …`)
      const colds = await repeat(coldPerRound, bench.cold)
      const emptieds = await repeat(coldPerRound, bench.emptied)
      const cacheds = await repeat(cachedPerRound, bench.cached)
      results.emptied.push(median(emptieds))
      results.cold.push(median(colds))
      results.cached.push(median(cacheds))
      results.cached99.push(cacheds.toSorted((a, b) => a - b)[Math.floor(cacheds.length * 0.99)] ?? Number.NaN)
      results.ratio.push(median(colds) / median(cacheds))
    }
    const recorded = await bench.recorded(500)
    await bench.close()
    return {
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
    }
  })
}

async function repeat(times: number, measure: () => Promise<number>): Promise<number[]> {
  const results: number[] = []
  for (let n = 0; n < times; n++) results.push(await measure())
  return results
}

/** Publishes a template, and returns functions that resolve it and return the milliseconds. */
async function prepareTemplates({ cluster, connect }: Stage) {
  const { home } = cluster
  await prepareDatabase(cluster, 'plinth')
  const storePort = await freePort()
  await startObjectStore(home, storePort, [templateBucket])
  const storeConfig = { ...spacesConfig(storePort, templateBucket), SPACES_TIMEOUT_SECONDS: 15 }
  const store = createSpaces(storeConfig)
  const bundlesFolder = join(home, 'bundles')
  writeBundle(bundlesFolder)
  const operator = await connect('plinth')
  const plan = await planVersion(await findBundle('bench', bundlesFolder), '1.0.0')
  await publish({ db: createDb(operator as unknown as pg.Pool), store }, plan, { setDefault: true })

  const openPool = () => new pg.Pool({ connectionString: databaseUrl(cluster, 'plinth', 'worker'), max: 5 })
  const pool = openPool()
  // As in production, each resolution writes a line; here it is dropped.
  const logger = pino({}, { write: () => {} })
  const folder = join(home, 'cache')
  const open = (from: pg.Pool, store: Store) =>
    createTemplates({
      isRemote: true,
      db: createDb(from),
      store,
      cache: createCache(folder, { ttlMs: 86_400_000 }),
      logger,
      bundlesFolder,
    })
  const templates = open(pool, store)
  const time = async (source: string, by = templates, jobId?: number) => {
    const startedAt = performance.now()
    const resolved = await by.resolve({ template: 'bench', locale: 'en', ...(jobId !== undefined && { jobId }) })
    const ms = performance.now() - startedAt
    if (resolved.source !== source) throw new Error(`The template came from ${resolved.source} instead of ${source}.`)
    return ms
  }
  return {
    cached: () => time('cache'),
    async emptied() {
      rmSync(folder, { recursive: true, force: true })
      return time('remote')
    },
    async cold() {
      rmSync(folder, { recursive: true, force: true })
      const newPool = openPool()
      const newStore = createSpaces(storeConfig)
      const ms = await time('remote', open(newPool, newStore))
      newStore.close()
      await newPool.end()
      return ms
    },
    /** From the cache, for this many jobs, each of which records the version. */
    async recorded(jobs: number) {
      await operator.query("insert into job_types (name) values ('prompting')")
      const { rows } = await operator.query<{ id: number }>(
        `select app.submit_run('{"key": "a", "type": "prompting"}', null, null)::integer as id
         from generate_series(1, $1::integer)`,
        [jobs],
      )
      const times: number[] = []
      for (const { id } of rows) times.push(await time('cache', templates, id))
      return times
    },
    async close() {
      await pool.end()
      store.close()
    },
  }
}

function writeBundle(folder: string): void {
  const kinds = ['one', 'two', 'three']
  mkdirSync(join(folder, 'bench/v1.0.0'), { recursive: true })
  for (const kind of kinds) writeFileSync(join(folder, `bench/v1.0.0/${kind}.md`), randomBytes(10_240).toString('hex'))
  const artifacts = kinds.map((kind) => ({ kind, locale: 'en', file: `${kind}.md`, content_type: 'text/markdown' }))
  const manifest = { template: 'bench', default_version: '1.0.0', versions: { '1.0.0': { artifacts } } }
  writeFileSync(join(folder, 'bench/manifest.json'), JSON.stringify(manifest))
}
