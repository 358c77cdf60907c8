import { createHmac } from 'node:crypto'

/** Signs claims as an HS256 JWT, as Supabase Auth does. */
export function signJwt(claims: Record<string, unknown>, secret: string): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** An API key for a role (`anon`, `service_role`), good for ten years. */
export function signApiKey(role: string, secret: string): string {
  const now = Math.floor(Date.now() / 1000)
  return signJwt({ iss: 'plinth', role, iat: now, exp: now + 10 * 365 * 86_400 }, secret)
}

/** A user's access token, good for `seconds`. */
export function signUserToken(user: { id: string; email: string }, secret: string, seconds = 86_400): string {
  const now = Math.floor(Date.now() / 1000)
  const { id: sub, email } = user
  return signJwt(
    { iss: 'plinth', sub, email, role: 'authenticated', aud: 'authenticated', iat: now, exp: now + seconds },
    secret,
  )
}
