import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { startGateway } from '../scripts/local/gateway.ts'
import { signApiKey, signUserToken } from '../scripts/local/jwt.ts'
import { freePort } from '../scripts/local/ports.ts'
import { createDatabase, type TestDatabase } from '../scripts/testing/database.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../scripts/testing/faulty_database.ts'
import { sha256, someGif, startTestSidecar, type TestSidecar } from '../scripts/testing/sidecar.ts'
import {
  type FaultyStore,
  slowDown,
  startFaultyStore,
  startTestStore,
  type TestStore,
} from '../scripts/testing/store.ts'

// Real sidecar processes on a real Postgres and a real S3 server, with proxies between them that can fail.
const mib = 2 ** 20
let database: TestDatabase
let db: Client
let store: TestStore
let faultyStore: FaultyStore
let faultyDatabase: FaultyDatabase
/** The first goes through both proxies, the second straight to both. */
let sidecar: TestSidecar
let other: TestSidecar

const jwtSecret = () => inject('cluster').secrets.jwtSecret

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  store = await startTestStore()
  faultyStore = await startFaultyStore(store.port)
  faultyDatabase = await startFaultyDatabase(inject('cluster').port)
  await db.query('update app.settings set asset_max_bytes = $1, asset_uploads_per_minute = 100000', [mib])
  ;[sidecar, other] = await Promise.all([
    startTestSidecar({
      databaseUrl: faultyDatabase.through(database.url('sidecar')),
      storePort: faultyStore.port,
      publicStorePort: store.port,
      // A failed upload deletes its object in the rest of this time.
      env: { SPACES_TIMEOUT_SECONDS: '2' },
    }),
    startTestSidecar({ databaseUrl: database.url('sidecar'), storePort: store.port, env: { JWT_SECRET: jwtSecret() } }),
  ])
})
beforeEach(async () => {
  await db.query('delete from app.asset_uploads')
  await db.query('delete from assets')
  for (const key of await store.keys()) await store.store.delete(key)
})
afterEach(() => {
  faultyStore.heal()
  faultyDatabase.heal()
})
afterAll(async () => {
  await Promise.all([sidecar.stop(), other.stop()])
  faultyStore.stop()
  faultyDatabase.stop()
  await store.stop()
  await database.drop()
})

const rows = async (text: string, values: unknown[] = []) => (await db.query(text, values)).rows
const assetsOf = () =>
  rows('select a.* from assets as a join app.asset_times as t on t.asset_id = a.id order by t.created_at')
const uploadsOf = () => rows('select * from app.asset_uploads')
type Answer = { assetId: string; details: string; hint: string | null }
const idOf = async (response: Response) => ((await response.json()) as Answer).assetId
const slugOf = async (response: Response) => [response.status, ((await response.json()) as Answer).details]

async function requireNothing(): Promise<void> {
  expect(await store.keys()).toEqual([])
  expect(await assetsOf()).toEqual([])
  expect(await uploadsOf()).toEqual([])
}

async function until(what: string, fact: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 400; n++) {
    if (await fact()) return
    await sleep(25)
  }
  throw new Error(`It never happened: ${what}.`)
}

/** A form as text, for what FormData would not write. */
function rawForm(parts: { head: string; bytes?: Buffer | string }[], end = '--cut--\r\n') {
  const body = Buffer.concat([
    ...parts.flatMap(({ head, bytes = '' }) => [
      Buffer.from(`--cut\r\n${head}\r\n\r\n`),
      Buffer.from(bytes as string),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(end),
  ])
  return { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary=cut' } }
}
/** A name that begins with * is in RFC 5987's form, which can hold any byte. */
const fileHead = (name: string) =>
  `Content-Disposition: form-data; name="file"; filename${name.startsWith('*') ? name.replace('*', '*=') : `="${name}"`}`
const post = (init: RequestInit) => fetch(`${sidecar.url}/api/assets`, init)

describe('an upload', () => {
  test('is stored, recorded and can be loaded', async () => {
    const bytes = someGif(300_000)
    const response = await sidecar.upload(bytes, 'My Icon.PNG')
    expect(response.status).toBe(201)
    const answer = (await response.json()) as Answer
    const key = `shared-assets/${answer.assetId}/file.gif`
    expect(answer).toEqual({ assetId: expect.any(String), url: `${store.url}/${key}` })
    expect(await assetsOf()).toEqual([
      expect.objectContaining({
        id: answer.assetId,
        name: 'file.gif',
        hash: sha256(bytes),
        size_byte: bytes.length,
        mime_type: 'image/gif',
        object_key: key,
        file_path: `${store.url}/${key}`,
        status: 'live',
      }),
    ])
    expect(await uploadsOf()).toEqual([])
    const loaded = await fetch(`${store.url}/${key}`)
    expect(Object.fromEntries(loaded.headers)).toMatchObject({
      'content-type': 'image/gif',
      'cache-control': 'public, max-age=3600',
      'content-disposition': 'inline',
    })
    expect(Buffer.from(await loaded.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test('gets the same answer for the same bytes, and stores them once', async () => {
    const bytes = someGif()
    const first = await sidecar.upload(bytes)
    const again = await other.upload(bytes, 'another name.gif')
    expect([again.status, await again.json()]).toEqual([first.status, await first.json()])
    expect(await store.keys()).toHaveLength(1)
  })

  test('makes one object, one row and one id, if twenty send the same bytes at once to two processes', async () => {
    const bytes = someGif(200_000)
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => idOf(await (n % 2 ? sidecar : other).upload(bytes))),
    )
    expect(new Set(answers).size).toBe(1)
    expect((await assetsOf()).map(({ id }) => id)).toEqual([answers[0]])
    expect(await store.keys()).toEqual([(await assetsOf())[0].object_key])
    expect(await uploadsOf()).toEqual([])
  })

  test('may have other fields before and after the file', async () => {
    const response = await post(
      rawForm([
        { head: 'Content-Disposition: form-data; name="a"', bytes: '1' },
        { head: fileHead('x.gif'), bytes: someGif() },
        { head: 'Content-Disposition: form-data; name="b"', bytes: '2' },
      ]),
    )
    expect(response.status).toBe(201)
  })

  test.each(
    [
      '../../etc/passwd',
      '',
      '/',
      '😀 日本.png',
      'a\u0000b\u0007c.gif',
      "*UTF-8''a%00b%07c.gif",
      "*UTF-8''%ED%A0%80y.gif",
      'x?versionId=1#y.gif',
      `${'long '.repeat(2000)}.gif`,
      'ü'.repeat(5000),
    ].map((name) => [name.slice(0, 40), name]),
  )('may have any name, which is not kept: %j …', async (_short, name) => {
    const response = await post(rawForm([{ head: fileHead(name), bytes: someGif() }]))
    const assetId = await idOf(response)
    expect(await store.keys()).toEqual([`shared-assets/${assetId}/file.gif`])
    expect((await fetch((await assetsOf())[0].file_path)).status).toBe(200)
  })

  test('may have a name that is not UTF-8', async () => {
    const head = Buffer.concat([Buffer.from(fileHead('').slice(0, -1)), Buffer.from([0xed, 0xa0, 0x80, 0xff, 0x22])])
    const { body, ...init } = rawForm([{ head: 'HEAD', bytes: someGif() }])
    const [before, after] = [body.subarray(0, body.indexOf('HEAD')), body.subarray(body.indexOf('HEAD') + 4)]
    expect((await post({ ...init, body: Buffer.concat([before, head, after]) })).status).toBe(201)
  })

  test('has the type that its first bytes tell', async () => {
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    )
    await sidecar.upload(png, 'virus.exe')
    expect(await assetsOf()).toMatchObject([
      { mime_type: 'image/png', object_key: expect.stringMatching(/\/file\.png$/) },
    ])
  })
})

const caseOf = (name: string) => Buffer.from(readFileSync(join(import.meta.dirname, 'cases', name)))

describe('a form', () => {
  const text = (name: string) => ({ head: `Content-Disposition: form-data; name="${name}"`, bytes: 'x' })
  const plain = 'Content-Disposition: form-data; name="file"'

  /** Sends a body in several writes and returns the answer. */
  async function send(writes: Buffer[], isChunked: boolean): Promise<string> {
    const length = writes.reduce((sum, { length }) => sum + length, 0)
    const asked = request(`${sidecar.url}/api/assets`, {
      method: 'POST',
      headers: {
        'content-type': 'multipart/form-data; boundary=plinthtest',
        ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
      },
    })
    const answered = new Promise<string>((resolve, reject) => {
      asked.on('error', reject).on('response', (response) => {
        response.toArray().then((chunks) => resolve(`${response.statusCode} ${Buffer.concat(chunks)}`), reject)
      })
    })
    for (const bytes of writes) {
      asked.write(bytes)
      await sleep(50)
    }
    asked.end()
    return answered
  }

  test('may end its lines with LF only, and have text behind its end', async () => {
    expect(await send([caseOf('body_lf_only.bin')], false)).toMatch(/^201 /)
    const [asset] = await assetsOf()
    const writes = [caseOf('body_epilogue_1.bin'), caseOf('body_epilogue_2.bin')]
    for (const isChunked of [false, true])
      expect(await send(writes, isChunked)).toContain(`201 {"assetId":"${asset.id}"`)
  })

  test.each([
    ['whose file has no name', [{ head: plain, bytes: someGif() }]],
    ['with filename* alone', [{ head: `${plain}; filename*=UTF-8''%C3%BC.gif`, bytes: someGif() }]],
    ['with a text of the same name before the file', [text('file'), { head: fileHead('x.gif'), bytes: someGif() }]],
    ['with a text of the same name behind the file', [{ head: fileHead('x.gif'), bytes: someGif() }, text('file')]],
  ])('%s is accepted', async (_what, parts) => {
    const [file] = parts.filter(({ bytes }) => bytes !== 'x')
    expect((await post(rawForm(parts))).status).toBe(201)
    expect(await assetsOf()).toMatchObject([{ hash: sha256(file?.bytes as Buffer), size_byte: 1000 }])
  })

  test('may have a text before its first boundary', async () => {
    const { body, ...init } = rawForm([{ head: fileHead('x.gif'), bytes: someGif() }])
    expect((await post({ ...init, body: Buffer.concat([Buffer.from('hello\r\n\r\n'), body]) })).status).toBe(201)
  })

  test('with a text or with two files in its field is refused', async () => {
    expect(await slugOf(await post(rawForm([text('file')])))).toEqual([400, 'file_missing'])
    const twice = rawForm([
      { head: plain, bytes: someGif() },
      { head: fileHead('x.gif'), bytes: someGif() },
      { head: fileHead('y.gif'), bytes: someGif() },
    ])
    expect(await slugOf(await post(twice))).toEqual([400, 'request_invalid'])
    await requireNothing()
  })
})

describe('a picture', () => {
  test('loses the card that its PNG hides, and is known by the bytes that were sent', async () => {
    const card = caseOf('tavern_card_text_before_idat.png')
    const answer = (await (await sidecar.upload(card, 'card.png')).json()) as Answer
    const [asset] = await assetsOf()
    expect(asset).toMatchObject({ mime_type: 'image/png', hash: sha256(card) })
    const stored = Buffer.from(await (await fetch(asset.file_path)).arrayBuffer())
    expect(stored.length).toBe(asset.size_byte)
    expect(String(stored)).not.toContain('chara')
    expect(await (await other.upload(card)).json()).toEqual(answer)
  })

  test('is AVIF by any of its brands', async () => {
    expect((await sidecar.upload(caseOf('avif_header_major_brand_mif1.avif'))).status).toBe(201)
    expect(await assetsOf()).toMatchObject([{ mime_type: 'image/avif', name: 'file.avif' }])
  })

  test('is refused if it is HEIC, with the types to convert it to', async () => {
    const response = await sidecar.upload(Buffer.from('\0\0\0\x18ftypmif1\0\0\0\0mif1heic\0\0\0\x10meta'))
    expect([response.status, await response.json()]).toMatchObject([
      415,
      {
        details: 'asset_type_unsupported',
        message: 'The file is a HEIC picture, which most browsers cannot show.',
        hint: expect.stringMatching(/^Convert the picture, and send one of: image\/apng, .*image\/jpeg/),
      },
    ])
  })

  test('is refused if it claims too many pixels', async () => {
    const png = Buffer.from('89504e470d0a1a0a0000000d494844520000c3500000c3500806000000', 'hex')
    expect(await slugOf(await sidecar.upload(png))).toEqual([422, 'asset_has_too_many_pixels'])
    await requireNothing()
  })
})

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
    const response = await post({ method: 'POST', ...init })
    const problem = (await response.json()) as Answer
    expect([response.status, problem]).toEqual([
      status,
      { code: `PT${status}`, details: slug, message: expect.any(String), hint: problem.hint },
    ])
    await requireNothing()
  })

  test('with random damage in its form, and never answered with 500', async () => {
    const form = rawForm([{ head: fileHead('x.gif'), bytes: someGif(200) }])
    for (let n = 0; n < 150; n++) {
      const body = Buffer.from(form.body)
      for (let m = 0; m < 3; m++) body[Math.floor(Math.random() * 120)] = Math.floor(Math.random() * 256)
      const { status } = await post({ ...form, body: body.subarray(0, body.length - (n % 5)) })
      expect(status).toBeLessThan(500)
    }
    expect(sidecar.openUploads()).toBe(0)
  })

  test('that announces too large a body, before the body is read', async () => {
    // Nothing of the body is ever sent.
    const response = await new Promise<{ status: number; close: string | undefined }>((resolve, reject) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=cut', 'content-length': String(2 * mib) }
      const asked = request(`${sidecar.url}/api/assets`, { method: 'POST', headers }, (answer) => {
        resolve({ status: answer.statusCode ?? 0, close: answer.headers.connection })
        asked.destroy()
      })
      asked.on('error', reject).flushHeaders()
    })
    expect(response).toEqual({ status: 413, close: 'close' })
    await requireNothing()
  })

  test('that has too large a file, with the message of SQL and without a second call', async () => {
    faultyDatabase.breakAt('sidecar.reserve_upload', 'before')
    const response = await sidecar.upload(someGif(mib + 1))
    expect([response.status, await response.json()]).toEqual([
      413,
      {
        code: 'PT413',
        details: 'asset_too_large',
        message: `The file has more than ${mib} bytes.`,
        hint: 'Send a smaller file.',
      },
    ])
    await requireNothing()
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
    const response = await post({ ...form, body, duplex: 'half' } as RequestInit)
    expect(await slugOf(response)).toEqual([413, 'asset_too_large'])
    expect(sent).toBeLessThan(100 * mib)
    await requireNothing()
    await until('the file is closed', () => sidecar.openUploads() === 0)
  })

  test('through the gateway, while curl and fetch are still sending', async () => {
    const port = await freePort()
    const gateway = await startGateway({ port, postgrestPort: 9, sidecarPort: Number(new URL(sidecar.url).port) })
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
      db.query('update app.settings set asset_uploads_per_minute = $1, client_address_header = $2', [perMinute, header])
    await limit(2, 'x-client-address')
    try {
      const from = (address: string) => sidecar.upload(someGif(), 'x.gif', { 'x-client-address': address })
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
      databaseUrl: database.url('sidecar'),
      storePort: store.port,
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
  const from = (origin: string) => sidecar.upload(someGif(), 'x.gif', { origin })
  test('lets pages of configured origins read answers and errors', async () => {
    const allowed = await from('https://app.example')
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(allowed.headers.get('access-control-expose-headers')).toBe('Retry-After')
    const refused = await fetch(`${sidecar.url}/api/assets`, {
      method: 'POST',
      headers: { origin: 'https://other.example' },
    })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([415, 'https://other.example'])
    expect((await from('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
  })

  test('answers a preflight', async () => {
    const preflight = (origin: string) =>
      fetch(`${sidecar.url}/api/assets`, {
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

describe('a client that disconnects', () => {
  test('at once leaves no file and no upload in progress', async () => {
    const { port } = new URL(sidecar.url)
    const head = 'POST /api/assets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=cut\r\n'
    for (let n = 0; n < 20; n++) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(`${head}content-length: 200000\r\n\r\n`, () => setTimeout(() => socket.destroy(), n % 5))
    }
    await sleep(300)
    await until('all places are free', () => sidecar.openUploads() === 0)
    await requireNothing()
  })

  test('or never ends a form without a length is refused as too large', async () => {
    const { port } = new URL(sidecar.url)
    const socket = connect(Number(port), '127.0.0.1')
    let answer = ''
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => {})
    socket.write(
      'POST /api/assets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=cut\r\ntransfer-encoding: chunked\r\n\r\n',
    )
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`
    await until('it is answered', () => {
      if (!socket.destroyed) socket.write(chunk)
      return answer.includes('asset_too_large')
    })
    expect(answer).toMatch(/^HTTP\/1.1 413/)
    socket.destroy()
    await requireNothing()
  })

  test('in the middle leaves no file and no object', async () => {
    const { port } = new URL(sidecar.url)
    const socket = connect(Number(port), '127.0.0.1')
    const head = `--cut\r\n${fileHead('x.gif')}\r\n\r\n`
    socket.write(
      `POST /api/assets HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=cut\r\ncontent-length: 200000\r\n\r\n${head}`,
    )
    socket.write(someGif(50_000))
    await until('the file is being written', () => sidecar.openUploads() === 1)
    socket.destroy()
    await until('the file is closed', () => sidecar.openUploads() === 0)
    await requireNothing()
    expect(readdirSync(sidecar.uploadFolder).filter((name) => name.startsWith('plinth-upload-'))).toEqual([])
  })
})

describe('when the store fails', () => {
  test.each(['refuse', 'reset', 'hang', 'error'] as const)(
    '(%s) the answer is 503, and nothing is there',
    async (fault) => {
      faultyStore.fail(fault, { method: 'PUT' })
      const bytes = someGif(500_000)
      const response = await sidecar.upload(bytes)
      expect(response.headers.get('retry-after')).toBe('5')
      expect(await slugOf(response)).toEqual([503, 'store_unavailable'])
      expect(await store.keys()).toEqual([])
      expect(await assetsOf()).toEqual([])
      // Where it may still be written, the worker looks once more.
      expect((await uploadsOf()).length).toBe(fault === 'refuse' ? 0 : 1)

      faultyStore.heal()
      expect((await sidecar.upload(bytes)).status).toBe(201)
    },
  )

  test('by silence, the client waits no longer than SPACES_TIMEOUT_SECONDS', async () => {
    faultyStore.fail('hang')
    const startedAt = performance.now()
    expect(await slugOf(await sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    // Three times as long if the delete had a time of its own.
    expect(performance.now() - startedAt).toBeLessThan(4000)
    expect(await uploadsOf()).toHaveLength(1)
  })

  test('for a moment only, the client does not notice', async () => {
    for (const fault of ['reset', 'error'] as const) {
      faultyStore.fail(fault, { method: 'PUT', times: 1 })
      const bytes = someGif(400_000)
      const assetId = await idOf(await sidecar.upload(bytes))
      const [asset] = await rows('select file_path from assets where id = $1', [assetId])
      const loaded = Buffer.from(await (await fetch(asset.file_path)).arrayBuffer())
      expect(loaded.equals(bytes)).toBe(true)
    }
  })

  test('after it has written, the object is deleted, and the row stays for the worker', async () => {
    faultyStore.fail('drop', { method: 'PUT' })
    expect(await slugOf(await sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    expect(await store.keys()).toEqual([])
    expect(await uploadsOf()).toHaveLength(1)
  })

  test('at the delete that follows, the row stays for the worker', async () => {
    faultyStore.fail('error', { method: 'DELETE' })
    faultyStore.fail('drop', { method: 'PUT' })
    expect(await slugOf(await sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    expect(await store.keys()).toEqual([(await uploadsOf())[0].object_key])
  })

  test('at the delete of a second upload of the same bytes, the answer is right, and the worker gets the object', async () => {
    const bytes = someGif()
    faultyStore.fail('hold', { method: 'PUT', times: 1 })
    faultyStore.fail('error', { method: 'DELETE' })
    const second = sidecar.upload(bytes)
    await faultyStore.held()
    const assetId = await idOf(await other.upload(bytes))
    faultyStore.release()
    expect(await (await second).json()).toMatchObject({ assetId })
    expect(await store.keys()).toHaveLength(2)
    expect((await uploadsOf()).map(({ object_key }) => object_key)).not.toContain((await assetsOf())[0].object_key)
  })
})

describe('when the store is asked too often, or refuses the request for good', () => {
  const requests = () => ['PUT', 'DELETE'].map((method) => faultyStore.requests(method))
  const since = ([puts = 0, deletes = 0]: number[]) => {
    const [putsNow = 0, deletesNow = 0] = requests()
    return { puts: putsNow - puts, deletes: deletesNow - deletes }
  }

  test('150 uploads at once succeed at a store that accepts 50 requests a second', async () => {
    const patient = await startTestSidecar({
      databaseUrl: database.url('sidecar'),
      storePort: faultyStore.port,
      env: { SPACES_TIMEOUT_SECONDS: '15' },
    })
    try {
      faultyStore.limit(50)
      const before = requests()
      const startedAt = performance.now()
      const answers = await Promise.all(Array.from({ length: 150 }, () => patient.upload(someGif())))
      const seconds = (performance.now() - startedAt) / 1000
      expect(answers.map(({ status }) => status)).toEqual(Array(150).fill(201))
      expect(since(before).deletes).toBe(0)
      expect(await uploadsOf()).toEqual([])
      expect(await assetsOf()).toHaveLength(150)
      expect(seconds).toBeLessThan(30)
    } finally {
      await patient.stop()
    }
  })

  test('SlowDown means that the object is not written: nothing is deleted, and no row remains', async () => {
    faultyStore.fail({ status: 503, body: slowDown }, { method: 'PUT' })
    const before = requests()
    expect(await slugOf(await sidecar.upload(someGif()))).toEqual([503, 'store_unavailable'])
    expect(since(before).puts).toBeGreaterThan(2)
    expect(since(before).deletes).toBe(0)
    await requireNothing()

    faultyStore.heal()
    faultyStore.fail({ status: 503, body: slowDown }, { method: 'PUT', times: 2 })
    expect((await sidecar.upload(someGif())).status).toBe(201)
  })

  const acl = (code: string, message: string) => `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  test.each([
    [501, acl('NotImplemented', 'A header you provided implies functionality that is not implemented')],
    [400, acl('AccessControlListNotSupported', 'The bucket does not allow ACLs')],
    [501, '<html><body>Not implemented'],
    [501, undefined],
    [403, acl('AccessDenied', 'Access Denied')],
  ] as const)('a refused ACL (%i %s) is one request, and the log says what to do', async (status, body) => {
    faultyStore.fail({ status, ...(body && { body }) }, { method: 'PUT' })
    const before = requests()
    const logged = sidecar.log().length
    const response = await sidecar.upload(someGif())
    expect(response.headers.get('retry-after')).toBeNull()
    expect(await slugOf(response)).toEqual([503, 'store_unavailable'])
    expect(since(before)).toEqual({ puts: 1, deletes: 0 })
    await requireNothing()
    expect(sidecar.log().slice(logged)).toMatch(/ACL public-read.*SPACES_ACL=none/)
  })
})

describe('when the database fails', () => {
  test.each(['find_uploader', 'start_upload', 'reserve_upload'])(
    'at %s the answer is 503, and nothing is there',
    async (name) => {
      faultyDatabase.breakAt(`sidecar.${name}`, 'before')
      const response = await sidecar.upload(someGif())
      expect(response.headers.get('retry-after')).toBe('5')
      expect(await slugOf(response)).toEqual([503, 'database_unavailable'])
      await requireNothing()
    },
  )

  test('at record_upload for a moment, the client does not notice, whether or not the call had committed', async () => {
    for (const when of ['before', 'after'] as const) {
      faultyDatabase.breakAt('sidecar.record_upload', when, 2)
      const assetId = await idOf(await sidecar.upload(someGif()))
      expect(await rows('select id, status from assets where id = $1', [assetId])).toEqual([
        { id: assetId, status: 'live' },
      ])
    }
    expect(await store.keys()).toHaveLength(2)
    expect(await uploadsOf()).toEqual([])
  })

  test('at record_upload for long, the answer is 503, and the worker gets the object', async () => {
    faultyDatabase.breakAt('sidecar.record_upload', 'before')
    expect(await slugOf(await sidecar.upload(someGif()))).toEqual([503, 'database_unavailable'])
    expect(await assetsOf()).toEqual([])
    expect(await store.keys()).toEqual([(await uploadsOf())[0].object_key])
  })

  test('at record_upload for long, an asset that was recorded nevertheless keeps its object', async () => {
    faultyDatabase.breakAt('sidecar.record_upload', 'after')
    const bytes = someGif()
    expect(await slugOf(await sidecar.upload(bytes))).toEqual([503, 'database_unavailable'])
    const [asset] = await assetsOf()
    expect(await store.keys()).toEqual([asset.object_key])
    faultyDatabase.heal()
    expect(await (await sidecar.upload(bytes)).json()).toMatchObject({ assetId: asset.id, url: asset.file_path })
  })

  test('altogether, the answer is 503, and uploads work again afterwards', async () => {
    faultyDatabase.down()
    expect(await slugOf(await sidecar.upload(someGif()))).toEqual([503, 'database_unavailable'])
    faultyDatabase.heal()
    // The sidecar connects again after a pause.
    await expect.poll(async () => (await sidecar.upload(someGif())).status, { timeout: 5000 }).toBe(201)
  })
})

test('an upload that the worker has claimed is refused, and its object is deleted', async () => {
  faultyStore.fail('hold', { method: 'PUT', times: 1 })
  const slow = sidecar.upload(someGif())
  await faultyStore.held()
  await db.query("update app.asset_uploads set started_at = now() - interval '1 day'")
  const claimed = await rows('select id, object_key from worker.claim_orphaned_assets(10)')
  faultyStore.release()
  expect(await slugOf(await slow)).toEqual([409, 'upload_expired'])
  expect(await store.keys()).toEqual([])
  expect((await uploadsOf()).map(({ id }) => id)).toEqual(claimed.map(({ id }) => id))
})

test('an object can be read by everyone, and caches keep it as long as a share lives', async () => {
  await sidecar.upload(someGif())
  expect(faultyStore.headers('PUT')).toMatchObject({
    'x-amz-acl': 'public-read',
    'cache-control': 'public, max-age=3600',
    'content-type': 'image/gif',
    'content-disposition': 'inline',
  })
})

test('the secrets of a request do not reach the database', async () => {
  // A header that reached the database would be the client address here.
  for (const header of ['authorization', 'cookie', 'apikey', 'x-api-key']) {
    await db.query('update app.settings set client_address_header = $1', [header])
    await db.query('delete from app.rate_limits')
    await sidecar.upload(someGif(), 'x.gif', { [header]: '9.9.9.9' })
    expect(await rows('select key from app.rate_limits')).toEqual([{ key: 'address unknown' }])
  }
  await db.query('update app.settings set client_address_header = null')
})

describe('credentials', () => {
  const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
  const wrong = [401, 'token_invalid']
  const uploadWith = async (headers: Record<string, string>) => {
    const response = await other.upload(someGif(), 'x.gif', headers)
    return response.status === 201 ? 201 : slugOf(response)
  }
  const bearer = (token: string) => uploadWith({ authorization: `Bearer ${token}` })

  async function createKey(scopes: string[]): Promise<{ id: string; key: string }> {
    await db.query('begin')
    await db.query("select set_config('request.jwt.claims', $1, true)", [
      JSON.stringify({ sub: user.id, role: 'authenticated' }),
    ])
    const [made] = await rows("select id, key from public.create_api_key('k', $1)", [scopes])
    await db.query('commit')
    return made
  }

  beforeAll(async () => {
    await db.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
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
    await db.query('update api_keys set revoked_at = now() where id = $1', [gone.id])
    expect(await uploadWith({ 'x-api-key': 'plk_unknown' })).toEqual([401, 'api_key_unknown'])
    expect(await uploadWith({ 'x-api-key': '' })).toEqual([401, 'api_key_unknown'])
    expect(await uploadWith({ 'x-api-key': gone.key })).toEqual([401, 'api_key_revoked'])
    expect(await uploadWith({ 'x-api-key': reading.key })).toEqual([403, 'key_is_read_only'])
    const both = { 'x-api-key': gone.key, authorization: `Bearer ${token}` }
    expect(await uploadWith(both)).toEqual([400, 'key_with_jwt'])
    await requireNothing()
  })

  test('that cannot be checked are refused: a token without JWT_SECRET', async () => {
    const headers = { authorization: `Bearer ${await signUserToken(user, jwtSecret())}` }
    expect(await slugOf(await sidecar.upload(someGif(), 'x.gif', headers))).toEqual(wrong)
    await requireNothing()
  })

  test('only the hash of an API key reaches the database', async () => {
    const readRecord = faultyDatabase.record()
    await sidecar.upload(someGif(), 'x.gif', { 'x-api-key': 'plk_s3cret' })
    expect(readRecord()).toContain('require_api_key')
    expect(readRecord()).not.toContain('plk_')
  })
})

test('only the header with the client address reaches the database', async () => {
  await db.query("update app.settings set client_address_header = 'x-client-address'")
  try {
    const sent = { 'x-client-address': '192.0.2.7', 'x-api-key': 's3cret', 'x-other': 's3cret', cookie: 's3cret' }
    const readRecord = faultyDatabase.record()
    await sidecar.upload(someGif(), 'x.gif', sent)
    const bytes = readRecord()
    expect(bytes).toContain('192.0.2.7')
    expect(bytes).not.toContain('s3cret')
  } finally {
    await db.query('update app.settings set client_address_header = null')
  }
})

test('the log has the route and the status of a refusal, and no data of the request', async () => {
  await sidecar.upload(someGif(), 'very-private-name.gif', { authorization: 'Bearer s3cret-token' })
  faultyStore.fail('error', { method: 'PUT' })
  await sidecar.upload(someGif(), 'very-private-name.gif', { apikey: 's3cret-token' })
  await until('it is logged', () => sidecar.log().includes('"status":503'))
  expect(sidecar.log()).not.toMatch(/s3cret|very-private-name/)
  expect(
    await rows("select pg_catalog.to_jsonb(r)::text as row from app.rate_limits as r where key like '%s3cret%'"),
  ).toEqual([])
})
