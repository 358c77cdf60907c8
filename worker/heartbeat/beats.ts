import type { Logger } from 'pino'
import { isAway } from '../shared/connection_gate.ts'
import type { Db } from '../shared/db.ts'
import { readClaims, readTicks } from './claims_table.ts'
import { keepCalling } from './keep_calling.ts'

/** The calls that tell the database, once a second, that this process is alive and which claims it has. */
export type Beats = {
  /** Sends a heartbeat now, and then once a second. */
  start(): void
  /** Sends no more heartbeats, and resolves when the running calls have ended. */
  stop(): Promise<void>
  /** How long this process may be silent, as the database said last; infinite before the first answer. */
  readonly leaseMs: number
}

/** The facts about the pump that heartbeats need. */
export type BeatOptions = {
  workerId: string
  /** The versions of the handlers, by job type. */
  versions: Record<string, number>
  /** The memory of the table of claims. The server requeues the step of each claim that a heartbeat omits. */
  memory: SharedArrayBuffer
  /**
   * Called with claims whose result the database will refuse: the run was cancelled or is failing, or another worker has the
   * step.
   */
  onUnwanted(fences: number[]): void
  /** Called when at least one step is ready to be claimed. */
  onReady(): void
}

type Answer = { stop: { id: number; fence: number }[]; wake_in_ms: number | null; lease_ms: number }

export const beatMs = 1000
/** How long a heartbeat waits for its answer; less if the lease is short. */
const answerMaxMs = 5000
/** If `worker.publish_runs` returns this number of runs, more runs may have changed. */
const publishedMax = 300
/** How long a sweep waits for its answer: longer than the statement_timeout of the role. */
const sweepMaxMs = 40_000

/**
 * Sends heartbeats through `db`, and sweeps through `sweepDb`: a sweep requeues the steps of silent workers, and waits for
 * callbacks of products, which must delay no heartbeat. Another sweep shows clients which runs have changed.
 */
export function createBeats(options: BeatOptions & { db: Db; sweepDb: Db; logger: Logger }): Beats {
  const { db, sweepDb, logger, workerId, memory } = options
  const versions = JSON.stringify(options.versions)
  let leaseMs = Number.POSITIVE_INFINITY
  let lastTicks = 0
  let livelySweeps = 0
  let published = 0

  async function beat(): Promise<void> {
    const running = readClaims(memory).map(({ id, fence, progress, state }) => ({
      ...{ id, fence, progress },
      ...(state === 'waiting' && { waiting: true }),
    }))
    const rows = await db.call<{ send_heartbeat: Answer }>(
      'worker.send_heartbeat',
      { worker_id: workerId, running: JSON.stringify(running), versions },
      // Two thirds of the lease are left for a second connection, if this one is dead.
      { timeoutMs: Math.min(answerMaxMs, leaseMs / 3) },
    )
    const answer = rows[0]?.send_heartbeat
    leaseMs = answer?.lease_ms ?? leaseMs
    const unwanted = answer?.stop.map(({ fence }) => fence) ?? []
    if (unwanted.length > 0) options.onUnwanted(unwanted)
    if (answer?.wake_in_ms === 0) options.onReady()
  }

  async function sweep(): Promise<void> {
    // During a stall of the main thread, its socket may hold an answer with steps that the table does not have yet, and a sweep
    // would treat these steps as lost. Waits for ticks in two sweeps in a row, because the first tick may come before the main
    // thread reads that answer.
    const ticks = readTicks(memory)
    livelySweeps = ticks === lastTicks ? 0 : livelySweeps + 1
    lastTicks = ticks
    if (livelySweeps < 2) return
    const running = JSON.stringify(readClaims(memory).map(({ id, fence }) => ({ id, fence })))
    const args = { worker_id: workerId, running }
    const name = 'worker.requeue_lost_steps'
    const rows = await sweepDb.call<{ requeue_lost_steps: number }>(name, args, { timeoutMs: sweepMaxMs })
    const steps = rows[0]?.requeue_lost_steps ?? 0
    if (steps > 0) logger.warn({ steps }, 'Lost steps were requeued')
  }

  async function publish(): Promise<void> {
    published = 0
    const rows = await sweepDb.call<{ publish_runs: number }>('worker.publish_runs', {}, { timeoutMs: sweepMaxMs })
    published = rows[0]?.publish_runs ?? 0
  }

  const warn = (message: string) => (error: Error) => {
    // The pool has logged once why the database cannot be reached.
    logger[isAway(error) ? 'debug' : 'warn']({ reason: error.message }, message)
  }
  const calls = [
    // After a call without an answer, the next one follows at once, on another connection.
    keepCalling({
      call: beat,
      findPause: (elapsedMs) => beatMs - elapsedMs,
      onFailure: warn('Heartbeat failed'),
    }),
    keepCalling({
      call: sweep,
      findPause: () => beatMs,
      onFailure: warn('Lost steps could not be requeued'),
    }),
    keepCalling({
      call: publish,
      findPause: () => (published < publishedMax ? beatMs : 0),
      onFailure: warn('Changed runs could not be published'),
    }),
  ]

  return {
    start() {
      for (const { start } of calls) start()
    },
    async stop() {
      await Promise.all(calls.map(({ stop }) => stop()))
    },
    get leaseMs() {
      return leaseMs
    },
  }
}
