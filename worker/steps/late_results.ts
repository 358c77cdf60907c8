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
  /** The results that wait for their rows: of one owner, because the runs of another owner must not wait with them. */
  let waiting: Result[] = []
  /** Owners whose next wait is for one result, because the rows of all their results were not free at the same time. */
  const lonely = new Set<string>()
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

  /** Lets the oldest result wait for its rows, with the others of its owner. Other results are handed in at the same time. */
  async function waitForOldest(): Promise<void> {
    const [oldest] = all
    if (waiting.length > 0 || oldest === undefined || performance.now() - oldest[1] < patienceMs) return
    const [{ ownerId }] = oldest
    waiting =
      ownerId === null || lonely.delete(ownerId)
        ? [oldest[0]]
        : [...all.keys()].filter((result) => result.ownerId === ownerId)
    logger.warn({ fences: waiting.map(({ fence }) => fence) }, 'Results wait for locked rows')
    await attempt(waiting, longWaitMs)
    const left = waiting.filter((result) => all.delete(result))
    if (ownerId !== null && left.length > 1 && left.length === waiting.length) lonely.add(ownerId)
    // If their rows are still locked, they wait again after the others.
    for (const result of left) all.set(result, performance.now())
    waiting = []
  }

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    for (let pauseMs = firstPauseMs; all.size > 0; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      await sleep(pauseMs)
      void waitForOldest()
      const others = [...all.keys()].filter((result) => !waiting.includes(result))
      if (others.length > 0) await attempt(others)
    }
    lonely.clear()
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
