import type pg from 'pg'
import { AuthError } from './errors.ts'
import type { Mail } from './mail.ts'

/** The answer of a function of schema `local_auth`. Each function returns some of these parts. */
export type Answer = {
  error?: { status: number; code: string; message: string }
  user?: Record<string, unknown>
  users?: Record<string, unknown>[]
  total?: number
  session?: { refresh_token: string; expires_in: number; user: object; claims: Record<string, unknown> }
  mails?: Mail[]
  /** A change of address waits for the code of the other address. */
  waits?: boolean
  email_otp?: string
  hashed_token?: string
  verification_type?: string
}

/** Calls a function of schema `local_auth`, which holds the rules; throws an {@link AuthError} where it refuses. */
export type Rules = (name: string, ...args: unknown[]) => Promise<Answer>

/** Calls the rules by this pool. */
export function createRules(pool: pg.Pool): Rules {
  return async (name, ...args) => {
    const places = args.map((_, index) => `$${index + 1}`).join(', ')
    const values = args.map((value) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : value))
    try {
      const { rows } = await pool.query<{ answer: Answer }>(`select local_auth.${name}(${places}) as answer`, values)
      const answer = rows[0]?.answer ?? {}
      if (answer.error) throw new AuthError(answer.error.status, answer.error.code, answer.error.message)
      return answer
    } catch (error) {
      throw asAuthError(error)
    }
  }
}

function asAuthError(error: unknown): unknown {
  const { code, detail, message } = error as { code?: unknown; detail?: string; message: string }
  if (typeof code !== 'string') return error
  const status = /^PT(\d{3})$/.exec(code)?.[1]
  if (status) return new AuthError(Number(status), detail ?? 'unexpected_failure', message)
  // Text that Postgres cannot store, such as \u0000, and JSON that is nested too deeply.
  if (code.startsWith('22') || code.startsWith('54')) {
    return new AuthError(400, 'bad_json', `Could not parse request body as JSON: ${message}`)
  }
  return error
}
