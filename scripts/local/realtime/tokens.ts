import { errors, type JWTPayload } from 'jose'
import { type LocalKeys, verifyJwt } from '../keys.ts'

/** The keys with which tokens of users may be signed: the shared secret, or the key pair. */
export type SigningKeys = Pick<LocalKeys, 'jwtSecret' | 'signingKey'>

/** The caller of a token. */
export type Claims = {
  role: string
  /** The claims as JSON, as policies read them. */
  json: string
  /** When the token expires, in ms. */
  expiresAt: number
}

/** A token that Realtime refuses. */
export class TokenError extends Error {
  /** Realtime's code, which stands before the message in the reply to a join. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Reads the claims of a token; throws a {@link TokenError} with Realtime's words if it is refused. */
export async function readToken(token: string, keys: SigningKeys): Promise<Claims> {
  let claims: JWTPayload
  try {
    claims = await verifyJwt(token.replace(/\s/g, ''), keys)
  } catch (error) {
    throw asTokenError(error)
  }
  const role = claims['role']
  if (typeof role !== 'string' || claims.exp === undefined) throw missingClaims()
  return { role, json: JSON.stringify(claims), expiresAt: Math.round(claims.exp) * 1000 }
}

function asTokenError(error: unknown): TokenError {
  if (error instanceof errors.JWTExpired) return expired((error.payload.exp ?? 0) * 1000)
  if (error instanceof errors.JWTClaimValidationFailed) return missingClaims()
  if (error instanceof errors.JOSEAlgNotAllowed)
    return new TokenError(
      'JwtSignerError',
      'Failed to generate JWT signer, check your JWT secret or JWKS configuration',
    )
  if (error instanceof errors.JWSSignatureVerificationFailed || !(error instanceof errors.JOSEError))
    return new TokenError('JwtSignatureError', 'Failed to validate JWT signature')
  return new TokenError('MalformedJWT', 'The token provided is not a valid JWT')
}

/** The error of a token that has expired. */
export function expired(expiresAt: number): TokenError {
  const seconds = Math.max(0, Math.floor((Date.now() - expiresAt) / 1000))
  return new TokenError('InvalidJWTToken', `Token has expired ${seconds} seconds ago`)
}

function missingClaims(): TokenError {
  return new TokenError('InvalidJWTToken', 'Fields `role` and `exp` are required in JWT')
}
