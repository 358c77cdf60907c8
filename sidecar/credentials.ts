import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
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
  if (jwks === undefined) {
    const secret = new TextEncoder().encode(jwtSecret)
    return async (token) => (await jwtVerify(token, secret, { ...required, algorithms: ['HS256'] })).payload
  }
  const keys = createLocalJWKSet(jwks)
  return async (token) => (await jwtVerify(token, keys, required)).payload
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
    return true
  } catch {
    return false
  }
}
