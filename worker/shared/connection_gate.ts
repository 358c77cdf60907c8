import type pg from 'pg'
import type { Logger } from 'pino'
import { explainTls } from './database_url.ts'

/** The database cannot be reached. The gate has logged why, so callers need not log it again. */
export class DatabaseAway extends Error {
  readonly code: string | undefined
  /** In how many milliseconds the gate permits another attempt. */
  readonly retryInMs: number

  constructor(cause: unknown, retryInMs = 0) {
    const { message, code } = cause as pg.DatabaseError
    // Node's error for a host with several addresses has a code but no message.
    super(message || code || 'The connection failed.', { cause })
    this.code = code
    this.retryInMs = retryInMs
  }
}

/** Whether {@link findAway} finds something. */
export function isAway(error: unknown): boolean {
  return findAway(error) !== undefined
}

/** Returns the reason why the database cannot be reached, if an error, such as one of {@link Db.call}, says that. */
export function findAway(error: unknown): DatabaseAway | undefined {
  if (error instanceof DatabaseAway) return error
  const cause = (error as Error | undefined)?.cause
  return cause instanceof DatabaseAway ? cause : undefined
}

/** How long a caller should wait before it repeats a failed call: `ms`, or until the gate permits an attempt. */
export function pauseAfter(error: unknown, ms: number): number {
  const away = findAway(error)
  return away ? Math.min(Math.max(away.retryInMs, 20), 1000) : ms
}

/** An attempt to connect, from {@link Gate.enter}. */
export type Attempt = {
  succeed(): void
  /** Returns the error for the caller. */
  fail(cause: unknown): DatabaseAway
}

/**
 * Permits attempts to connect. After a failed attempt, the gate permits none until a pause is over, and then one at a time
 * until an attempt succeeds, because a pooler bans an address after some refused logins.
 */
export type Gate = {
  /** Begins an attempt. Throws the reason of the last attempt if it is too early for another one. */
  enter(): Attempt
}

type Pauses = { firstMs: number; factor: number }

// A restart of Postgres takes about a second, and steps must continue at once: each pause is about a fifth of the outage. A
// wrong password stays wrong until a person corrects it.
const refusedConnection: Pauses = { firstMs: 100, factor: 1.25 }
const refusedLogin: Pauses = { firstMs: 5000, factor: 2 }
// At most 25 s with the jitter, so that a worker sends heartbeats again before the default lease of 30 s is over.
const longestMs = 20_000

export function createGate(options: {
  logger: Logger
  /** The longest pause after a refused connection. Default: 20 s, as after a refused login. */
  longestPauseMs?: () => number
  now?: () => number
  random?: () => number
}): Gate {
  const { logger, longestPauseMs = () => longestMs, now = () => performance.now(), random = Math.random } = options
  /** The failure that closed the gate; undefined while the gate is open. */
  let failure: DatabaseAway | undefined
  let failedSince = 0
  let attempts = 0
  let pauseMs = 0
  let openAt = 0
  let isProbing = false

  function succeed(): void {
    if (failure) {
      const facts = { after_ms: Math.round(now() - failedSince), attempts }
      logger.info(facts, 'Database accepts connections again')
    }
    failure = undefined
    pauseMs = 0
    attempts = 0
  }

  function fail(cause: unknown): DatabaseAway {
    const isLogin = isLoginRefusal(cause)
    const { firstMs, factor } = isLogin ? refusedLogin : refusedConnection
    const maxMs = isLogin ? longestMs : Math.min(longestMs, longestPauseMs())
    const last = failure
    if (last === undefined) failedSince = now()
    attempts += 1
    pauseMs = Math.min(Math.max(firstMs, pauseMs * factor), maxMs)
    const waitMs = pauseMs * (0.75 + random() / 2)
    openAt = now() + waitMs
    failure = new DatabaseAway(cause, waitMs)
    if (last?.code !== failure.code || last?.message !== failure.message) {
      const hint = explainTls(cause)
      const facts = { reason: failure.message, code: failure.code, retry_in_ms: Math.round(waitMs) }
      logger.warn({ ...facts, ...(hint && { hint }) }, 'Database cannot be reached')
    }
    return failure
  }

  return {
    enter() {
      if (failure === undefined) {
        // Attempts that began together fail together. Only the first of them closes the gate.
        return { succeed, fail: (cause) => (failure ? new DatabaseAway(cause, openAt - now()) : fail(cause)) }
      }
      if (isProbing || now() < openAt) throw new DatabaseAway(failure.cause, Math.max(0, openAt - now()))
      isProbing = true
      return {
        succeed() {
          isProbing = false
          succeed()
        },
        fail(cause) {
          isProbing = false
          return fail(cause)
        },
      }
    },
  }
}

/**
 * Whether the server refused the login: invalid authorization (28), an unknown database (3D000), or an unknown user of a
 * pooler (XX000).
 */
function isLoginRefusal(error: unknown): boolean {
  return /^(28|3D000$|XX000$)/.test((error as { code?: string } | undefined)?.code ?? '')
}
