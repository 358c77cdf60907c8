import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Result } from './exchange.ts'

/** Results whose rows another transaction had locked. They are handed in on connections of their own, so no other result waits. */
export type LateResults = {
  add(results: Result[]): void
  /** How many results are not handed in yet. */
  readonly count: number
}

const firstPauseMs = 20
const longestPauseMs = 500
/** After this time, a result waits for its rows, because a client may lock them again and again between two attempts. */
const patienceMs = 1000
/** How long a result waits for its rows: longer than a request of a client may hold them. */
const longWaitMs = 9000

export function createLateResults(options: {
  /** Hands in some of the results, the first ones, and waits for their rows for `waitMs`. Calls `onHandedIn` itself. */
  handIn(results: Result[], waitMs?: number): Promise<{ handedIn: Result[] }>
  onHandedIn(fences: number[]): void
  logger: Logger
}): LateResults {
  const { handIn, onHandedIn, logger } = options
  /** Since when each result is late. */
  const all = new Map<Result, number>()
  /** The result that waits for its rows. */
  let waiting: Result | undefined
  let isPolling = false

  async function attempt(results: Result[], waitMs?: number): Promise<void> {
    try {
      const { handedIn } = await handIn(results, waitMs)
      for (const result of handedIn) all.delete(result)
      if (handedIn.length > 0) onHandedIn(handedIn.map(({ fence }) => fence))
    } catch {
      // The exchange has logged the error, and the next attempt follows.
    }
  }

  /** Lets the oldest result wait for its rows. Other results are handed in at the same time. */
  async function waitForOldest(): Promise<void> {
    const [oldest] = all
    if (waiting !== undefined || oldest === undefined || performance.now() - oldest[1] < patienceMs) return
    waiting = oldest[0]
    logger.warn({ fence: waiting.fence }, 'Result waits for locked rows')
    await attempt([waiting], longWaitMs)
    // If its rows are still locked, it waits again after the others.
    if (all.delete(waiting)) all.set(waiting, performance.now())
    waiting = undefined
  }

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    for (let pauseMs = firstPauseMs; all.size > 0; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      await sleep(pauseMs)
      void waitForOldest()
      const others = [...all.keys()].filter((result) => result !== waiting)
      if (others.length > 0) await attempt(others)
    }
    isPolling = false
  }

  return {
    add(results) {
      for (const result of results) all.set(result, performance.now())
      if (results.length > 0) void poll()
    },
    get count() {
      return all.size
    },
  }
}
