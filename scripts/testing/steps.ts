import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Accidents } from '../../worker/steps/accidents.ts'
import type { ClaimedStep } from '../../worker/steps/claim.ts'

// The steps of runs in tests: made up for the worker's code, or driven at the worker's door without a worker.

/** A step as a claim brings it; its fence is its id. */
export function someStep(id: number, more: Partial<ClaimedStep> = {}): ClaimedStep {
  return {
    id,
    fence: id,
    run_id: 1,
    owner_id: null,
    key: `step-${id}`,
    type: 'x',
    input: null,
    state: null,
    failures: 0,
    losses: 0,
    runs_alone: false,
    now_ms: 0,
    fault: null,
    timeout_ms: 60_000,
    max_output_bytes: 1_000_000,
    buying_is_stopped: false,
    outputs: [],
    ...more,
  }
}

/** Calls handlers without watching them. */
export const unwatched: Pick<Accidents, 'call'> = { call: (_claim, work) => work() }

/** The answer of `worker.exchange_work` and `worker.exchange_steps`. */
export type ExchangeAnswer = {
  refused: { index: number; id: number; reason: string }[]
  steps: ClaimedStep[]
  wake_in_ms: number | null
}

/** Hands in results (as objects or as JSON) and claims up to `want` steps, as the worker with this id. */
export async function exchangeSteps(
  client: Client,
  workerId: string,
  results: object[] | string,
  want = 0,
): Promise<ExchangeAnswer> {
  const text = typeof results === 'string' ? results : JSON.stringify(results)
  const { rows } = await client.query('select worker.exchange_steps($1, $2, $3) as answer', [workerId, text, want])
  return rows[0].answer
}

/** Like {@link exchangeSteps}, but refuses results whose rows stay locked for 50 ms. */
export async function exchangeWork(
  client: Client,
  workerId: string,
  results: object[],
  want = 0,
): Promise<ExchangeAnswer> {
  const args = [workerId, JSON.stringify(results), want]
  const { rows } = await client.query('select worker.exchange_work($1, $2, $3, null, 50) as answer', args)
  return rows[0].answer
}

/** Claims up to `want` steps, as the worker with this id. */
export async function claimSteps(client: Client, workerId: string, want = 100): Promise<ClaimedStep[]> {
  return (await exchangeSteps(client, workerId, [], want)).steps
}

/** Lets this worker sweep: records that it has sent heartbeats for an hour without a gap. `admin` owns the tables. */
export async function letSweep(admin: Client, workerId: string): Promise<void> {
  await admin.query(
    `insert into app.workers (id, heartbeat_at, started_at, beating_since)
    values ($1, now(), now() - interval '1 hour', now() - interval '1 hour')
    on conflict (id) do update set
      heartbeat_at = excluded.heartbeat_at, started_at = excluded.started_at, beating_since = excluded.beating_since`,
    [workerId],
  )
}

/** Lets this worker claim steps of every version. `admin` owns the tables. */
export async function announceVersions(admin: Client, workerId: string): Promise<void> {
  await admin.query(
    `insert into app.workers (id, heartbeat_at, started_at, beating_since, versions)
    select $1, now(), now(), now(), jsonb_object_agg(t.name, t.version) from job_types as t
    on conflict (id) do update set versions = excluded.versions`,
    [workerId],
  )
}

/** Requeues lost steps as the worker with this id, which holds no steps itself. Returns their number. */
export async function sweepSteps(client: Client, workerId: string): Promise<number> {
  const { rows } = await client.query("select worker.requeue_lost_steps($1, '[]') as requeued", [workerId])
  return rows[0].requeued
}

/** The result of a completed step, for {@link exchangeSteps}. */
export function completed(step: { id: number; fence: number }, output: unknown = null, children?: object[]) {
  return { id: step.id, fence: step.fence, outcome: 'completed', output, ...(children && { children }) }
}

/** Makes a call as a worker does: repeats the call when another transaction held a row for too long. */
export async function repeatedly<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!['40P01', '55P03'].includes((error as { code: string }).code)) throw error
      await sleep(10)
    }
  }
}
