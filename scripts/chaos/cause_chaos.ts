import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { requireInvariants } from '../../db/tests/20_jobs/invariants.ts'
import { type Cluster, databaseUrl, prepareDatabase, startCluster } from '../testing/cluster.ts'
import { startFaultyDatabase } from '../testing/faulty_database.ts'
import { testTypes } from '../testing/handlers.ts'
import { makeRun } from './make_run.ts'
import { createWorkers, type Workers } from './workers.ts'

export type ChaosOptions = { runs: number; workers: number; restarts: number; seconds: number }

/**
 * Kills and pauses real worker processes at random, breaks their connections before or after Postgres has answered, and
 * restarts Postgres. Prints one line at the end. Throws if a step was not completed exactly once.
 */
export async function causeChaos(options: ChaosOptions): Promise<void> {
  const cluster = await startCluster()
  const home = mkdtempSync(join(tmpdir(), 'plinth-chaos-'))
  const faulty = await startFaultyDatabase(cluster.port)
  const workers = createWorkers(home, faulty, databaseUrl(cluster, 'plinth', 'worker'))
  let hasFailed = false
  const clear = async () => {
    await workers.stop()
    faulty.stop()
    await cluster.stop()
    if (!hasFailed) rmSync(home, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void clear().finally(() => process.exit(1)))
  try {
    await prepareDatabase(cluster, 'plinth')
    await query(cluster, testTypes)
    await query(cluster, "update app.settings set job_lease = '3 seconds', job_events_are_kept = true")
    await run(cluster, workers, options)
  } catch (cause) {
    hasFailed = true
    throw new Error(`${(cause as Error).message} The workers' logs are in ${home}/logs.`, { cause })
  } finally {
    await clear()
  }
}

async function run(cluster: Cluster, workers: Workers, { runs, restarts, ...options }: ChaosOptions): Promise<void> {
  const startedAt = performance.now()
  for (let n = 0; n < options.workers; n++) await workers.start()
  const submitting = submitAll(cluster, runs)
  submitting.catch(() => {})
  let restarted = 0
  let done = 0
  for (const end = Date.now() + options.seconds * 1000; done < runs; ) {
    if (Date.now() > end) throw new Error(`Only ${done} of ${runs} runs finished in time.`)
    await sleep(200 + Math.random() * 400)
    if (restarted < restarts && done >= (runs * 0.7 * (restarted + 1)) / (restarts + 1)) {
      restarted += 1
      await cluster.halt()
      await sleep(500)
      await cluster.resume()
    }
    // No harm during the last fifth, because otherwise some step would fail too often.
    if (done < runs * 0.8) await workers.harm()
    else workers.resumeAll()
    const [row] = await query(cluster, 'select count(*) as done from app.runs where finished_at is not null')
    done = Number(row?.['done'] ?? done)
  }
  await submitting
  workers.resumeAll()
  const client = await connect(cluster)
  await requireInvariants(client)
  await client.end()
  await requireOnce(cluster, (end) => {
    const { started, killed, paused, broken } = workers.counts
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    return (
      `${done} runs, ${end['steps']} steps, ${end['repeated']} attempts more, ${started} workers started, ${killed} killed, ` +
      `${paused} paused, ${broken} connections broken, ${restarted} restarts of Postgres, ${seconds} s: ${end['open']} open, ` +
      `${end['uncompleted']} not completed, ${end['twice']} completed twice, ${end['early']} without their inputs`
    )
  })
}

/** Prints the description of the counts at the end. Throws if a step was lost, completed twice or ran early. */
async function requireOnce(cluster: Cluster, describe: (end: Record<string, unknown>) => string): Promise<void> {
  const [end = {}] = await query(
    cluster,
    `select
      (select count(*) from app.job_queue) as open,
      (select count(*) from jobs) as steps,
      (select count(*) from jobs where status <> 'completed') as uncompleted,
      (
        select count(*) from (
          select e.job_id from app.job_events as e where e.status = 'completed' group by 1 having count(*) > 1
        ) as t
      ) as twice,
      (
        select count(*) from jobs as j
        where j.type = 'noop' and jsonb_array_length(j.output -> 'of') <> coalesce(cardinality(j.depends_on), 0)
      ) as early,
      (select count(*) from app.job_events where status = 'running')
        - (select count(*) from jobs where type <> 'group') as repeated`,
  )
  console.log(describe(end))
  for (const wrong of ['open', 'uncompleted', 'twice', 'early']) {
    if (Number(end[wrong]) !== 0) throw new Error(`${wrong}: ${end[wrong]}.`)
  }
}

async function submitAll(cluster: Cluster, runs: number): Promise<void> {
  for (let n = 0; n < runs; n++) {
    await query(cluster, 'select app.submit_run($1, null, $2)', [JSON.stringify(makeRun(n)), `run-${n}`])
    // Even a few runs take some seconds.
    await sleep(Math.max(20, 4000 / runs))
  }
}

async function connect(cluster: Cluster): Promise<pg.Client> {
  const client = new pg.Client(databaseUrl(cluster, 'plinth'))
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Repeats a failed query, because Postgres restarts. Every query here is safe to repeat. */
async function query(cluster: Cluster, text: string, args: unknown[] = []): Promise<Record<string, unknown>[]> {
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
