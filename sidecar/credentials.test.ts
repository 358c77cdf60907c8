import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
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
