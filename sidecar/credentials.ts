import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from 'jose'
import type { Db } from '../worker/shared/db.ts'
import { refusal, refusalOf } from './problem.ts'

/** Checks the credentials of a request. Resolves if they are right, or if there are none; throws a Refusal otherwise. */
export type CheckCredentials = (headers: IncomingHttpHeaders) => Promise<void>

/** As in the API: a token has an expiry, and the clocks of the signer and of this machine may differ by 30 s. */
const required = { requiredClaims: ['exp'], clockTolerance: 30 }

/**
 * Uploads are anonymous, but a client that sends credentials must learn that they are wrong. `jwtSecret` is the secret that
 * PostgREST has, or a JWKS; without it no token can be checked, so every token is refused.
 */
export function checkCredentials({ db, jwtSecret }: { db: Db; jwtSecret: string | undefined }): CheckCredentials {
  const verify = jwtSecret === undefined ? undefined : createVerifier(jwtSecret)

  async function readToken(authorization: string): Promise<JWTPayload> {
    const hint = 'Get a new token, or upload without Authorization. Send an API key as x-api-key.'
    if (verify === undefined) {
      throw refusal(401, 'token_invalid', 'This server cannot check tokens of uploads.', hint)
    }
    const token = /^bearer +(\S+)$/i.exec(authorization)?.[1]
    try {
      if (token !== undefined) return await verify(token)
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause
      const message = 'The bearer token is malformed, has expired, has no expiry, or has a wrong signature.'
      throw refusal(401, 'token_invalid', message, hint, { cause })
    }
    throw refusal(401, 'token_invalid', 'The Authorization header has no bearer token.', hint)
  }

  return async (headers) => {
    const { authorization, 'x-api-key': key } = headers
    const claims = authorization === undefined ? undefined : await readToken(authorization)
    if (typeof key !== 'string') return
    if (claims !== undefined && (claims.sub !== undefined || claims['role'] !== 'anon')) {
      const hint = 'Send only one of them. The anonymous key may be sent with an API key.'
      throw refusal(400, 'key_with_jwt', "The request has both an API key and a user's JWT.", hint)
    }
    // Node reads headers as Latin-1; PostgREST hashes the bytes as they came.
    const secret_hash = hash('sha256', Buffer.from(key, 'latin1'), 'buffer')
    try {
      await db.call('sidecar.require_api_key', { secret_hash })
    } catch (error) {
      throw refusalOf(error)
    }
  }
}

function createVerifier(jwtSecret: string): (token: string) => Promise<JWTPayload> {
  const jwks = parseJwks(jwtSecret)
  const isShared = ({ kty }: JWK) => kty === 'oct'
  const secrets = jwks
    ? jwks.keys.filter(isShared).map(({ k = '', kid }) => ({ secret: Buffer.from(k, 'base64url'), kid }))
    : [{ secret: new TextEncoder().encode(jwtSecret), kid: undefined }]
  const publicKeys = createLocalJWKSet({ keys: jwks?.keys.filter((key) => !isShared(key)) ?? [] })

  return async (token) => {
    const { alg = '', kid } = readHeader(token)
    // Shared secrets are for HMAC alone and public keys never, so no public key can serve as a secret.
    if (alg.startsWith('HS')) {
      const named = secrets.filter((key) => kid === undefined || key.kid === undefined || key.kid === kid)
      const options = { ...required, algorithms: ['HS256'] }
      return verifyWithOne(named, async ({ secret }) => (await jwtVerify(token, secret, options)).payload)
    }
    try {
      return (await jwtVerify(token, publicKeys, required)).payload
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      const matching = await Array.fromAsync(error)
      return verifyWithOne(matching, async (key) => (await jwtVerify(token, key, required)).payload)
    }
  }
}

function readHeader(token: string): ProtectedHeaderParameters {
  try {
    return decodeProtectedHeader(token)
  } catch (cause) {
    throw new errors.JWTInvalid('The token is malformed.', { cause })
  }
}

/** Returns the claims if one of the keys made the signature. */
async function verifyWithOne<Key>(keys: Key[], verify: (key: Key) => Promise<JWTPayload>): Promise<JWTPayload> {
  for (const key of keys) {
    try {
      return await verify(key)
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
    }
  }
  throw new errors.JWSSignatureVerificationFailed()
}

/** Returns the JWKS if the text is one; undefined if the text is a secret. */
function parseJwks(text: string): JSONWebKeySet | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  return JSON.parse(text) as JSONWebKeySet
}

/** Whether the text is a secret that is long enough, or a JWKS. */
export function isJwtSecret(text: string): boolean {
  try {
    const jwks = parseJwks(text)
    if (jwks === undefined) return text.length >= 32
    createLocalJWKSet(jwks)
    return jwks.keys.every(({ kty, k }) => kty !== 'oct' || isLongSecret(k))
  } catch {
    return false
  }
}

/** Whether the secret of a JWKS has the 32 bytes that HS256 and PostgREST need. */
function isLongSecret(k: unknown): boolean {
  return typeof k === 'string' && Buffer.from(k, 'base64url').length >= 32
}
