import type pg from 'pg'
import { atMost, median, type Section, say } from '../report.ts'
import { runOnPlinth, withPlinth } from './plinth.ts'
import { chain, fan, flat, type Shape } from './shapes.ts'
import type { JobsStage } from './stage.ts'

/** Measures whether a step costs more in a database with many finished jobs and with statistics from before them. */
export async function compareFull(stage: JobsStage, finished: number): Promise<Section> {
  const count = finished.toLocaleString('en')
  say(`With ${count} finished jobs in the database, and statistics from before …`)
  const full = await stage.open('filled')
  await fill(full, finished)
  const empty = await stage.open('empty')
  const before: number[][] = []
  const after: number[][] = []
  for (let round = 0; round <= stage.rounds; round++) {
    const one = [await measure(stage, 'empty', empty), await measure(stage, 'filled', full)] as const
    // The first round only fills caches.
    if (round > 0) {
      before.push(one[0])
      after.push(one[1])
    }
  }
  return {
    bars: ['chain of 200', '1 → 1,000 → 1', '10,000 steps'].map((name, index) => {
      const of = (all: number[][]) => median(all.map((one) => one[index] ?? Number.NaN))
      return atMost(`${name}: with ${count} finished jobs in the database`, of(after) / of(before), 1.1)
    }),
    figures: [],
  }
}

async function fill(full: pg.Client, finished: number): Promise<void> {
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
}

/** Returns the milliseconds of a chain, a fan and independent steps, each the median of several turns. */
function measure(stage: JobsStage, database: string, client: pg.Client): Promise<number[]> {
  return withPlinth(
    stage,
    async () => {
      const ran = async (shape: Shape) => (await runOnPlinth(client, [shape])).ran
      const often = async (turns: number, shape: Shape) => {
        const all: number[] = []
        for (let turn = 0; turn < turns; turn++) all.push(await ran(shape))
        return median(all)
      }
      await ran(chain(20))
      return [await often(5, chain(200)), await often(5, fan(1000)), await often(3, flat(10_000))]
    },
    database,
  )
}
