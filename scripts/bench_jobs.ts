import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { Logger as RunnerLogger, run, type TaskList } from 'graphile-worker'
import pg from 'pg'
import { pino } from 'pino'
import { z } from 'zod'
import { createDramaMedia } from '../worker/adapters/drama_media.ts'
import { createGemini, geminiVariables } from '../worker/adapters/gemini.ts'
import { createQueue } from '../worker/queue/runner.ts'
import { bindAll } from '../worker/shared/bind_all.ts'
import { createDb } from '../worker/shared/db.ts'
import { createSpaces } from '../worker/shared/object_store.ts'
import type { StepSpec } from '../worker/steps/define_handler.ts'
import { createPump } from '../worker/steps/pump.ts'
import { tasks } from '../worker/tasks/index.ts'
import { createCache } from '../worker/templates/cache.ts'
import { createTemplates } from '../worker/templates/resolver.ts'
import { atLeast, atMost, type Bar, type Figure, machine, median, print } from './bench/report.ts'
import { openHome } from './local/home.ts'
import { freePort } from './local/ports.ts'
import { startPostgres } from './local/postgres.ts'
import { stopStale } from './local/process.ts'
import { assetsUrl } from './local/services.ts'
import { databaseUrl, prepareDatabase } from './testing/cluster.ts'
import { testHandlers, testTypes } from './testing/handlers.ts'
import { spacesConfig } from './testing/store.ts'

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    finished: { type: 'string', default: '1000000' },
    concurrency: { type: 'string', default: '10' },
    /** Part of a shape's name, or beside: that alone. */
    only: { type: 'string' },
  },
})
const rounds = Number(options.rounds)
const concurrency = Number(options.concurrency)
const finished = Number(options.finished)
const say = (line: string) => console.error(line)

const home = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
await promisify(execFile)('chmod', ['755', home])
const clear = async () => {
  await stopStale(home)
  rmSync(home, { recursive: true, force: true })
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void clear().finally(() => process.exit(1)))
}

/** A shape: how many steps, and which depend on which, by their numbers. */
type Shape = { steps: number; edges: [number, number][] }
const chain = (n: number): Shape => ({ steps: n, edges: Array.from({ length: n - 1 }, (_one, i) => [i, i + 1]) })
const fan = (n: number): Shape => ({
  steps: n + 2,
  edges: Array.from({ length: n }, (_one, i): [number, number][] => [
    [0, i + 1],
    [i + 1, n + 1],
  ]).flat(),
})
const diamond: Shape = {
  steps: 4,
  edges: [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
  ],
}
const flat = (n: number): Shape => ({ steps: n, edges: [] })

const toSpec = ({ steps, edges }: Shape): StepSpec => {
  const list: StepSpec[] = Array.from({ length: steps }, (_one, i) => ({ key: `s${i}`, type: 'noop', depends_on: [] }))
  for (const [from, to] of edges) list[to]?.depends_on?.push(`s${from}`)
  return { key: 'run', type: 'group', steps: list }
}

try {
  await main()
} finally {
  await clear()
}

async function main(): Promise<void> {
  const secrets = openHome(home)
  const port = await freePort()
  // As production would: durable.
  const settings = { max_wal_size: '4GB', checkpoint_timeout: '30min' }
  await startPostgres({ home, port, adminPassword: secrets.adminPassword, settings }, () => {})
  const cluster = { home, port, secrets }
  const noticed = (error: Error) => say(`A connection was lost: ${error.message}`)
  /** A database of Plinth's, and a session in it. */
  async function open(name: string): Promise<pg.Client> {
    await prepareDatabase(cluster, name)
    const client = new pg.Client(databaseUrl(cluster, name))
    client.on('error', noticed)
    await client.connect()
    await client.query(testTypes)
    return client
  }
  const admin = await open('plinth')
  await admin.query(await readFile(join(import.meta.dirname, 'bench/jobs/jobs.sql'), 'utf8'))
  const silent = pino({ level: 'error' }, pino.destination(2))
  const muted = new RunnerLogger(() => () => {})
  const watch = (pool: pg.Pool) =>
    pool.on('error', noticed).on('connect', (client) => {
      client.on('error', noticed)
    })
  let nextId = 1

  /** Plinth's worker, as a process has it. */
  async function withPlinth<T>(work: () => Promise<T>, database = 'plinth'): Promise<T> {
    const pool = new pg.Pool({ connectionString: databaseUrl(cluster, database, 'worker'), max: 15 })
    watch(pool)
    const db = createDb(pool)
    // No step of this benchmark has prompts.
    const cache = createCache(home, { ttlMs: 0 })
    const templates = createTemplates({ isRemote: false, db, store: undefined, cache, logger: silent })
    // No step of this benchmark has files, or asks Gemini.
    const store = createSpaces(spacesConfig(1))
    const media = createDramaMedia(store, assetsUrl(1))
    const gemini = createGemini(z.object(geminiVariables).parse({}))
    const deps = { templates, media, gemini }
    const pump = createPump({ db, logger: silent, handlers: bindAll(testHandlers, deps), concurrency })
    const taskDeps = { db, store, templateStore: undefined, pump, logger: silent }
    const queue = createQueue({ pool, db, logger: silent, tasks: bindAll(tasks, taskDeps), concurrency: 10 })
    queue.start()
    pump.start()
    while (queue.trouble() !== undefined) await sleep(20)
    try {
      return await work()
    } finally {
      await Promise.all([queue.stop(), pump.stop()])
      await pool.end()
    }
  }

  async function withRunner<T>(local: boolean, work: () => Promise<T>): Promise<T> {
    const pool = new pg.Pool({ connectionString: databaseUrl(cluster, 'plinth'), max: 15 })
    watch(pool)
    const taskList: TaskList = {
      hand_step: async (payload, helpers) => {
        const { id } = payload as { id: number }
        await helpers.query('select hand.complete_step($1, $2)', [id, '{"of": []}'])
      },
      bare: () => {},
    }
    const runner = await run({
      pgPool: pool,
      schema: 'graphile_worker',
      concurrency,
      taskList,
      logger: muted,
      noHandleSignals: true,
      preset: {
        worker: local ? { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } : {},
      },
    })
    try {
      return await work()
    } finally {
      await runner.stop()
      await pool.end()
    }
  }

  async function until(query: string, values: unknown[] = [], client = admin): Promise<void> {
    for (;;) {
      if ((await client.query(query, values)).rowCount === 0) return
      await sleep(3)
    }
  }

  /** Milliseconds of submitting and of running, on Plinth; throws where a step ran twice, early or without an output. */
  async function plinth(shapes: Shape[], client = admin): Promise<{ submit: number; ran: number }> {
    const specs = shapes.map((shape) => JSON.stringify(toSpec(shape)))
    const from = performance.now()
    const ids: number[] = []
    for (const spec of specs) {
      ids.push(Number((await client.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id))
    }
    const submitted = performance.now()
    await until('select from app.runs where id = any ($1) and finished_at is null limit 1', [ids], client)
    const ended = performance.now()
    const { rows } = await client.query(
      `select
        count(*) filter (where j.status = 'completed' and jsonb_array_length(j.output -> 'of') = coalesce(cardinality(j.depends_on), 0)) as good,
        count(*) filter (where j.started_at < (select max(d.worked_at) from jobs as d where d.id = any (j.depends_on))) as early
      from jobs as j where j.root_id = any ($1) and j.parent_id is not null`,
      [ids],
    )
    const expected = shapes.reduce((sum, shape) => sum + shape.steps, 0)
    if (Number(rows[0].good) !== expected || Number(rows[0].early) > 0) {
      throw new Error(`Plinth: ${JSON.stringify(rows[0])} of ${expected}`)
    }
    return { submit: submitted - from, ran: ended - from }
  }

  async function submitAll(shapes: Shape[]): Promise<number> {
    const specs = shapes.map((shape) => JSON.stringify(toSpec(shape)))
    const from = performance.now()
    for (const spec of specs) await admin.query('select app.submit_run($1, null, null)', [spec])
    return performance.now() - from
  }

  async function hand(shapes: Shape[]): Promise<number> {
    const from = performance.now()
    const all: number[] = []
    for (const { steps, edges } of shapes) {
      const ids = Array.from({ length: steps }, () => nextId++)
      all.push(...ids)
      await admin.query('select hand.submit($1, $2, $3)', [
        ids,
        edges.map(([a]) => ids[a]),
        edges.map(([, b]) => ids[b]),
      ])
    }
    await until('select from hand.steps where id >= $1 and output is null limit 1', [all[0]])
    return performance.now() - from
  }

  async function bare(n: number): Promise<number> {
    const from = performance.now()
    await admin.query(
      `select graphile_worker.add_jobs(array(
        select ('bare', '{}'::json, null, null, null, null, null, null)::graphile_worker.job_spec from generate_series(1, $1::int)))`,
      [n],
    )
    await until('select from graphile_worker._private_jobs limit 1')
    return performance.now() - from
  }

  const bars: Bar[] = []
  const figures: Figure[] = []
  const ms = (name: string, value: number) => figures.push({ name, value, unit: 'ms' })

  /** Ours and theirs in turn; theirs with whichever of its two settings is faster. */
  async function compare(name: string, shapes: Shape[], target: number): Promise<void> {
    if (!isWanted(name)) return
    say(`${name} …`)
    const steps = shapes.reduce((sum, shape) => sum + shape.steps, 0)
    // What is over at once is done several times: a moment's load on the machine would decide else.
    const turns = steps < 1000 ? 5 : 1
    const ours: number[] = []
    const submits: number[] = []
    const quiet: number[] = []
    const theirs: { plain: number[]; local: number[] } = { plain: [], local: [] }
    for (let round = 0; round < rounds; round++) {
      if (shapes.length > 1) quiet.push((await submitAll(shapes)) / shapes.length)
      await withPlinth(async () => {
        await until('select from app.runs where finished_at is null limit 1')
        await plinth([chain(20)])
        for (let turn = 0; turn < turns; turn++) {
          const { submit, ran } = await plinth(shapes)
          ours.push(ran)
          submits.push(submit / shapes.length)
        }
      })
      for (const kind of ['plain', 'local'] as const) {
        await withRunner(kind === 'local', async () => {
          await hand([chain(20)])
          for (let turn = 0; turn < turns; turn++) theirs[kind].push(await hand(shapes))
        })
      }
    }
    const best = Math.min(median(theirs.plain), median(theirs.local))
    bars.push(atLeast(`${name}: against by hand`, best / median(ours), target))
    ms(`${name}: Plinth`, median(ours))
    ms(`${name}: by hand (best of its settings)`, best)
    ms(`${name}: submit, per run`, median(submits))
    if (shapes.length > 1) {
      bars.push(atMost(`${name}: submit, per run, while no worker runs`, median(quiet), 1, 'ms'))
      bars.push(atMost(`${name}: submit, per run, beside busy workers`, median(submits), 1, 'ms'))
    }
    ms(`${name}: per step, Plinth`, median(ours) / steps)
    ms(`${name}: per step, by hand`, best / steps)
  }

  await compare('chain of 200', [chain(200)], 1.5)
  await compare('1 → 1,000 → 1', [fan(1000)], 3)
  await compare('1 → 5,000 → 1', [fan(5000)], 4)
  await compare(
    '500 diamonds',
    Array.from({ length: 500 }, () => diamond),
    2.5,
  )

  if (isWanted('independent')) await compareIndependent()
  if (isWanted('cost')) await compareSizes()
  if (isWanted('owners')) await measureOthers()
  if (isWanted('beside') && finished > 0) await compareBeside()
  await finish()

  function isWanted(name: string): boolean {
    return options.only === undefined || name.includes(options.only)
  }

  async function compareIndependent(): Promise<void> {
    say('10,000 independent steps …')
    const flats: number[] = []
    const submits: number[] = []
    const bares: { plain: number[]; local: number[] } = { plain: [], local: [] }
    for (let round = 0; round < rounds; round++) {
      await withPlinth(async () => {
        await plinth([chain(20)])
        const { submit, ran } = await plinth([flat(10_000)])
        flats.push(ran - submit)
        submits.push(submit)
      })
      for (const kind of ['plain', 'local'] as const) {
        await withRunner(kind === 'local', async () => {
          await bare(100)
          bares[kind].push(await bare(10_000))
        })
      }
    }
    bars.push(atLeast('10,000 steps: against bare graphile-worker', median(bares.plain) / median(flats), 4))
    bars.push(
      atLeast('10,000 steps: against bare graphile-worker at its best', median(bares.local) / median(flats), 0.4),
    )
    bars.push(atMost('submit of 10,000 steps', median(submits), 500, 'ms'))
    figures.push({ name: '10,000 steps: Plinth', value: 10_000_000 / median(flats), unit: '/s' })
    figures.push({ name: '10,000 jobs: bare graphile-worker', value: 10_000_000 / median(bares.plain), unit: '/s' })
    figures.push({ name: '10,000 jobs: bare, at its best', value: 10_000_000 / median(bares.local), unit: '/s' })
  }

  async function compareSizes(): Promise<void> {
    say('1,000 and 100,000 steps …')
    const small: number[] = []
    const large: number[] = []
    for (let round = 0; round < Math.min(rounds, 2); round++) {
      await withPlinth(async () => {
        await plinth([chain(20)])
        small.push((await plinth([flat(1000)])).ran)
        large.push((await plinth(Array.from({ length: 10 }, () => flat(10_000)))).ran)
      })
    }
    bars.push(atMost('cost per step, 100,000 against 1,000', median(large) / 100 / median(small), 1.3))
  }

  async function measureOthers(): Promise<void> {
    say('A tree of depth 5; 100 owners …')
    await withPlinth(async () => {
      const from = performance.now()
      const { rows } = await admin.query(
        `select app.submit_run('{"key": "tree", "type": "branch", "input": {"children": 5, "depth": 5}}', null, null) as id`,
      )
      await until('select from app.runs where id = $1 and finished_at is null', [rows[0].id])
      const steps = await admin.query('select steps from app.runs where id = $1', [rows[0].id])
      ms(`tree of depth 5, ${steps.rows[0].steps} steps, all brought by their parents`, performance.now() - from)
      await admin.query(
        `insert into auth.users (id, aud, role, email) select gen_random_uuid(), 'authenticated', 'authenticated', n || '@bench.test' from generate_series(1, 100) as n`,
      )
      const started = performance.now()
      await admin.query('select app.submit_run($1, u.id, null) from users as u', [JSON.stringify(toSpec(flat(100)))])
      await until('select from app.runs where finished_at is null limit 1')
      ms('100 owners with 100 steps each', performance.now() - started)
    })
  }

  async function compareBeside(): Promise<void> {
    say(`Beside ${finished.toLocaleString('en')} finished jobs, with statistics from before …`)
    const full = await open('filled')
    await full.query('analyze')
    await full.query('alter table public.jobs set (autovacuum_enabled = false)')
    await full.query('alter table app.runs set (autovacuum_enabled = false)')
    await full.query(
      `with ids as (select nextval('public.jobs_id_seq') as id, n from generate_series(1, $1::int) as n),
      roots as (select min(id) over (partition by (n - 1) / 10) as root, id, n from ids),
      runs as (
        insert into app.runs (id, steps, created_at, finished_at)
        select distinct root, 10, now(), now() from roots returning id
      )
      insert into jobs (id, root_id, parent_id, created_at, finished_at, worked_at, key, type, status, on_failure, output)
      select r.id, r.root, nullif(r.root, r.id), now(), now(), now(), 's' || r.n, 'noop', 'completed', 'fail_run', '{}'
      from roots as r`,
      [finished],
    )
    const empty = await open('empty')
    const measure = (database: string, client: pg.Client) =>
      withPlinth(async () => {
        const ran = async (shape: Shape) => (await plinth([shape], client)).ran
        await ran(chain(20))
        const often = async (turns: number, shape: Shape) => {
          const all: number[] = []
          for (let turn = 0; turn < turns; turn++) all.push(await ran(shape))
          return median(all)
        }
        return [await often(5, chain(200)), await often(5, fan(1000)), await often(3, flat(10_000))]
      }, database)
    const before: number[][] = []
    const after: number[][] = []
    for (let round = 0; round <= rounds; round++) {
      const one = [await measure('empty', empty), await measure('filled', full)] as const
      // The first fills caches.
      if (round > 0) {
        before.push(one[0])
        after.push(one[1])
      }
    }
    await Promise.all([full.end(), empty.end()])
    for (const [index, name] of ['chain of 200', '1 → 1,000 → 1', '10,000 steps'].entries()) {
      const of = (all: number[][]) => median(all.map((one) => one[index] ?? Number.NaN))
      bars.push(atMost(`${name}: beside ${finished.toLocaleString('en')} finished jobs`, of(after) / of(before), 1.1))
    }
  }

  async function finish(): Promise<void> {
    await admin.end()
    print({ title: 'Jobs', bars, figures, environment: { ...machine(), concurrency, rounds } }, options.json)
  }
}
