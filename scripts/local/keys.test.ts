import { type CryptoKey, exportSPKI, importJWK, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../testing/database.ts'
import { signJwt } from './jwt.ts'
import { type LocalKeys, makeSigningKey, publicJwks, signUserJwt, verifyJwt } from './keys.ts'

let database: TestDatabase
let api: Api
let keys: LocalKeys
const sub = crypto.randomUUID()
beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database)
  keys = api.keys
  const db = await database.connect()
  await db.query("insert into auth.users (id, email) values ($1, 'ana@example.com')", [sub])
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

const claims = (seconds = 60) => ({
  sub,
  role: 'authenticated',
  aud: 'authenticated',
  exp: Math.floor(Date.now() / 1000) + seconds,
})

/** The status of PostgREST's answer to a read with this token, and the code of its error. */
async function ask(token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` }
  const answered = await fetch(`${api.postgrestUrl}/plans?select=id`, { headers })
  return answered.ok ? 'accepted' : ((await answered.json()) as { code: string }).code
}

/** Tokens that nobody may accept. */
async function forgeries(): Promise<[what: string, token: string][]> {
  const [publicKey = {}] = publicJwks(keys).keys
  const strange = makeSigningKey()
  const pem = await exportSPKI((await importJWK(publicKey, 'ES256')) as CryptoKey)
  const strangeKey = (await importJWK(strange, 'ES256')) as CryptoKey
  const { kid = '' } = keys.signingKey
  const signed = (header: object) =>
    new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', ...header }).sign(strangeKey)
  return [
    ['HS256 with the public key as PEM', await signJwt(claims(), pem)],
    ['HS256 with the public key as JSON', await signJwt(claims(), JSON.stringify(publicKey))],
    ['HS256 with a coordinate of the public key', await signJwt(claims(), publicKey.x ?? '')],
    ['HS256 with another secret', await signJwt(claims(), 'x'.repeat(32))],
    ['alg none', new UnsecuredJWT(claims()).encode()],
    ['another key', await signed({})],
    ['another key with the kid of ours', await signed({ kid })],
    ['another key with its own kid', await signUserJwt(claims(), { signingKey: strange })],
    ['an expired token', await signUserJwt(claims(-60), keys)],
    ['a changed token', (await signUserJwt(claims(), keys)).replace(/\.[^.]+\./, '.e30.')],
  ]
}

test('PostgREST and verifyJwt accept tokens of users and JWT keys, signed with either key', async () => {
  const withoutKid = new SignJWT(claims()).setProtectedHeader({ alg: 'ES256' })
  const tokens = [
    await signUserJwt(claims(), keys),
    await withoutKid.sign(await importJWK(keys.signingKey, 'ES256')),
    await signJwt(claims(), keys.jwtSecret),
    keys.anonKey,
    keys.serviceRoleKey,
  ]
  for (const token of tokens) {
    expect(await ask(token), token).toBe('accepted')
    expect((await verifyJwt(token, keys)).exp).toBeGreaterThan(Date.now() / 1000)
  }
})

test('PostgREST and verifyJwt refuse forged tokens', async () => {
  for (const [what, token] of await forgeries()) {
    expect(await ask(token), what).toBe('PGRST301')
    await expect(verifyJwt(token, keys), what).rejects.toThrow()
  }
})

test('verifyJwt refuses an unknown kid and a token without an expiry', async () => {
  const renamed = { ...keys.signingKey, kid: 'other' }
  await expect(verifyJwt(await signUserJwt(claims(), { signingKey: renamed }), keys)).rejects.toThrow()
  const { exp: _exp, ...endless } = claims()
  await expect(verifyJwt(await signUserJwt(endless, keys), keys)).rejects.toThrow()
})

test('the published JWKS holds no private part', () => {
  const published = JSON.stringify(publicJwks(keys))
  expect(published).not.toContain(keys.signingKey.d)
  expect(published).not.toContain(keys.jwtSecret)
  expect(publicJwks(keys).keys).toMatchObject([{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: keys.signingKey.kid }])
})

test('opaque keys have the form of Supabase', () => {
  expect(keys.publishableKey).toMatch(/^sb_publishable_[\w-]{22}_[\w-]{8}$/)
  expect(keys.secretKey).toMatch(/^sb_secret_[\w-]{22}_[\w-]{8}$/)
})
