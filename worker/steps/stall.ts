import type { Logger } from 'pino'
import type { Db } from '../shared/db.ts'
import { readClaims, readTicks, type SharedClaim } from './claims_table.ts'
import { describeReturn } from './serialize_result.ts'

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

/**
 * Hands in the claims of a process whose main thread stands still, so that other workers can run the steps, and ends the
 * process. Ends it also if the database does not answer: then the steps are requeued after the lease.
 */
export async function endStalledProcess(options: {
  db: Db
  logger: Logger
  workerId: string
  types: string[]
  memory: SharedArrayBuffer
  seconds: number
  /** Ends the process, also if its main thread never runs again. */
  kill(): void
}): Promise<void> {
  const { db, logger, workerId, types, memory, seconds, kill } = options
  const claims = readClaims(memory)
  const begun = claims.filter(({ state }) => state === 'begun')
  const facts = {
    event: 'event_loop_stalled',
    seconds,
    types: countTypes(begun, types),
    steps: begun.map(({ id }) => id),
  }
  logger.error(facts, 'A handler blocked the event loop, so the worker hands its steps in and ends')
  const args = { worker_id: workerId, results: `[${claims.map(describeStalled(seconds)).join(',')}]`, want: 0, types }
  const handIn = async () => {
    await db.call('worker.exchange_steps', args, { timeoutMs: handInMaxMs })
    await db.call('worker.leave', { worker_id: workerId }, { timeoutMs: handInMaxMs })
  }
  const timedOut = Promise.withResolvers<never>()
  setTimeout(() => timedOut.reject(new Error('The database did not answer.')), handInMaxMs)
  await Promise.race([handIn(), timedOut.promise]).catch((error: Error) =>
    logger.error({ reason: error.message }, 'The steps of the stalled worker could not be handed in'),
  )
  kill()
}

/** A step that had begun may be the one that blocks, so it counts a loss. A step that waits or has ended does not block. */
function describeStalled(seconds: number): (claim: SharedClaim) => string {
  const error = {
    slug: 'worker_stalled',
    message:
      `The worker stood still for ${seconds} seconds, because this step or another step blocked its process. ` +
      'After such a loss, a step runs alone in its process.',
  }
  return ({ id, fence, state }) =>
    state === 'begun' ? JSON.stringify({ id, fence, outcome: 'lost', error }) : describeReturn({ id, fence })
}

function countTypes(claims: SharedClaim[], types: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { type } of claims) {
    const name = types[type] ?? 'unknown'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
