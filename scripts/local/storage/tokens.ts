import { type JWTPayload, SignJWT } from 'jose'
import { type LocalKeys, verifyJwt } from '../keys.ts'
import { StorageError } from './errors.ts'

/** The keys that sign URLs and tokens of users. */
export type SigningKeys = Pick<LocalKeys, 'jwtSecret' | 'signingKey'>

/** A signed URL allows one of the two, and is refused for the other. */
export type Scope = 'download' | 'upload'

/** The claims of a signed URL. `owner` and `upsert` belong to uploads. */
export type UrlClaims = JWTPayload & { url: string; scope: Scope; owner?: string; upsert?: boolean; exp: number }

/** Signs a URL for `bucket/key`, with the secret of the JWT keys, as Storage does. */
export async function signUrl(
  keys: SigningKeys,
  claims: { url: string; scope: Scope; owner?: string; upsert?: boolean },
  seconds: number,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(now)
    .setExpirationTime(now + seconds)
    .sign(new TextEncoder().encode(keys.jwtSecret))
}

/** Returns the claims of a signed URL; refuses the token of another path, of the other scope, or of a user. */
export async function verifyUrl(keys: SigningKeys, token: string, url: string, scope: Scope): Promise<UrlClaims> {
  let claims: JWTPayload
  try {
    claims = await verifyJwt(token, keys)
  } catch (cause) {
    throw new StorageError(400, 'InvalidJWT', (cause as Error).message, { cause })
  }
  if (claims['scope'] !== scope) throw new StorageError(400, 'InvalidSignature', `Token is not scoped for ${scope}`)
  if (claims['url'] !== url) throw new StorageError(400, 'InvalidSignature', 'Invalid signature')
  return claims as UrlClaims
}
