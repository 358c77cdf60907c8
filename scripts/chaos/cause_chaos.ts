import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { requireInvariants } from '../../db/tests/20_jobs/invariants.ts'
import type { StepSpec } from '../../worker/steps/define_handler.ts'
import { type Cluster, databaseUrl, prepareDatabase, startCluster } from '../testing/cluster.ts'
import { testTypes } from '../testing/handlers.ts'
import { judge, type Query } from './judge.ts'
import { ledger } from './ledger.ts'
import { makePoisons, type PoisonedRun, poisonTypes } from './make_poisons.ts'
import { makeRun } from './make_run.ts'
import { createWorkers, type Harms, type Limits, type Workers } from './workers.ts'

export type ChaosOptions = Harms & {
  runs: number
  workers: number
  restarts: number
  outages: number
  poisons: number
  skew: number
  seconds: number
}

const leaseMs = 4000
/** Longer than the lease, but short enough that workers connect again within the next lease (see connection_gate.ts). */
const outageMs = 6500

/**
 * Kills, stops and pauses real worker processes at random, lets handlers crash and block them, breaks their connections before
 * or after Postgres has answered, cuts them off for longer than the lease, and restarts Postgres. The clocks of the processes
 * differ. Prints one line at the end. Throws if a step was not completed exactly once, or counts what another step caused.
 */
export async function causeChaos(options: ChaosOptions): Promise<void> {
  const cluster = await startCluster()
  const home = mkdtempSync(join(tmpdir(), 'plinth-chaos-'))
  const limits: Limits = {
    stallSeconds: 6,
    drainSeconds: 3,
    heapMb: 128,
    silentMs: leaseMs - 2000,
    skewHours: options.skew,
  }
  const workers = createWorkers(home, cluster.port, databaseUrl(cluster, 'plinth', 'worker'), limits)
  let hasFailed = false
  const clear = async () => {
    await workers.stop()
    await cluster.stop()
    if (!hasFailed) rmSync(home, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void clear().finally(() => process.exit(1)))
  try {
    await prepareDatabase(cluster, 'plinth')
    const query = createQuery(cluster)
    for (const sql of [testTypes, poisonTypes, ledger]) await query(sql)
    await query(`update app.settings set job_lease = '${leaseMs} ms', job_events_are_kept = true`)
    await run(cluster, query, workers, options)
  } catch (cause) {
    hasFailed = true
    throw new Error(`${(cause as Error).message}\nThe workers' logs are in ${home}/logs.`, { cause })
  } finally {
    await clear()
  }
}

async function run(cluster: Cluster, query: Query, workers: Workers, options: ChaosOptions): Promise<void> {
  const startedAt = performance.now()
  const poisoned = new Map<number, PoisonedRun>()
  const sets = Math.round((options.poisons * options.runs) / 100)
  const harmed = Array.from({ length: sets }, makePoisons).flat()
  const calm = options.poisons > 0 ? makePoisons() : []
  const all = options.runs + harmed.length + calm.length
  for (let n = 0; n < options.workers; n++) await workers.start()
  const submitting = submitAll(query, options.runs, harmed, poisoned)
  submitting.catch(() => {})
  const due = planFaults(cluster, workers, options)
  let done = 0
  for (const end = Date.now() + options.seconds * 1000; done < all; ) {
    if (Date.now() > end) throw new Error(`Only ${done} of ${all} runs finished in time.`)
    await sleep(300 + Math.random() * 500)
    const fault = due[0]
    if (fault !== undefined && done >= fault.after * options.runs) {
      due.shift()
      await fault.cause()
    }
    // No other harm during the last fifth, so that each kind of poison has its effect.
    if (done < options.runs * 0.8) {
      // A process that runs for less than a lease requeues no lost steps. So the fewer processes there are, the rarer is harm.
      if (Math.random() < (options.workers / 3) ** 2) await workers.harm(options)
    } else {
      workers.resumeAll()
      for (const one of calm.splice(0)) await submitPoison(query, one, poisoned)
    }
    const [row] = await query('select count(*) as done from app.runs where finished_at is not null')
    done = Number(row?.['done'] ?? done)
  }
  await submitting
  await workers.drain()
  const client = await connect(cluster)
  await requireInvariants(client)
  await client.end()
  await report(query, workers, poisoned, { ...options, all, seconds: (performance.now() - startedAt) / 1000 })
}

/** The faults of the whole system, in the order of the share of runs after which they occur. */
function planFaults(
  cluster: Cluster,
  workers: Workers,
  { restarts, outages }: ChaosOptions,
): { after: number; cause(): Promise<void> }[] {
  const restart = async () => {
    await cluster.halt()
    await sleep(500)
    await cluster.resume()
  }
  const outage = () => workers.cutOff(outageMs)
  const spread = (count: number, cause: () => Promise<void>) =>
    Array.from({ length: count }, (_one, n) => ({ after: (0.7 * (n + 1)) / (count + 1), cause }))
  return [...spread(restarts, restart), ...spread(outages, outage)].sort((a, b) => a.after - b.after)
}

/** Prints the line at the end. Throws if a count is not 0. */
async function report(
  query: Query,
  workers: Workers,
  poisoned: Map<number, PoisonedRun>,
  options: ChaosOptions & { all: number },
): Promise<void> {
  const { steps, attempts, wrong, details } = await judge(query, workers, poisoned)
  const { count } = workers
  const sum = (name: string) => wrong[name] ?? 0
  console.log(
    `${options.all} runs (${poisoned.size} poisoned), ${steps} steps, ${attempts} attempts, ${workers.fates.size} workers started: ` +
      `${count('killed')} killed, ${count('stopped')} stopped, ${count('silent')} paused beyond the lease, ` +
      `${count('broken')} with broken connections, ${count('crashed') + count('unclear')} crashed, ` +
      `${count('out of memory')} out of memory, ${count('stalled')} stalled; ${options.restarts} restarts of Postgres, ` +
      `${options.outages} outages, clocks ${options.skew} h apart, ${options.seconds.toFixed(1)} s: ${sum('open')} open, ` +
      `${sum('uncompleted')} not completed, ${sum('twice')} completed twice, ${sum('early')} without their inputs, ` +
      `${sum('failed')} healthy steps failed, ${sum('charged')} unexplained losses, ${sum('repeated')} repeated without ` +
      `need, ${sum('misnamed')} poisoned steps with a wrong slug`,
  )
  const bad = Object.entries(wrong).filter(([, times]) => times !== 0)
  if (bad.length === 0) return
  throw new Error([bad.map(([name, times]) => `${name}: ${times}.`).join(' '), ...details.slice(0, 40)].join('\n'))
}

/** Submits the healthy runs, with poisoned ones among the first three fifths. */
async function submitAll(
  query: Query,
  runs: number,
  harmed: PoisonedRun[],
  poisoned: Map<number, PoisonedRun>,
): Promise<void> {
  const total = harmed.length
  let begun = 0
  for (let n = 0; n < runs; n++) {
    await submit(query, makeRun(n), `run-${n}`)
    for (; begun < Math.min(total, (total * (n + 1)) / (runs * 0.6)); begun++) {
      await submitPoison(query, harmed[begun] as PoisonedRun, poisoned)
    }
    // Even a few runs take some seconds.
    await sleep(Math.max(20, 4000 / runs))
  }
}

async function submitPoison(query: Query, run: PoisonedRun, poisoned: Map<number, PoisonedRun>): Promise<void> {
  poisoned.set(await submit(query, run.spec, `poison-${poisoned.size}`), run)
}

async function submit(query: Query, spec: StepSpec, key: string): Promise<number> {
  const [row] = await query('select app.submit_run($1, null, $2) as id', [JSON.stringify(spec), key])
  return Number(row?.['id'])
}

async function connect(cluster: Cluster): Promise<pg.Client> {
  const client = new pg.Client(databaseUrl(cluster, 'plinth'))
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Repeats a failed query, because Postgres restarts. Every query here is safe to repeat. */
function createQuery(cluster: Cluster): Query {
  return async (text, args) => {
    for (let attempt = 1; ; attempt++) {
      try {
        const client = await connect(cluster)
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
}
