import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { requireInvariants } from '../db/tests/20_jobs/invariants.ts'
import type { StepSpec } from '../worker/steps/define_handler.ts'
import { freePort } from './local/ports.ts'
import { type Child, startChild } from './local/process.ts'
import { spacesEnv } from './local/services.ts'
import { databaseUrl, prepareDatabase, startCluster } from './testing/cluster.ts'
import { startFaultyDatabase } from './testing/faulty_database.ts'
import { testTypes } from './testing/handlers.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    workers: { type: 'string', default: '3' },
    restarts: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '300' },
  },
})
const runs = Number(values.runs)
const restarts = Number(values.restarts)

// Real worker processes, killed and paused at random, whose connections break before or after Postgres has heard them, while
// Postgres is restarted: at the end everything has happened exactly once. Prints one line; exits with 1 where it has not.
const cluster = await startCluster()
const faulty = await startFaultyDatabase(cluster.port)
const home = mkdtempSync(join(tmpdir(), 'plinth-chaos-'))
const workers: Child[] = []
const paused = new Set<Child>()
let started = 0
let killed = 0
let pauses = 0
let breaks = 0
let failure: string | undefined
const startedAt = performance.now()

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void clear().finally(() => process.exit(1)))
try {
  await prepareDatabase(cluster, 'plinth')
  await query(testTypes)
  await query("update app.settings set job_lease = '3 seconds', job_events_are_kept = true")
  await makeChaos()
} catch (error) {
  failure = (error as Error).message
} finally {
  await clear()
}
process.exit(failure === undefined ? 0 : 1)

async function makeChaos(): Promise<void> {
  for (let n = 0; n < Number(values.workers); n++) await startWorker()
  const submitting = submitAll()
  submitting.catch(() => {})
  let restarted = 0
  let done = 0
  for (const end = Date.now() + Number(values.seconds) * 1000; done < runs; ) {
    if (Date.now() > end) throw new Error(`Only ${done} of ${runs} runs finished in time.`)
    await sleep(200 + Math.random() * 400)
    // Once all is under way, the rest goes in peace, or some step would be unlucky too often.
    if (restarted < restarts && done >= (runs * 0.7 * (restarted + 1)) / (restarts + 1)) {
      restarted += 1
      await cluster.halt()
      await sleep(500)
      await cluster.resume()
    }
    if (done < runs * 0.8) await harm()
    else for (const worker of [...paused]) resume(worker)
    done = Number(
      (await query('select count(*) as done from app.runs where finished_at is not null'))[0]?.['done'] ?? done,
    )
  }
  await submitting
  for (const worker of [...paused]) resume(worker)
  const client = await connect()
  await requireInvariants(client)
  await client.end()
  const [end] = await query(`
    select
      (select count(*) from app.job_queue) as open,
      (select count(*) from jobs) as steps,
      (select count(*) from jobs where status <> 'completed') as uncompleted,
      (select count(*) from (select e.job_id from app.job_events as e where e.status = 'completed' group by 1 having count(*) > 1) as t) as twice,
      (select count(*) from jobs as j where j.type = 'noop' and jsonb_array_length(j.output -> 'of') <> coalesce(cardinality(j.depends_on), 0)) as early,
      (select count(*) from app.job_events where status = 'running') - (select count(*) from jobs where type <> 'group') as repeated
  `)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(
    `${done} runs, ${end?.['steps']} steps, ${end?.['repeated']} attempts more, ${started} workers started, ${killed} killed, ` +
      `${pauses} paused, ${breaks} connections broken, ${restarted} restarts of Postgres, ${seconds} s: ${end?.['open']} open, ` +
      `${end?.['uncompleted']} not completed, ${end?.['twice']} completed twice, ${end?.['early']} without their inputs`,
  )
  for (const wrong of ['open', 'uncompleted', 'twice', 'early']) {
    if (Number(end?.[wrong]) !== 0) throw new Error(`${wrong}: ${end?.[wrong]}`)
  }
}

async function harm(): Promise<void> {
  if (Math.random() < 0.3) {
    // The answer is lost, or the call: of what was committed, or of what never came.
    faulty.breakAt('worker.exchange_steps', Math.random() < 0.5 ? 'before' : 'after', 1)
    breaks += 1
  }
  const victim = workers[Math.floor(Math.random() * workers.length)]
  if (victim === undefined) return
  const dice = Math.random()
  if (dice < 0.25) {
    process.kill(victim.pid, 'SIGKILL')
    await victim.exited
    killed += 1
    workers.splice(workers.indexOf(victim), 1)
    paused.delete(victim)
    await startWorker()
  } else if (paused.has(victim)) resume(victim)
  else if (dice < 0.5) {
    process.kill(victim.pid, 'SIGSTOP')
    paused.add(victim)
    pauses += 1
  }
}

function resume(worker: Child): void {
  process.kill(worker.pid, 'SIGCONT')
  paused.delete(worker)
}

async function startWorker(): Promise<void> {
  started += 1
  const worker = startChild(
    home,
    `worker-${started}`,
    process.execPath,
    [join(import.meta.dirname, 'testing/worker.ts')],
    {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: faulty.through(databaseUrl(cluster, 'plinth', 'worker')),
        WORKER_HEALTH_PORT: String(await freePort()),
        ...spacesEnv(1),
        LOG_LEVEL: 'warn',
      },
    },
  )
  workers.push(worker)
}

async function submitAll(): Promise<void> {
  for (let n = 0; n < runs; n++) {
    await query('select app.submit_run($1, null, $2)', [JSON.stringify(makeRun(n)), `run-${n}`])
    // Few of them, too, are under way for some seconds.
    await sleep(Math.max(20, 4000 / runs))
  }
}

/** A run of each kind of step. */
function makeRun(n: number): StepSpec {
  return {
    key: 'run',
    type: 'group',
    steps: [
      { key: 'first', type: 'noop' },
      { key: 'nap', type: 'nap', input: { ms: 20 + (n % 7) * 60 }, depends_on: ['first'] },
      { key: 'flaky', type: 'flaky', input: { failures: n % 3 }, depends_on: ['first'] },
      { key: 'poll', type: 'poll', input: { turns: n % 4 } },
      {
        key: 'tree',
        type: 'branch',
        input: { children: 1 + (n % 4), depth: 1 + (n % 2) },
        depends_on: ['first'],
        collect: 'children',
      },
      { key: 'last', type: 'noop', depends_on: ['nap', 'flaky', 'poll', 'tree'] },
    ],
  }
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(databaseUrl(cluster, 'plinth'))
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Patient: a restart of Postgres is part of the plan, and everything here is safe to repeat. */
async function query(text: string, args: unknown[] = []): Promise<Record<string, unknown>[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const client = await connect()
      try {
        return (await client.query(text, args)).rows
      } finally {
        await client.end().catch(() => {})
      }
    } catch (error) {
      if (attempt > 100) throw error
      await sleep(100)
    }
  }
}

async function clear(): Promise<void> {
  for (const worker of paused) process.kill(worker.pid, 'SIGCONT')
  await Promise.all(workers.map((worker) => worker.stop('SIGKILL', 100)))
  faulty.stop()
  await cluster.stop()
  if (failure !== undefined) console.error(`${failure} The workers' logs are in ${home}/logs.`)
  else rmSync(home, { recursive: true, force: true })
}
