import type { Logger } from 'pino'
import { describeReturn } from '../outcomes/serialize_result.ts'
import type { Db } from '../shared/db.ts'
import { readClaims, readTicks, type SharedClaim } from './claims_table.ts'

/** How long the database may take to store the results of a stalled process. */
const handInMaxMs = 5000

/**
 * Counts how often in a row `look` found that the main thread had not ticked since the last time. A pause of the whole machine
 * counts once at most, because the counting thread pauses, too.
 */
export function createStallCount(memory: SharedArrayBuffer): { look(): number } {
  let lastTicks = readTicks(memory)
  let count = 0
  return {
    look() {
      const ticks = readTicks(memory)
      count = ticks === lastTicks ? count + 1 : 0
      lastTicks = ticks
      return count
    },
  }
}

/** A stalled process, as the thread of the heartbeat sees it. */
export type Stall = {
  db: Db
  logger: Logger
  workerId: string
  types: string[]
  memory: SharedArrayBuffer
  /** For how long the main thread has not ticked. */
  seconds: number
}

/**
 * Returns the steps that wait for a slot, so that other workers run them while a handler blocks this process. The main thread
 * must have stalled for so long that it begins none of these steps afterwards (see ticks.ts).
 */
export async function returnWaiting(stall: Stall): Promise<void> {
  const { logger, memory } = stall
  const claims = readClaims(memory)
  const waiting = claims.filter(({ state }) => state === 'waiting')
  logger.warn({ ...describeRunning(stall, claims), returned: waiting.length }, 'A handler blocks the event loop')
  if (waiting.length === 0) return
  const results = waiting.map((claim) => describeReturn(claim))
  await handIn(stall, results).catch((error: Error) =>
    logger.warn({ reason: error.message }, 'The waiting steps could not be returned'),
  )
}

/**
 * Hands in a loss for each begun step of a stalled process, returns the others, so that other workers can run the steps, and
 * ends the process. If the database does not answer, a sweep requeues the steps after the lease.
 */
export async function endStalledProcess(
  stall: Stall & {
    /** Ends the process, also if its main thread never runs again. */
    kill(): void
  },
): Promise<void> {
  const { db, logger, workerId, memory, seconds, kill } = stall
  const claims = readClaims(memory)
  const facts = { event: 'event_loop_stalled', ...describeRunning(stall, claims) }
  logger.error(facts, 'A handler blocked the event loop, so the worker hands its steps in and ends')
  const signOff = async () => {
    await handIn(stall, claims.map(describeStalled(seconds)))
    await db.call('worker.leave', { worker_id: workerId }, { timeoutMs: handInMaxMs })
  }
  const timedOut = Promise.withResolvers<never>()
  setTimeout(() => timedOut.reject(new Error('The database did not answer.')), handInMaxMs)
  await Promise.race([signOff(), timedOut.promise]).catch((error: Error) =>
    logger.error({ reason: error.message }, 'The steps of the stalled worker could not be handed in'),
  )
  kill()
}

async function handIn({ db, workerId, types }: Stall, results: string[]): Promise<void> {
  // A sweep requeues the steps whose runs stay locked.
  const args = { worker_id: workerId, results: `[${results.join(',')}]`, want: 0, types, wait_ms: 50 }
  await db.call('worker.exchange_work', args, { timeoutMs: handInMaxMs })
}

/** A step that had begun may be the one that blocks, so it counts a loss. A step that waits or has ended does not block. */
function describeStalled(seconds: number): (claim: SharedClaim) => string {
  const error = {
    slug: 'worker_stalled',
    message:
      `This step or another step blocked the worker process for ${seconds} seconds. ` +
      'After such a loss, a step runs alone in its process.',
  }
  return ({ id, fence, state }) =>
    state === 'begun' ? JSON.stringify({ id, fence, outcome: 'lost', error }) : describeReturn({ id, fence })
}

/** Names the steps that were running, one of which blocks the process, and counts them by type. */
function describeRunning({ seconds, types }: Stall, claims: SharedClaim[]): object {
  const begun = claims.filter(({ state }) => state === 'begun')
  const counts: Record<string, number> = {}
  for (const { type } of begun) {
    const name = types[type] ?? 'unknown'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return { seconds, types: counts, steps: begun.map(({ id }) => id) }
}
