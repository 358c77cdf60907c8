import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { importJWK, type JWK, type JWTHeaderParameters, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import type { Secrets } from './home.ts'
import { signApiKey } from './jwt.ts'

/** The keys of a local stack. They are made at its first start, and stay the same. */
export type LocalKeys = {
  /** Signs the JWT keys below with HS256. */
  jwtSecret: string
  /** Signs the tokens of users with ES256: a private key, with its kid. */
  signingKey: JWK
  /** The keys of clients, as JWTs of their roles. */
  anonKey: string
  serviceRoleKey: string
  /** The same two as opaque keys, which only the gateway knows. */
  publishableKey: string
  secretKey: string
}

/** The secrets of a home that make its keys. */
type KeySecrets = Pick<Secrets, 'jwtSecret' | 'signingKey' | 'publishableKey' | 'secretKey' | 'keysIssuedAt'>

/** Returns the keys of a home. The JWTs have a fixed time of issue, so every start returns the same ones. */
export async function localKeys(secrets: KeySecrets): Promise<LocalKeys> {
  const { jwtSecret, signingKey, publishableKey, secretKey, keysIssuedAt } = secrets
  return {
    jwtSecret,
    signingKey,
    anonKey: await signApiKey('anon', jwtSecret, keysIssuedAt),
    serviceRoleKey: await signApiKey('service_role', jwtSecret, keysIssuedAt),
    publishableKey,
    secretKey,
  }
}

/** Makes the secrets of keys. */
export function makeKeySecrets(jwtSecret: string): KeySecrets {
  return {
    jwtSecret,
    signingKey: makeSigningKey(),
    publishableKey: makeOpaqueKey('publishable'),
    secretKey: makeOpaqueKey('secret'),
    keysIssuedAt: Math.floor(Date.now() / 1000),
  }
}

/** Makes a private ES256 key. */
export function makeSigningKey(): JWK {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), kid: randomUUID(), alg: 'ES256', use: 'sig' }
}

/** Makes an opaque key in the form of Supabase's: 22 random characters, and 8 of a checksum. */
function makeOpaqueKey(kind: 'publishable' | 'secret'): string {
  const start = `sb_${kind}_${randomBytes(16).toString('base64url')}`
  return `${start}_${createHash('sha256').update(start).digest('base64url').slice(0, 8)}`
}

/** Returns the public keys, as Auth publishes them: without the shared secret. */
export function publicJwks({ signingKey }: Pick<LocalKeys, 'signingKey'>): { keys: JWK[] } {
  const { d: _private, ...publicKey } = signingKey
  return { keys: [{ ...publicKey, key_ops: ['verify'] }] }
}

/** Returns the JWK set with which PostgREST and the sidecar check tokens: the public keys, and the shared secret. */
export function jwkSet(keys: Pick<LocalKeys, 'signingKey' | 'jwtSecret'>): string {
  const shared: JWK = { kty: 'oct', k: Buffer.from(keys.jwtSecret).toString('base64url'), alg: 'HS256' }
  return JSON.stringify({ keys: [...publicJwks(keys).keys, shared] })
}

/** Signs the claims of a user's token with ES256, as Supabase Auth does in new projects. */
export async function signUserJwt(claims: JWTPayload, { signingKey }: Pick<LocalKeys, 'signingKey'>): Promise<string> {
  const { kid } = signingKey
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...(kid !== undefined && { kid }) })
    .sign(await importJWK(signingKey, 'ES256'))
}

/** Returns the claims of a JWT that one of the keys signed and that has not expired; throws otherwise. */
export async function verifyJwt(token: string, keys: Pick<LocalKeys, 'signingKey' | 'jwtSecret'>): Promise<JWTPayload> {
  // Each algorithm has its own key, so no token can have a public key used as a shared secret.
  const keyFor = async ({ alg, kid }: JWTHeaderParameters) => {
    if (alg === 'HS256') return new TextEncoder().encode(keys.jwtSecret)
    const [key] = publicJwks(keys).keys
    if (key === undefined || (kid !== undefined && kid !== key.kid)) throw new Error('The token names an unknown key.')
    return importJWK(key, 'ES256')
  }
  const options = { algorithms: ['HS256', 'ES256'], requiredClaims: ['exp'] }
  return (await jwtVerify(token, keyFor, options)).payload
}
