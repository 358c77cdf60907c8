import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Logger, run, type TaskList } from 'graphile-worker'
import pg from 'pg'
import { databaseUrl } from '../../testing/cluster.ts'
import type { Shape } from './shapes.ts'
import { type JobsStage, until, watch } from './stage.ts'

// The other sides: a DAG written by hand on graphile-worker (by_hand.sql), and graphile-worker alone.

/** The default settings of graphile-worker, and its fastest ones. */
export const settings = ['plain', 'local'] as const

let nextId = 1

/** Creates the schema of the DAG by hand. */
export async function prepareByHand({ admin }: JobsStage): Promise<void> {
  await admin.query(await readFile(join(import.meta.dirname, 'by_hand.sql'), 'utf8'))
}

/** Calls `work` while graphile-worker runs. */
export async function withRunner<Result>(
  { cluster, concurrency }: JobsStage,
  setting: (typeof settings)[number],
  work: () => Promise<Result>,
): Promise<Result> {
  const pool = new pg.Pool({ connectionString: databaseUrl(cluster, 'plinth'), max: 15 })
  watch(pool)
  const taskList: TaskList = {
    hand_step: async (payload, helpers) => {
      const { id } = payload as { id: number }
      await helpers.query('select hand.complete_step($1, $2)', [id, '{"of": []}'])
    },
    bare: () => {},
  }
  const fastest = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
  const runner = await run({
    pgPool: pool,
    schema: 'graphile_worker',
    concurrency,
    taskList,
    logger: new Logger(() => () => {}),
    noHandleSignals: true,
    preset: { worker: setting === 'local' ? fastest : {} },
  })
  try {
    return await work()
  } finally {
    await runner.stop()
    await pool.end()
  }
}

/** Runs the shapes by hand, and returns the milliseconds. */
export async function runByHand({ admin }: JobsStage, shapes: Shape[]): Promise<number> {
  const from = performance.now()
  const all: number[] = []
  for (const { steps, edges } of shapes) {
    const ids = Array.from({ length: steps }, () => nextId++)
    all.push(...ids)
    await admin.query('select hand.submit($1, $2, $3)', [ids, edges.map(([a]) => ids[a]), edges.map(([, b]) => ids[b])])
  }
  await until(admin, 'select from hand.steps where id >= $1 and output is null limit 1', [all[0]])
  return performance.now() - from
}

/** Runs independent jobs of graphile-worker, and returns the milliseconds. */
export async function runBare({ admin }: JobsStage, jobs: number): Promise<number> {
  const from = performance.now()
  await admin.query(
    `select graphile_worker.add_jobs(array(
      select ('bare', '{}'::json, null, null, null, null, null, null)::graphile_worker.job_spec from generate_series(1, $1::int)))`,
    [jobs],
  )
  await until(admin, 'select from graphile_worker._private_jobs limit 1')
  return performance.now() - from
}
