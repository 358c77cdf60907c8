import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { signJwt } from '../scripts/local/jwt.ts'
import { checkCredentials } from './credentials.ts'

const db = { call: () => Promise.reject(new Error('No key is sent.')) }

test('a token is checked with the key of a JWKS that it names', async () => {
  const [mine, strange] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
  const jwk = { ...(await exportJWK(mine.publicKey)), kid: 'one', alg: 'ES256' }
  const check = checkCredentials({ db, jwtSecret: JSON.stringify({ keys: [jwk] }) })
  const token = (key: CryptoKey, kid: string) =>
    new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'ES256', kid }).setExpirationTime('1m').sign(key)
  const send = async (key: CryptoKey, kid: string) => check({ authorization: `Bearer ${await token(key, kid)}` })
  await expect(send(mine.privateKey, 'one')).resolves.toBeUndefined()
  const refused = { status: 401, problem: { details: 'token_invalid' } }
  await expect(send(strange.privateKey, 'one')).rejects.toMatchObject(refused)
  await expect(send(mine.privateKey, 'other')).rejects.toMatchObject(refused)
})

test('a token without expiry is refused, as by the API', async () => {
  const secret = 'x'.repeat(32)
  const check = checkCredentials({ db, jwtSecret: secret })
  const claims = { role: 'authenticated', sub: crypto.randomUUID(), aud: 'authenticated' }
  const send = async (exp: object) => check({ authorization: `Bearer ${await signJwt({ ...claims, ...exp }, secret)}` })
  await expect(send({ exp: Math.floor(Date.now() / 1000) + 60 })).resolves.toBeUndefined()
  await expect(send({})).rejects.toMatchObject({ status: 401, problem: { details: 'token_invalid' } })
})
