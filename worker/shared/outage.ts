import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { pauseAfter } from './connection_gate.ts'

/**
 * Whether the database cannot serve a call at the moment. `error` is an error of {@link Db.call}. Without a SQLSTATE, the
 * connection failed or had no answer. SQLSTATEs: connection lost (08), read-only (25), login refused (28), deadlock (40),
 * out of resources (53), lock not available (55), shutdown or cancelled (57), disk error (58).
 */
export function isOutage(error: unknown): boolean {
  const { cause } = error as Error
  if (cause instanceof pg.DatabaseError) return /^(08|25|28|40|53|55|57|58)/.test(cause.code ?? '')
  return cause instanceof Error
}

const longestPauseMs = 1000

/** Repeats a call that is safe to repeat, with growing pauses, until the database serves it or the signal aborts. */
export async function patiently<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
  for (let pauseMs = 50; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await call()
    } catch (error) {
      if (!isOutage(error)) throw error
      signal.throwIfAborted()
      await sleep(pauseAfter(error, pauseMs), undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}
