import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { startGateway } from '../scripts/local/gateway/gateway.ts'
import { signApiKey, signUserToken } from '../scripts/local/jwt.ts'
import { localKeys } from '../scripts/local/keys.ts'
import { freePort } from '../scripts/local/ports.ts'
import { someGif, startTestSidecar } from '../scripts/testing/sidecar.ts'
import { type Answer, fileHead, mib, rawForm, slugOf, useUploads } from '../scripts/testing/uploads.ts'
import { until } from '../scripts/testing/waiting.ts'

// Uploads that are refused, and the data of a request that reaches the database and the log.
const uploads = useUploads()

const jwtSecret = () => inject('cluster').secrets.jwtSecret

describe('a request is refused', () => {
  const disposition = 'Content-Disposition: form-data;'
  const gif = someGif()
  test.each<[string, RequestInit, number, string]>([
    ['without a body', {}, 415, 'media_type_unsupported'],
    ['with JSON', { body: '{}', headers: { 'content-type': 'application/json' } }, 415, 'media_type_unsupported'],
    ['without a boundary', { body: 'x', headers: { 'content-type': 'multipart/form-data' } }, 400, 'request_invalid'],
    ['that is not a form', { ...rawForm([]), body: 'no form' }, 400, 'request_invalid'],
    ['with an empty form', rawForm([]), 400, 'file_missing'],
    ['whose form has no end', rawForm([{ head: fileHead('x.gif'), bytes: gif }], ''), 400, 'request_invalid'],
    ['whose file is a text', rawForm([{ head: `${disposition} name="file"`, bytes: 'x' }]), 400, 'file_missing'],
    [
      'with another field',
      rawForm([{ head: `${disposition} name="image"; filename="x"`, bytes: gif }]),
      400,
      'file_missing',
    ],
    [
      'with two files',
      rawForm([
        { head: fileHead('a'), bytes: gif },
        { head: fileHead('b'), bytes: gif },
      ]),
      400,
      'request_invalid',
    ],
    [
      'with a field __proto__',
      rawForm([{ head: `${disposition} name="__proto__"`, bytes: 'x' }]),
      400,
      'request_invalid',
    ],
    [
      'with half a JSON',
      rawForm([{ head: `${disposition} name="a"\r\nContent-Type: application/json`, bytes: '{' }]),
      400,
      'request_invalid',
    ],
    [
      'with a JSON that would fill the memory',
      rawForm([
        { head: `${disposition} name="a"\r\nContent-Type: application/json`, bytes: `[${'[],'.repeat(50_000)}[]]` },
        { head: fileHead('x.gif'), bytes: gif },
      ]),
      413,
      'request_too_large',
    ],
    [
      'with 50 fields',
      rawForm(Array.from({ length: 50 }, (_, n) => ({ head: `${disposition} name="f${n}"`, bytes: 'x' }))),
      413,
      'request_too_large',
    ],
    ['with an empty file', rawForm([{ head: fileHead('x.gif') }]), 422, 'asset_empty'],
    ['with a text', rawForm([{ head: fileHead('x.gif'), bytes: 'just a text' }]), 415, 'asset_type_unsupported'],
    [
      'with an SVG',
      rawForm([{ head: fileHead('x.svg'), bytes: '<svg xmlns="http://www.w3.org/2000/svg"/>' }]),
      415,
      'asset_type_unsupported',
    ],
    ['with a PDF', rawForm([{ head: fileHead('x.gif'), bytes: '%PDF-1.7 …' }]), 415, 'asset_type_unsupported'],
    [
      'with half a PNG signature',
      rawForm([{ head: fileHead('x.png'), bytes: Buffer.from('89504e47', 'hex') }]),
      415,
      'asset_type_unsupported',
    ],
  ])('%s', async (_what, init, status, slug) => {
    const response = await uploads.post({ method: 'POST', ...init })
    const problem = (await response.json()) as Answer
    expect([response.status, problem]).toEqual([
      status,
      { code: `PT${status}`, details: slug, message: expect.any(String), hint: problem.hint },
    ])
    await uploads.requireNothing()
  })

  test('with random damage in its form, and never answered with 500', async () => {
    const form = rawForm([{ head: fileHead('x.gif'), bytes: someGif(200) }])
    for (let n = 0; n < 150; n++) {
      const body = Buffer.from(form.body)
      for (let m = 0; m < 3; m++) body[Math.floor(Math.random() * 120)] = Math.floor(Math.random() * 256)
      const { status } = await uploads.post({ ...form, body: body.subarray(0, body.length - (n % 5)) })
      expect(status).toBeLessThan(500)
    }
    expect(uploads.sidecar.openUploads()).toBe(0)
  })

  test('that announces too large a body, before the body is read', async () => {
    // Nothing of the body is ever sent.
    const response = await new Promise<{ status: number; close: string | undefined }>((resolve, reject) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=cut', 'content-length': String(2 * mib) }
      const asked = request(`${uploads.sidecar.url}/api/assets`, { method: 'POST', headers }, (answer) => {
        resolve({ status: answer.statusCode ?? 0, close: answer.headers.connection })
        asked.destroy()
      })
      asked.on('error', reject).flushHeaders()
    })
    expect(response).toEqual({ status: 413, close: 'close' })
    await uploads.requireNothing()
  })

  test('that has too large a file, with the message of SQL and without a second call', async () => {
    uploads.faultyDatabase.breakAt('sidecar.reserve_upload', 'before')
    const response = await uploads.sidecar.upload(someGif(mib + 1))
    expect([response.status, await response.json()]).toEqual([
      413,
      {
        code: 'PT413',
        details: 'asset_too_large',
        message: `The file has more than ${mib} bytes.`,
        hint: 'Send a smaller file.',
      },
    ])
    await uploads.requireNothing()
  })

  test('in the middle of too long a stream, and the client can read the answer', async () => {
    let sent = 0
    const form = rawForm([{ head: fileHead('x.gif') }], '')
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(form.body.subarray(0, -2)),
      pull: async (controller) => {
        if (sent > 500 * mib) return controller.close()
        controller.enqueue(someGif(64 * 1024))
        sent += 64 * 1024
      },
    })
    const response = await uploads.post({ ...form, body, duplex: 'half' } as RequestInit)
    expect(await slugOf(response)).toEqual([413, 'asset_too_large'])
    expect(sent).toBeLessThan(100 * mib)
    await uploads.requireNothing()
    await until('the file is closed', () => uploads.sidecar.openUploads() === 0)
  })

  test('through the gateway, while curl and fetch are still sending', async () => {
    const port = await freePort()
    const gateway = await startGateway({
      port,
      keys: await localKeys(inject('cluster').secrets),
      postgrestPort: 9,
      sidecarPort: Number(new URL(uploads.sidecar.url).port),
    })
    const folder = mkdtempSync(join(tmpdir(), 'plinth-curl-'))
    const url = `http://127.0.0.1:${port}/api/assets`
    try {
      const file = join(folder, 'big.gif')
      writeFileSync(file, someGif(30 * mib))
      const curl = async (...args: string[]) => {
        const { stdout } = await promisify(execFile)('curl', ['-s', '-w', ' %{http_code}', ...args, url])
        return [Number(stdout.slice(-3)), JSON.parse(stdout.slice(0, -4)).details]
      }
      const form = ['-F', `file=@${file}`]
      expect(await curl(...form)).toEqual([413, 'asset_too_large'])
      expect(await curl(...form, '-H', 'expect:')).toEqual([413, 'asset_too_large'])
      expect(await curl(...form, '-H', 'expect:', '-H', 'transfer-encoding: chunked')).toEqual([413, 'asset_too_large'])
      expect(await curl('--data-binary', `@${file}`, '-H', 'expect:')).toEqual([415, 'media_type_unsupported'])
      const body = new FormData()
      body.append('file', new Blob([someGif(20 * mib)]), 'big.gif')
      expect(await slugOf(await fetch(url, { method: 'POST', body }))).toEqual([413, 'asset_too_large'])
      // And afterwards all is well.
      const small = new FormData()
      small.append('file', new Blob([someGif()]), 'small.gif')
      expect((await fetch(url, { method: 'POST', body: small })).status).toBe(201)
    } finally {
      await gateway.close()
      rmSync(folder, { recursive: true })
    }
  })

  test('if its client address sends too many, with the seconds to wait', async () => {
    const limit = (perMinute: number, header: string | null) =>
      uploads.db.query('update app.settings set asset_uploads_per_minute = $1, client_address_header = $2', [
        perMinute,
        header,
      ])
    await limit(2, 'x-client-address')
    try {
      const from = (address: string) => uploads.sidecar.upload(someGif(), 'x.gif', { 'x-client-address': address })
      for (let n = 0; n < 2; n++) expect((await from('192.0.2.1')).status).toBe(201)
      const refused = await from('192.0.2.1')
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await refused.json()).toEqual({
        code: 'PT429',
        details: 'rate_limited',
        message: expect.any(String),
        hint: expect.stringMatching(/^Try again in \d+ s\.$/),
      })
      expect((await from('192.0.2.2')).status).toBe(201)
    } finally {
      await limit(100_000, null)
    }
  })

  test('if it is too slow, or if the process has too many uploads in progress', async () => {
    const narrow = await startTestSidecar({
      databaseUrl: uploads.database.url('sidecar'),
      storePort: uploads.store.port,
      env: { SIDECAR_UPLOADS_AT_ONCE: '1', SIDECAR_UPLOAD_TIMEOUT_SECONDS: '1.5' },
    })
    try {
      const form = rawForm([{ head: fileHead('x.gif') }], '')
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(form.body.subarray(0, -2)),
        pull: async (controller) => {
          await sleep(100)
          controller.enqueue(Buffer.from('drip'))
        },
      })
      const init = { ...form, body, duplex: 'half' } as RequestInit
      const slow = fetch(`${narrow.url}/api/assets`, init)
      await until('the slow one is being read', () => narrow.openUploads() === 1)
      const busy = await narrow.upload(someGif())
      expect(busy.headers.get('retry-after')).toBe('5')
      expect(await slugOf(busy)).toEqual([503, 'uploads_busy'])
      expect(await slugOf(await slow)).toEqual([408, 'upload_too_slow'])
      await until('its file is closed', () => narrow.openUploads() === 0)
      expect((await narrow.upload(someGif())).status).toBe(201)
    } finally {
      await narrow.stop()
    }
  })
})

describe('CORS', () => {
  const from = (origin: string) => uploads.sidecar.upload(someGif(), 'x.gif', { origin })
  test('lets pages of configured origins read answers and errors', async () => {
    const allowed = await from('https://app.example')
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(allowed.headers.get('access-control-expose-headers')).toBe('Retry-After')
    const refused = await fetch(`${uploads.sidecar.url}/api/assets`, {
      method: 'POST',
      headers: { origin: 'https://other.example' },
    })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([415, 'https://other.example'])
    expect((await from('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  })

  test('answers a preflight', async () => {
    const preflight = (origin: string) =>
      fetch(`${uploads.sidecar.url}/api/assets`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'apikey' },
      })
    const allowed = await preflight('https://app.example')
    expect(allowed.status).toBe(204)
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': 'apikey',
    })
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('credentials', () => {
  const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
  const wrong = [401, 'token_invalid']
  const uploadWith = async (headers: Record<string, string>) => {
    const response = await uploads.other.upload(someGif(), 'x.gif', headers)
    return response.status === 201 ? 201 : slugOf(response)
  }
  const bearer = (token: string) => uploadWith({ authorization: `Bearer ${token}` })

  async function createKey(scopes: string[]): Promise<{ id: string; key: string }> {
    await uploads.db.query('begin')
    await uploads.db.query("select set_config('request.jwt.claims', $1, true)", [
      JSON.stringify({ sub: user.id, role: 'authenticated' }),
    ])
    const [made] = await uploads.rows("select id, key from public.create_api_key('k', $1)", [scopes])
    await uploads.db.query('commit')
    return made
  }

  beforeAll(async () => {
    await uploads.db.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  })

  test('that are right do no harm: a token, the anonymous key, an API key that may write', async () => {
    const anonKey = await signApiKey('anon', jwtSecret())
    expect(await bearer(await signUserToken(user, jwtSecret()))).toBe(201)
    expect(await bearer(anonKey)).toBe(201)
    const { key } = await createKey(['read', 'write'])
    expect(await uploadWith({ 'x-api-key': key })).toBe(201)
    expect(await uploadWith({ 'x-api-key': key, authorization: `Bearer ${anonKey}` })).toBe(201)
  })

  test('that are wrong are refused, and nothing is stored', async () => {
    const token = await signUserToken(user, jwtSecret())
    const [head, body] = token.split('.')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    expect(await bearer('a.b.c')).toEqual(wrong)
    expect(await bearer(await signUserToken(user, 'x'.repeat(32)))).toEqual(wrong)
    expect(await bearer(await signUserToken(user, jwtSecret(), -60))).toEqual(wrong)
    expect(await bearer(`${none}.${body}.`)).toEqual(wrong)
    expect(await bearer(`${head}.${body}.`)).toEqual(wrong)
    expect(await uploadWith({ authorization: 'Basic YTpi' })).toEqual(wrong)

    const [reading, gone] = [await createKey(['read']), await createKey(['write'])]
    await uploads.db.query('update api_keys set revoked_at = now() where id = $1', [gone.id])
    expect(await uploadWith({ 'x-api-key': 'plk_unknown' })).toEqual([401, 'api_key_unknown'])
    expect(await uploadWith({ 'x-api-key': '' })).toEqual([401, 'api_key_unknown'])
    expect(await uploadWith({ 'x-api-key': gone.key })).toEqual([401, 'api_key_revoked'])
    expect(await uploadWith({ 'x-api-key': reading.key })).toEqual([403, 'key_is_read_only'])
    const both = { 'x-api-key': gone.key, authorization: `Bearer ${token}` }
    expect(await uploadWith(both)).toEqual([400, 'key_with_jwt'])
    await uploads.requireNothing()
  })

  test('that cannot be checked are refused: a token without JWT_SECRET', async () => {
    const headers = { authorization: `Bearer ${await signUserToken(user, jwtSecret())}` }
    expect(await slugOf(await uploads.sidecar.upload(someGif(), 'x.gif', headers))).toEqual(wrong)
    await uploads.requireNothing()
  })

  test('only the hash of an API key reaches the database', async () => {
    const readRecord = uploads.faultyDatabase.record()
    await uploads.sidecar.upload(someGif(), 'x.gif', { 'x-api-key': 'plk_s3cret' })
    expect(readRecord()).toContain('require_api_key')
    expect(readRecord()).not.toContain('plk_')
  })
})

test('the secrets of a request do not reach the database', async () => {
  // A header that reached the database would be the client address here.
  for (const header of ['authorization', 'cookie', 'apikey', 'x-api-key']) {
    await uploads.db.query('update app.settings set client_address_header = $1', [header])
    await uploads.db.query('delete from app.rate_limits')
    await uploads.sidecar.upload(someGif(), 'x.gif', { [header]: '9.9.9.9' })
    expect(await uploads.rows('select key from app.rate_limits')).toEqual([{ key: 'address unknown' }])
  }
  await uploads.db.query('update app.settings set client_address_header = null')
})

test('only the header with the client address reaches the database', async () => {
  await uploads.db.query("update app.settings set client_address_header = 'x-client-address'")
  try {
    const sent = { 'x-client-address': '192.0.2.7', 'x-api-key': 's3cret', 'x-other': 's3cret', cookie: 's3cret' }
    const readRecord = uploads.faultyDatabase.record()
    await uploads.sidecar.upload(someGif(), 'x.gif', sent)
    const bytes = readRecord()
    expect(bytes).toContain('192.0.2.7')
    expect(bytes).not.toContain('s3cret')
  } finally {
    await uploads.db.query('update app.settings set client_address_header = null')
  }
})

test('the log has the route and the status of a refusal, and no data of the request', async () => {
  await uploads.sidecar.upload(someGif(), 'very-private-name.gif', { authorization: 'Bearer s3cret-token' })
  uploads.faultyStore.fail('error', { method: 'PUT' })
  await uploads.sidecar.upload(someGif(), 'very-private-name.gif', { apikey: 's3cret-token' })
  await until('it is logged', () => uploads.sidecar.log().includes('"status":503'))
  expect(uploads.sidecar.log()).not.toMatch(/s3cret|very-private-name/)
  expect(
    await uploads.rows(
      "select pg_catalog.to_jsonb(r)::text as row from app.rate_limits as r where key like '%s3cret%'",
    ),
  ).toEqual([])
})
