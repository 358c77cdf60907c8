import type pg from 'pg'
import { testHandlers } from '../../testing/handlers.ts'
import { withWorker } from '../worker.ts'
import { type Shape, toSpec } from './shapes.ts'
import { type JobsStage, until } from './stage.ts'

/** Calls `work` while Plinth's worker runs in this process. */
export function withPlinth<Result>(
  { cluster, concurrency }: JobsStage,
  work: () => Promise<Result>,
  database = 'plinth',
): Promise<Result> {
  return withWorker({ cluster, concurrency, database, handlers: testHandlers }, work)
}

/**
 * Runs the shapes on Plinth. Returns the milliseconds of submitting, and of submitting and running. Throws if a step ran early
 * or without its output.
 */
export async function runOnPlinth(client: pg.Client, shapes: Shape[]): Promise<{ submit: number; ran: number }> {
  const specs = shapes.map((shape) => JSON.stringify(toSpec(shape)))
  const from = performance.now()
  const ids: number[] = []
  for (const spec of specs) {
    ids.push(Number((await client.query('select app.submit_run($1, null, null) as id', [spec])).rows[0].id))
  }
  const submitted = performance.now()
  await until(client, 'select from app.runs where id = any ($1) and finished_at is null limit 1', [ids])
  const ended = performance.now()
  const { rows } = await client.query(
    `select
      count(*) filter (
        where j.status = 'completed' and jsonb_array_length(j.output -> 'of') = coalesce(cardinality(j.depends_on), 0)
      ) as good,
      count(*) filter (
        where j.started_at < (select max(d.worked_at) from jobs as d where d.id = any (j.depends_on))
      ) as early
    from jobs as j where j.root_id = any ($1) and j.parent_id is not null`,
    [ids],
  )
  const expected = shapes.reduce((sum, shape) => sum + shape.steps, 0)
  if (Number(rows[0].good) !== expected || Number(rows[0].early) > 0) {
    throw new Error(`Plinth: ${JSON.stringify(rows[0])} of ${expected}`)
  }
  return { submit: submitted - from, ran: ended - from }
}

/** Submits the shapes, and returns the milliseconds. */
export async function submitAll(client: pg.Client, shapes: Shape[]): Promise<number> {
  const specs = shapes.map((shape) => JSON.stringify(toSpec(shape)))
  const from = performance.now()
  for (const spec of specs) await client.query('select app.submit_run($1, null, null)', [spec])
  return performance.now() - from
}
