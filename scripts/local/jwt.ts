import { type JWTPayload, SignJWT } from 'jose'

/** Signs claims as an HS256 JWT, as Supabase Auth does with a shared secret. */
export async function signJwt(claims: JWTPayload, secret: string): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(new TextEncoder().encode(secret))
}

/** Signs an API key for a role (`anon`, `service_role`), valid for ten years. */
export async function signApiKey(
  role: string,
  secret: string,
  issuedAt = Math.floor(Date.now() / 1000),
): Promise<string> {
  return signJwt({ iss: 'plinth', role, iat: issuedAt, exp: issuedAt + 10 * 365 * 86_400 }, secret)
}

/** Signs a user's access token, valid for `seconds`. */
export async function signUserToken(
  user: { id: string; email: string },
  secret: string,
  seconds = 86_400,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const { id: sub, email } = user
  return signJwt(
    { iss: 'plinth', sub, email, role: 'authenticated', aud: 'authenticated', iat: now, exp: now + seconds },
    secret,
  )
}
