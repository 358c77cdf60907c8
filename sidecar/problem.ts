import { DatabaseError } from 'pg'

/** The body of every answer that is an error, in PostgREST's shape: `details` is the slug that clients switch on. */
export type Problem = { code: string; details: string; message: string; hint: string | null }

/** A request that is refused, and the answer that says so. */
export class Refusal extends Error {
  readonly status: number
  readonly problem: Problem
  readonly headers: Record<string, string>

  constructor(status: number, problem: Problem, options: { headers?: Record<string, string>; cause?: unknown } = {}) {
    super(problem.message, { cause: options.cause })
    this.status = status
    this.problem = problem
    this.headers = options.headers ?? {}
  }
}

/** Refuses a request as app.fail does. */
export function refusal(
  status: number,
  slug: string,
  message: string,
  hint: string | null,
  options: { retryAfter?: number; cause?: unknown } = {},
): Refusal {
  const headers: Record<string, string> = options.retryAfter ? { 'retry-after': String(options.retryAfter) } : {}
  const problem = { code: `PT${status}`, details: slug, message, hint }
  return new Refusal(status, problem, { headers, cause: options.cause })
}

/** Refuses a request with an answer that SQL has written. */
export function refusalWith(problem: Problem): Refusal {
  return new Refusal(statusOf(problem.code), problem)
}

/** The refusal that an error of Db.call stands for: the database's own, or that it does not answer; else the error. */
export function refusalOf(error: unknown): unknown {
  const { cause } = error as Error
  if (cause instanceof DatabaseError) {
    const { code = '', message, detail = '', hint } = cause
    if (/^PT[45]\d\d$/.test(code)) {
      return new Refusal(statusOf(code), { code, details: detail, message, hint: hint || null }, { cause })
    }
    if (code === 'PGRST') {
      const { status, headers } = JSON.parse(detail) as { status: number; headers: Record<string, string> }
      return new Refusal(status, JSON.parse(message) as Problem, { headers, cause })
    }
    // Whatever else it says of a call of ours is a mistake of ours.
    if (!isAway.test(code)) return error
  }
  return refusal(
    503,
    'database_unavailable',
    'The database does not answer at the moment.',
    'Try again in a few seconds.',
    { retryAfter: 5, cause: error },
  )
}

/** The HTTP status in a code such as PT404. */
function statusOf(code: string): number {
  return Number(code.slice(2))
}

/**
 * SQLSTATEs of a database that cannot serve us now: the connection (08), read-only (25), our password (28), a deadlock
 * (40), no room (53), a lock that somebody holds (55), it stops or cancels (57), its disk (58).
 */
const isAway = /^(08|25|28|40|53|55|57|58)/
