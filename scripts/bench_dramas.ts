import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { measureRuns } from './bench/dramas/drama_run.ts'
import { sampleDrama } from './bench/dramas/sample_drama.ts'
import { type LoadResult, startGenerator } from './bench/load.ts'
import { atLeast, atMost, type Bar, type Figure, machine, median, print } from './bench/report.ts'
import { openHome, type Secrets } from './local/home.ts'
import { signApiKey, signUserToken } from './local/jwt.ts'
import { freePort } from './local/ports.ts'
import { adminConfig, startPostgres } from './local/postgres.ts'
import { startChild, stopStale, waitFor } from './local/process.ts'
import { startPostgrest } from './local/services.ts'
import { databaseUrl, prepareDatabase } from './testing/cluster.ts'

/**
 * `npm run bench:dramas`: opening a drama, Plinth against the repository of the seed, both on the same tables, Postgres and
 * PostgREST, in alternating rounds; what the callbacks of dramas cost steps of other types; and how long it takes to generate
 * one, against what its calls alone would take. `-- --json` prints one
 * object.
 */

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    dramas: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    /** opening or generating: one of the two alone. */
    only: { type: 'string' },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const connections = 20
const say = (line: string) => {
  if (!options.json) console.log(line)
}

const home = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
await promisify(execFile)('chmod', ['755', home])
const clear = async () => {
  await stopStale(home)
  rmSync(home, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void clear().finally(() => process.exit(1)))
}
const environment = machine()
const generator = startGenerator()
const clients: pg.Client[] = []
try {
  const secrets = openHome(home)
  const port = await freePort()
  const settings = { max_wal_size: '4GB', checkpoint_timeout: '30min' }
  await startPostgres({ home, port, adminPassword: secrets.adminPassword, settings }, () => {})
  const cluster = { home, port, secrets }
  await prepareDatabase(cluster, 'plinth')
  const connect = async (config: pg.ClientConfig) => {
    const client = new pg.Client(config)
    client.on('error', () => {})
    await client.connect()
    clients.push(client)
    return client
  }
  const db = await connect({ connectionString: databaseUrl(cluster, 'plinth') })
  const admin = await connect(adminConfig({ port, adminPassword: secrets.adminPassword }, 'plinth'))

  const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
  await admin.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  const restPort = await freePort()
  const api = `http://127.0.0.1:${restPort}`
  await startPostgrest({
    home,
    port: restPort,
    adminPort: await freePort(),
    databaseUrl: databaseUrl(cluster, 'plinth', 'authenticator'),
    jwtSecret: secrets.jwtSecret,
    publicUrl: api,
  })
  const headers = {
    apikey: await signApiKey('anon', secrets.jwtSecret),
    authorization: `Bearer ${await signUserToken(user, secrets.jwtSecret)}`,
  }
  const bars: Bar[] = []
  const figures: Figure[] = []
  if (options.only !== 'generating') {
    const opening = await measureOpening({ home, secrets, user, db, admin, api, headers })
    bars.push(...opening.bars)
    figures.push(...opening.figures)
  }
  if (options.only !== 'opening') {
    say('Generating: a warm-up, then rounds …')
    const workerUrl = databaseUrl(cluster, 'plinth', 'worker')
    const generating = await measureRuns({ home, db, workerUrl, api, headers, rounds, say })
    bars.push(
      atMost(
        'generating a drama of 8 characters, 6 episodes, 60 scenes: time, against its bound',
        generating.ratio,
        1.3,
      ),
    )
    figures.push(...generating.figures)
  }
  print(
    {
      title: 'bench:dramas',
      bars,
      figures,
      environment: {
        ...environment,
        load_after: loadavg()[0] ?? 0,
        connections,
        rounds,
        seconds_per_round: seconds,
        dramas: Number(options.dramas),
        load: 'autocannon in a process of its own, on the same machine',
        generating: 'one worker process, the stand-in, an S3 server, Postgres: each a process on the same machine',
      },
    },
    options.json,
  )
} finally {
  await generator.close()
  await Promise.allSettled(clients.map((client) => client.end()))
  await clear()
}

/** Opening a drama, Plinth and the seed's repository in turns; and what callbacks cost other types. */
async function measureOpening(stage: {
  home: string
  secrets: Secrets
  user: { id: string }
  db: pg.Client
  admin: pg.Client
  api: string
  headers: Record<string, string>
}): Promise<{ bars: Bar[]; figures: Figure[] }> {
  const { home, secrets, user, db, admin, api, headers } = stage
  say(`Preparing ${options.dramas} dramas …`)
  const ids: string[] = []
  await db.query(`select set_config('request.jwt.claims', '{"role": "service_role"}', false)`)
  for (let n = 0; n < Number(options.dramas); n++) {
    const drama = sampleDrama(n)
    await db.query('select public.save_drama_complete($1, $2)', [JSON.stringify(drama), user.id])
    ids.push(drama.id)
  }
  await admin.query('vacuum analyze')

  const backend = `http://127.0.0.1:${await freePort()}`
  const child = startChild(
    home,
    'drama_backend',
    process.execPath,
    [join(import.meta.dirname, 'bench/dramas/drama_backend.ts')],
    {
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        BACKEND_PORT: new URL(backend).port,
        POSTGREST_URL: api,
        SUPABASE_SERVICE_KEY: await signApiKey('service_role', secrets.jwtSecret),
      },
    },
  )
  const theirs = (id: string) => `/users/${user.id}/dramas/${id}`
  await waitFor(child, 15, async () => (await fetch(`${backend}${theirs(ids[0] ?? '')}`)).ok)

  const ours = (id: string) => `/rpc/get_drama_complete?drama_id=${id}`
  const [mine, its] = await Promise.all([
    fetch(`${api}${ours(ids[0] ?? '')}`, { headers }),
    fetch(`${backend}${theirs(ids[0] ?? '')}`),
  ])
  const text = await mine.text()
  if (canonical(JSON.parse(text)) !== canonical(await its.json()))
    throw new Error('The sides do not give the same drama')

  const load = (url: string, path: (id: string) => string) => ({
    url,
    connections,
    requests: ids.map((id) => ({ method: 'GET' as const, path: path(id), headers })),
  })
  const subjects = { plinth: load(api, ours), seed: load(backend, theirs), unpacked: load(api, ours) }
  const results: Record<keyof typeof subjects, LoadResult[]> = { plinth: [], seed: [], unpacked: [] }
  say('Opening: a warm-up, then rounds …')
  for (const name of ['plinth', 'seed'] as const) await generator.run({ ...subjects[name], seconds: 1 })
  for (let round = 0; round < rounds; round++) {
    for (const name of ['plinth', 'seed', 'unpacked'] as const) {
      // As while a drama grows: no package is current.
      if (name === 'unpacked')
        await admin.query("update app.drama_packages set updated_at = updated_at - interval '1 s'")
      results[name].push(await generator.run({ ...subjects[name], seconds }))
      if (name === 'unpacked')
        await admin.query("update app.drama_packages set updated_at = updated_at + interval '1 s'")
    }
  }
  say('Steps of other types, with the callbacks of dramas and without them …')
  const callbacks = await measureCallbacks(db, admin)

  const ratio = (those: keyof typeof results, figure: 'perSecond' | 'p99') =>
    median(results.plinth.map((one, n) => one[figure] / (results[those][n]?.[figure] ?? Number.NaN)))
  const figuresOf = (name: keyof typeof results, label: string): Figure[] => [
    { name: `${label}: requests per second`, value: median(results[name].map((one) => one.perSecond)), unit: '/s' },
    { name: `${label}: p50`, value: median(results[name].map((one) => one.p50)), unit: 'ms' },
    { name: `${label}: p99`, value: median(results[name].map((one) => one.p99)), unit: 'ms' },
  ]
  const bars: Bar[] = [
    atLeast(
      'opening a drama of 8 characters, 6 episodes, 60 scenes: requests per second, against the seed’s repository',
      ratio('seed', 'perSecond'),
      5,
    ),
    atMost('steps of other types: time with the callbacks of dramas, against without', callbacks.ratio, 1.05),
  ]
  return {
    bars,
    figures: [
      ...figuresOf('plinth', 'get_drama_complete'),
      ...figuresOf('unpacked', 'get_drama_complete while the drama grows'),
      ...figuresOf('seed', 'the seed’s repository'),
      { name: 'size of the document', value: text.length / 1024, unit: 'KiB' },
      { name: 'a step of another type, with the callbacks', value: callbacks.withThem, unit: 'µs' },
      { name: 'a step of another type, without them', value: callbacks.without, unit: 'µs' },
    ],
  }
}

/** A fan of no-op steps through the worker's door, by one session, in turns with the callbacks of dramas and without them. */
async function measureCallbacks(db: pg.Client, admin: pg.Client) {
  await db.query("insert into public.job_types (name) values ('noop')")
  const steps = 2000
  const spec = JSON.stringify({
    key: 'root',
    type: 'group',
    steps: Array.from({ length: steps }, (_, n) => ({ key: `s${n}`, type: 'noop' })),
  })
  const worker = crypto.randomUUID()
  const turn = async () => {
    await db.query('select app.submit_run($1, null, null)', [spec])
    let results: object[] = []
    let ms = 0
    do {
      const from = performance.now()
      const { rows } = await db.query('select worker.exchange_steps($1, $2, 50) as answer', [
        worker,
        JSON.stringify(results),
      ])
      ms += performance.now() - from
      results = rows[0].answer.steps.map(({ id, fence }: { id: number; fence: number }) => ({
        id,
        fence,
        outcome: 'completed',
        output: { n: id },
      }))
    } while (results.length > 0)
    return (ms * 1000) / steps
  }
  const times: { withThem: number; without: number }[] = []
  await admin.query('create table app.saved_callbacks as table app.job_callbacks')
  await turn()
  for (let n = 0; n < 11; n++) {
    const withThem = await turn()
    await admin.query('delete from app.job_callbacks')
    const without = await turn()
    await admin.query('insert into app.job_callbacks table app.saved_callbacks')
    times.push({ withThem, without })
  }
  return {
    withThem: median(times.map((one) => one.withThem)),
    without: median(times.map((one) => one.without)),
    ratio: median(times.map((one) => one.withThem / one.without)),
  }
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
