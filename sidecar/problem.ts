import { DatabaseError } from 'pg'
import { isOutage } from '../worker/shared/outage.ts'

/** The body of every error answer, in PostgREST's shape. Clients switch on `details`, the slug. */
export type Problem = { code: string; details: string; message: string; hint: string | null }

/** A refused request, with the answer for the client. */
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

/** Makes a refusal with the fields that app.fail sets. */
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

/** Makes a refusal from an answer that SQL wrote. */
export function refusalWith(problem: Problem): Refusal {
  return new Refusal(statusOf(problem.code), problem)
}

/** Turns an error of Db.call into a refusal: the database's own one, or `database_unavailable`. Returns other errors as they are. */
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
  }
  // Any other SQLSTATE is a bug of the sidecar.
  if (!isOutage(error)) return error
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
