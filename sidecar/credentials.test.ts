import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { signJwt } from '../scripts/local/jwt.ts'
import { jwkSet, makeSigningKey, publicJwks, signUserJwt } from '../scripts/local/keys.ts'
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

describe('with the JWK set of PostgREST, which has a public key and a shared secret', () => {
  const keys = { jwtSecret: 's'.repeat(32), signingKey: makeSigningKey() }
  const check = checkCredentials({ db, jwtSecret: jwkSet(keys) })
  const claims = { role: 'authenticated', sub: crypto.randomUUID(), exp: Math.floor(Date.now() / 1000) + 60 }
  const send = (token: string) => check({ authorization: `Bearer ${token}` })
  const refused = { status: 401, problem: { details: 'token_invalid' } }

  test('a token of either kind is accepted', async () => {
    await expect(send(await signUserJwt(claims, keys))).resolves.toBeUndefined()
    await expect(send(await signJwt(claims, keys.jwtSecret))).resolves.toBeUndefined()
  })

  test('keys without a kid are tried one by one', async () => {
    const signers = [makeSigningKey(), makeSigningKey()].map(({ kid: _kid, ...key }) => key)
    const set = { keys: signers.map((signingKey) => publicJwks({ signingKey }).keys[0]) }
    const checkSeveral = checkCredentials({ db, jwtSecret: JSON.stringify(set) })
    for (const signingKey of signers) {
      const authorization = `Bearer ${await signUserJwt(claims, { signingKey })}`
      await expect(checkSeveral({ authorization })).resolves.toBeUndefined()
    }
    const authorization = `Bearer ${await signUserJwt(claims, { signingKey: makeSigningKey() })}`
    await expect(checkSeveral({ authorization })).rejects.toMatchObject(refused)
  })

  test('a public key that serves as a secret, alg none, an unknown kid and another secret are refused', async () => {
    const [publicKey] = publicJwks(keys).keys
    const { privateKey } = await generateKeyPair('ES256')
    const spki = await exportSPKI((await importJWK(publicKey ?? {}, 'ES256')) as CryptoKey)
    const tokens = [
      ...(await Promise.all([spki, JSON.stringify(publicKey), publicKey?.x ?? ''].map((key) => signJwt(claims, key)))),
      new UnsecuredJWT(claims).encode(),
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'other' }).sign(privateKey),
      await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: keys.signingKey.kid ?? '' }).sign(privateKey),
      await signUserJwt(claims, { signingKey: { ...keys.signingKey, kid: 'other' } }),
      await signJwt(claims, 'x'.repeat(32)),
      'a.b',
      'a.b.c',
    ]
    for (const token of tokens) await expect(send(token), token).rejects.toMatchObject(refused)
  })
})
