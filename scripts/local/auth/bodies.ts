import { z } from 'zod'
import { AuthError } from './errors.ts'

// The fields of requests that the local Auth server reads. It ignores all others, as GoTrue does.

const text = z.string().nullish()
const data = z.record(z.string(), z.unknown()).nullish()
const challenge = { code_challenge: text, code_challenge_method: text }

/** The bodies of requests, as clients of GoTrue send them. */
export const signUpBody = z.object({ email: text, phone: text, password: text, data, ...challenge })
export const passwordBody = z.object({ email: text, phone: text, password: text })
export const refreshBody = z.object({ refresh_token: text })
export const otpBody = z.object({ email: text, phone: text, create_user: z.boolean().nullish(), data, ...challenge })
export const recoverBody = z.object({ email: text, ...challenge })
export const resendBody = z.object({ type: text, email: text, phone: text, ...challenge })
export const verifyBody = z.object({ type: text, token: text, token_hash: text, email: text, phone: text })
export const userBody = z.object({ email: text, phone: text, password: text, data, app_metadata: data, ...challenge })
export const deleteBody = z.object({ should_soft_delete: z.boolean().nullish() })
export const inviteBody = z.object({ email: text, data })
export const linkBody = z.object({ type: text, email: text, new_email: text, password: text, data })
export const adminBody = z.object({
  id: text,
  role: text,
  email: text,
  phone: text,
  password: text,
  password_hash: text,
  email_confirm: z.boolean().nullish(),
  user_metadata: data,
  app_metadata: data,
  ban_duration: text,
})

/** Returns the known fields of a body; 400 bad_json if one has another type. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new AuthError(
    400,
    'bad_json',
    `Could not parse request body as JSON: ${issue?.path.join('.') || 'the body'}: ${issue?.message}`,
  )
}
