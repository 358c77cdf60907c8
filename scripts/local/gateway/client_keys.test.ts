import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signApiKey, signJwt, signUserToken } from '../jwt.ts'
import { type LocalKeys, localKeys, makeKeySecrets, signUserJwt } from '../keys.ts'
import { freePort } from '../ports.ts'
import { type Gateway, startGateway } from './gateway.ts'

// One server stands for all services. It answers with what arrived.
let service: Server
let gateway: Gateway
let url: string
let keys: LocalKeys
beforeAll(async () => {
  keys = await localKeys(makeKeySecrets('s'.repeat(32)))
  service = createServer(({ method, url, headers }, response) => {
    response.end(JSON.stringify({ method, url, headers }))
  }).listen(0, '127.0.0.1')
  await once(service, 'listening')
  const { port: at } = service.address() as AddressInfo
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  gateway = await startGateway({ port, keys, postgrestPort: at, sidecarPort: at, authPort: at, storagePort: at })
})
afterAll(async () => {
  await gateway.close()
  service.close()
  service.closeAllConnections()
})

type Arrived = { url: string; headers: Record<string, string> }
type Problem = { code: string; details: string; message: string; hint: string }
async function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Arrived> {
  const answered = await fetch(`${url}${path}`, { headers, method })
  expect(answered.status, path).toBe(200)
  return (await answered.json()) as Arrived
}
async function refusalOf(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const answered = await fetch(`${url}${path}`, { headers, method })
  const { code, details, hint } = (await answered.json()) as Problem
  expect(hint).toMatch(/\.$/)
  return [answered.status, code, details]
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const isMissing = [401, 'PT401', 'apikey_missing']
const isWrong = [401, 'PT401', 'apikey_wrong']
const roles = () => [
  [keys.publishableKey, keys.anonKey],
  [keys.anonKey, keys.anonKey],
  [keys.secretKey, keys.serviceRoleKey],
  [keys.serviceRoleKey, keys.serviceRoleKey],
]

describe('a key', () => {
  test.each(['/rest/v1/flows', '/auth/v1/settings', '/storage/v1/bucket'])('%s needs one', async (path) => {
    expect(await refusalOf(path)).toEqual(isMissing)
    expect(await refusalOf(path, { apikey: '' })).toEqual(isMissing)
    expect(await refusalOf(path, bearer(keys.anonKey))).toEqual(isMissing)
    expect(await refusalOf(path, { apikey: 'wrong' })).toEqual(isWrong)
    expect(await refusalOf(path, { apikey: keys.publishableKey.replace(/.$/, '!') })).toEqual(isWrong)
    expect(await refusalOf(`/%${path.charCodeAt(1).toString(16)}${path.slice(2)}`)).toEqual(isMissing)
  })

  test('/realtime/v1 needs one, and says with a key that the stack has no Realtime', async () => {
    expect(await refusalOf('/realtime/v1/websocket')).toEqual(isMissing)
    const { apikey } = { apikey: keys.publishableKey }
    expect(await refusalOf('/realtime/v1/websocket', { apikey })).toEqual([404, 'PT404', 'route_not_found'])
  })

  test('pages of other origins can read the refusal, and a preflight needs no key', async () => {
    const refused = await fetch(`${url}/rest/v1/flows`, { headers: { origin: 'http://app' } })
    expect(refused.headers.get('access-control-allow-origin')).toBe('http://app')
    expect((await fetch(`${url}/rest/v1/flows`, { method: 'OPTIONS' })).status).toBe(204)
  })

  test.each(['/rest/v1/flows', '/auth/v1/user', '/storage/v1/bucket', '/api/assets'])(
    'for %s, of either kind, becomes the JWT of its role',
    async (path) => {
      for (const [key = '', jwt] of roles()) {
        for (const arrived of [await ask(path, { apikey: key }), await ask(path, { apikey: key, ...bearer(key) })]) {
          expect(arrived.headers['authorization']).toBe(`Bearer ${jwt}`)
          expect(arrived.headers).not.toHaveProperty('apikey')
          expect(JSON.stringify(arrived)).not.toContain('sb_')
        }
      }
    },
  )

  test('as a parameter counts, and does not reach the service; other parameters stay as they were sent', async () => {
    const [path, rest] = ['/rest/v1/flows', 'select=a,b(c)&id=eq.%22x%22&a=']
    for (const query of [`apikey=${keys.publishableKey}&${rest}`, `${rest}&apikey=${keys.publishableKey}`]) {
      const arrived = await ask(`${path}?${query}`)
      expect(arrived.url).toBe(`/flows?${rest}`)
      expect(arrived.headers['authorization']).toBe(`Bearer ${keys.anonKey}`)
    }
    expect((await ask(`${path}?apikey=${keys.secretKey}`)).url).toBe('/flows')
    // The header decides.
    const { headers } = await ask(`${path}?apikey=${keys.secretKey}`, { apikey: keys.anonKey })
    expect(headers['authorization']).toBe(`Bearer ${keys.anonKey}`)
    expect(await refusalOf(`${path}?apikey=wrong`)).toEqual(isWrong)
    expect(await refusalOf(`${path}?apikey=`)).toEqual(isMissing)
  })

  test('does not replace the token of a user', async () => {
    const user = await signUserToken({ id: crypto.randomUUID(), email: 'a@example.com' }, keys.jwtSecret)
    for (const key of [keys.publishableKey, keys.secretKey]) {
      const { headers } = await ask('/rest/v1/flows', { apikey: key, ...bearer(user) })
      expect(headers['authorization']).toBe(`Bearer ${user}`)
    }
  })

  test('that is opaque is a bearer token only with itself as key, and never passes', async () => {
    const { publishableKey, secretKey } = keys
    expect(await refusalOf('/rest/v1/flows', { apikey: publishableKey, ...bearer(secretKey) })).toEqual(isWrong)
    expect(await refusalOf('/rest/v1/flows', { apikey: publishableKey, ...bearer('sb_secret_x') })).toEqual(isWrong)
    expect(await refusalOf('/api/assets', bearer('sb_secret_x'))).toEqual(isWrong)
    for (const authorization of [`bearer ${secretKey}`, `Bearer   ${secretKey}`, `BEARER\t${secretKey} `]) {
      const { headers } = await ask('/api/assets', { authorization })
      expect(headers['authorization']).toBe(`Bearer ${keys.serviceRoleKey}`)
    }
  })

  test('stays valid after an earlier start; tokens of users, forged and expired keys are refused', async () => {
    const { jwtSecret } = keys
    const earlier = await signApiKey('anon', jwtSecret, 1_790_000_000)
    expect((await ask('/rest/v1/flows', { apikey: earlier })).headers['authorization']).toBe(`Bearer ${earlier}`)
    const user = { sub: crypto.randomUUID(), role: 'authenticated', exp: Date.now() }
    for (const apikey of [
      await signUserJwt(user, keys),
      await signUserJwt({ ...user, role: 'service_role' }, keys),
      await signApiKey('postgres', jwtSecret),
      await signApiKey('service_role', 'x'.repeat(32)),
      await signJwt({ role: 'service_role', exp: 1 }, jwtSecret),
      await signJwt({ role: 'service_role' }, jwtSecret),
    ])
      expect(await refusalOf('/rest/v1/flows', { apikey }), apikey).toEqual(isWrong)
  })
})

describe('a value in the wrong place', () => {
  const hintOf = async (headers: Record<string, string>) =>
    ((await (await fetch(`${url}/rest/v1/flows`, { headers })).json()) as Problem).hint

  test('is told where it belongs', async () => {
    const token = await signUserToken({ id: crypto.randomUUID(), email: 'a@example.com' }, keys.jwtSecret)
    expect(await hintOf({ apikey: 'plk_12345678_secret' })).toContain('as header x-api-key')
    expect(await hintOf({ apikey: token })).toContain('as authorization: Bearer')
    expect(await hintOf({ apikey: keys.publishableKey, ...bearer(keys.secretKey) })).toContain(
      'only if it is the apikey',
    )
    const former = await signApiKey('anon', 'x'.repeat(32))
    for (const apikey of ['wrong', 'a.b.c', former]) expect(await hintOf({ apikey })).toContain('a key of the env file')
  })
})

describe('without a key', () => {
  test.each([
    ['GET', '/api/health'],
    ['POST', '/api/assets'],
    ['GET', '/mail'],
    ['GET', '/auth/v1/health'],
    ['GET', '/auth/v1/.well-known/jwks.json'],
    ['GET', '/auth/v1/verify?token=1'],
    ['GET', '/auth/v1/authorize?provider=github'],
    ['GET', '/storage/v1/object/public/pictures/a/b.png?download='],
    ['GET', '/storage/v1/object/sign/pictures/a.png?token=1'],
    ['GET', '/storage/v1/render/image/public/pictures/a.png?width=9'],
    ['GET', '/storage/v1/render/image/sign/pictures/a.png?token=1'],
    ['PUT', '/storage/v1/object/upload/sign/pictures/a.png?token=1'],
    ['PUT', '/storage/v1/s3/bucket/key'],
    ['GET', '/storage/v1/s3/?list-type=2'],
  ])('%s %s passes', async (method, path) => {
    const { headers } = await ask(path, {}, method)
    expect(headers).not.toHaveProperty('authorization')
  })

  test.each([
    ['GET', '/auth/v1/healthy'],
    ['POST', '/auth/v1/verify'],
    ['GET', '/auth/v1/admin/users'],
    ['GET', '/auth/v1/health/../admin/users'],
    ['POST', '/storage/v1/object/sign/pictures/a.png?token=1'],
    ['GET', '/storage/v1/object/sign/pictures/a.png'],
    ['POST', '/storage/v1/object/upload/sign/pictures/a.png?token=1'],
    ['PUT', '/storage/v1/object/upload/sign/pictures/a.png'],
    ['DELETE', '/storage/v1/object/public/pictures/a.png'],
    ['GET', '/storage/v1/object/publicity/a.png'],
    ['GET', '/storage/v1/object/authenticated/a.png'],
    ['GET', '/storage/v1/render/image/authenticated/pictures/a.png'],
    ['GET', '/storage/v1/render/image/sign/pictures/a.png'],
    ['GET', '/storage/v1/s3x'],
  ])('%s %s is refused', async (method, path) => {
    expect(await refusalOf(path, {}, method)).toEqual(isMissing)
  })

  test.each(['..', '%2e%2e', '.%2E', 'a%2f..%2f..', '..\\..', '%5c..%5c..'])(
    'an open path with %s leads to no other path',
    async (dots) => {
      const { status, arrived } = await raw(`/storage/v1/object/public/${dots}/${dots}/bucket`)
      expect([status, arrived]).toEqual([400, false])
    },
  )

  test('the signature of an S3 request arrives as it was sent, with the URL for which it was made', async () => {
    const authorization =
      'AWS4-HMAC-SHA256 Credential=a/20260101/local/s3/aws4_request, SignedHeaders=host, Signature=b'
    const spoofed = { 'x-forwarded-host': 'evil', 'x-forwarded-prefix': '/evil', 'x-client-address': '203.0.113.1' }
    const arrived = await ask('/storage/v1/s3/b/k%20k//x?partNumber=1&uploadId=a%2Fb', { authorization, ...spoofed })
    expect(arrived.url).toBe('/s3/b/k%20k//x?partNumber=1&uploadId=a%2Fb')
    expect(arrived.headers).toMatchObject({
      authorization,
      'x-forwarded-host': new URL(url).host,
      'x-forwarded-prefix': '/storage/v1',
      'x-forwarded-proto': 'http',
      'x-client-address': '127.0.0.1',
    })
  })
})

/** Sends a path that fetch would normalize. */
async function raw(path: string): Promise<{ status: number; arrived: boolean }> {
  const asked = request(url, { path, agent: false })
  asked.end()
  const [response] = await once(asked, 'response')
  const text = (await response.setEncoding('utf8').toArray()).join('')
  return { status: response.statusCode, arrived: text.includes('"headers"') }
}

test('the page of mails is for browsers on this machine: no page of another origin or name may read it', async () => {
  const page = await fetch(`${url}/mail`, { headers: { origin: 'http://app' } })
  expect([page.status, page.headers.get('access-control-allow-origin')]).toEqual([200, null])
  const asked = request(`${url}/mail`, { headers: { host: 'evil.example' }, agent: false })
  asked.end()
  const [response] = await once(asked, 'response')
  expect(response.statusCode).toBe(403)
  response.resume()
})

test('a WebSocket needs a key, which does not reach the service', async () => {
  const upgraded = new Promise<Arrived>((resolve) => {
    service.once('upgrade', ({ url = '', headers }, socket) => {
      resolve({ url, headers: headers as Record<string, string> })
      socket.destroy()
    })
  })
  const open = (query: string) => new WebSocket(`${url.replace('http', 'ws')}/storage/v1/socket${query}`)
  await once(open(''), 'error')
  open(`?apikey=${keys.publishableKey}&vsn=1.0.0`).onerror = () => {}
  const arrived = await upgraded
  expect(arrived.url).toBe('/socket?vsn=1.0.0')
  expect(arrived.headers).toMatchObject({ authorization: `Bearer ${keys.anonKey}`, 'x-client-address': '127.0.0.1' })
  expect(JSON.stringify(arrived)).not.toMatch(/sb_|apikey/)
})
