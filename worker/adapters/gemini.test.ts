import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { inspect } from 'node:util'
import { fileTypeFromBuffer } from 'file-type'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Fault, makePng, type StandIn, startGemini } from '../../scripts/local/gemini.ts'
import { makeCertificates, readCertificates } from '../../scripts/testing/certificates.ts'
import { dramaDocuments, usage as dramaUsage } from '../handlers/dramas/drama_documents.ts'
import type { StepError } from '../outcomes/outcome.ts'
import { serializeError } from '../shared/serialize_error.ts'
import { createGemini, type Gemini } from './gemini.ts'
import { findDayEndInMs } from './gemini_answers.ts'

// The real SDK against the stand-in, which speaks the wire format.
let standIn: StandIn
let gemini: Gemini
const model = 'gemini-3-pro-preview'
const never = new AbortController().signal
const mp4 = Buffer.concat([Buffer.from('0000001c667479706d703432', 'hex'), Buffer.alloc(64)])

beforeAll(async () => {
  standIn = await startGemini()
  gemini = createGemini({
    GEMINI_API_KEY: 'key',
    GEMINI_BASE_URL: standIn.url,
    GEMINI_TIMEOUT_SECONDS: 60,
    GEMINI_VIDEO_POLL_SECONDS: 1,
    GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
  })
})
beforeEach(() => standIn.behave({ latencyMs: 0, videoPolls: 3, faults: [] }))
afterAll(() => standIn.stop())

const outline = z.object({
  title: z.string().max(60),
  mood: z.enum(['dark', 'light']),
  year: z.int().min(1900).max(2000),
  subtitle: z.string().nullable(),
  episodes: z.array(z.object({ title: z.string() })).length(3),
})
const write = (signal = never) => gemini.writeJson({ model, prompt: 'A lighthouse', schema: outline, signal })
const meet = (kind: Fault['kind'], more: Partial<Fault> = {}) =>
  standIn.behave({ faults: [{ kind, every: 1, ...more }] })

describe('text', () => {
  test('matches the schema, comes with its cost, and is the same for the same prompt', async () => {
    const { value, usage } = await write()
    expect(outline.parse(value)).toEqual(value)
    expect(value.episodes).toHaveLength(3)
    expect(usage).toEqual({
      model,
      input_tokens: expect.any(Number),
      output_tokens: expect.any(Number),
    })
    expect(usage.output_tokens).toBeGreaterThan(0)
    expect((await write()).value).toEqual(value)
    expect(standIn.requests.at(-1)).toBe(`/v1beta/models/${model}:generateContent`)
  })

  test('works with the schema of every text step', async () => {
    const { write_outline, write_cast, write_script, write_scene } = dramaDocuments
    const schemas = [write_outline, write_cast, write_script, write_scene].map(({ output }) => output as z.ZodType)
    for (const schema of schemas) {
      const { value } = await gemini.writeJson({ model, prompt: 'x', schema, signal: never })
      expect(schema.safeParse(value).success).toBe(true)
    }
  })
})

describe('failures', () => {
  test.each<[string, Partial<Fault> & { kind: Fault['kind'] }, object]>([
    [
      'a rate limit with a delay',
      { kind: 'rate', retryDelay: '7s' },
      { slug: 'provider_busy', isPermanent: false, retryInMs: 7000, retryGrows: false },
    ],
    [
      'no delay at all',
      { kind: 'rate', retryDelay: '0s' },
      { slug: 'provider_busy', retryInMs: 5000, retryGrows: true },
    ],
    ['a fraction of a second', { kind: 'rate', retryDelay: '0.0001s' }, { retryInMs: 5000 }],
    ['a second and a half', { kind: 'rate', retryDelay: '1.5s' }, { retryInMs: 1500 }],
    ['a delay of a day', { kind: 'rate', retryDelay: '86400s' }, { retryInMs: 600_000 }],
    ['a delay without end', { kind: 'rate', retryDelay: `${'9'.repeat(400)}s` }, { retryInMs: 600_000 }],
    [
      'a rate limit without one',
      { kind: 'rate', retryDelay: 'none' },
      { slug: 'provider_busy', isPermanent: false, retryInMs: 5000 },
    ],
    ['overload', { kind: 'unavailable' }, { slug: 'provider_unavailable', isPermanent: false }],
    [
      'a blocked prompt',
      { kind: 'blocked' },
      { slug: 'prompt_blocked', isPermanent: true, message: expect.stringContaining('prohibited content') },
    ],
    [
      'a blocked answer',
      { kind: 'safety' },
      { slug: 'provider_refused', isPermanent: true, message: expect.stringContaining('safety') },
    ],
    ['an answer that is cut off', { kind: 'truncated' }, { slug: 'answer_truncated', isPermanent: false }],
    ['an answer that is not JSON', { kind: 'broken_json' }, { slug: 'provider_answer_invalid', isPermanent: false }],
    ['an empty answer', { kind: 'empty' }, { slug: 'provider_answer_invalid', isPermanent: false }],
    [
      'a request that is refused',
      { kind: 'bad_request' },
      { slug: 'provider_refused', isPermanent: true, message: expect.stringContaining('The request is invalid.') },
    ],
  ])('%s', async (_what, fault, expected) => {
    meet(fault.kind, fault)
    await expect(write()).rejects.toMatchObject(expected)
    standIn.behave({ faults: [] })
    await expect(write()).resolves.toBeDefined()
  })

  const key = `AIza${crypto.randomUUID()}`
  /** Draws an image while each request fails as a proxy or a library may fail it. */
  const drawAt = (error: unknown) =>
    createGemini(
      {
        GEMINI_API_KEY: key,
        GEMINI_BASE_URL: standIn.url,
        GEMINI_TIMEOUT_SECONDS: 60,
        GEMINI_VIDEO_POLL_SECONDS: 1,
        GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
      },
      () => Promise.reject(error),
    ).drawImage({ model, prompt: 'x', signal: never })

  test('an error whose causes form a circle, or are very many, ends the call without the key', async () => {
    const circle = new Error(`${key} failed`)
    circle.cause = new Error('why', { cause: circle })
    // Node writes the message into the stack when the stack is read for the first time.
    expect(circle.stack).toContain(key)
    let deep = new Error(`root ${key}`)
    for (let n = 0; n < 20_000; n++) deep = new Error(`cause ${n} ${key}`, { cause: deep })
    for (const error of [circle, deep, new AggregateError([new Error(key)], 'all failed')]) {
      const failure = await drawAt(error).catch((error: unknown) => error)
      expect(failure).toMatchObject({ slug: 'provider_unreachable', isPermanent: false, cause: error })
      expect(JSON.stringify(serializeError(failure))).not.toContain(key)
    }
  })

  test('an error that cannot be changed is dropped if it has the key', async () => {
    for (const error of [Object.freeze(new Error(key)), key, Object.assign(new Error('x'), { cause: key })]) {
      const failure = await drawAt(error).catch((error: unknown) => error)
      expect(failure).toMatchObject({ slug: 'provider_unreachable', isPermanent: false })
      expect(JSON.stringify(serializeError(failure))).not.toContain(key)
    }
  })

  test.each([[null], [undefined], [Symbol('x')], [1n]])('the thrown value %s ends the call', async (thrown) => {
    await expect(drawAt(thrown)).rejects.toMatchObject({ slug: 'provider_unreachable' })
  })

  test('an answer that does not match the schema', async () => {
    const other = z.object({ title: z.string().regex(/^\d+$/) })
    await expect(gemini.writeJson({ model, prompt: 'x', schema: other, signal: never })).rejects.toMatchObject({
      slug: 'provider_answer_invalid',
      isPermanent: false,
    })
  })

  test('no answer: fails after the timeout, or as soon as the caller aborts', async () => {
    meet('hang')
    const hasty = createGemini({
      GEMINI_API_KEY: 'key',
      GEMINI_BASE_URL: standIn.url,
      GEMINI_TIMEOUT_SECONDS: 0.2,
      GEMINI_VIDEO_POLL_SECONDS: 1,
      GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
    })
    const request = { model, prompt: 'x', schema: outline }
    await expect(hasty.writeJson({ ...request, signal: never })).rejects.toMatchObject({
      slug: 'provider_timed_out',
      isPermanent: false,
    })
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('The run was cancelled')), 100)
    await expect(write(stop.signal)).rejects.toThrow('The run was cancelled')
    const asked = standIn.requests.length
    await expect(write(AbortSignal.abort(new Error('Already')))).rejects.toThrow('Already')
    expect(standIn.requests).toHaveLength(asked)
  })

  test('no server, no key, a refused key, an unknown model', async () => {
    const to = (config: object) =>
      createGemini({
        GEMINI_API_KEY: 'key',
        GEMINI_BASE_URL: standIn.url,
        GEMINI_VIDEO_POLL_SECONDS: 1,
        GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
        GEMINI_TIMEOUT_SECONDS: 60,
        ...config,
      }).writeJson({ model, prompt: 'x', schema: outline, signal: never })
    await expect(to({ GEMINI_BASE_URL: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      slug: 'provider_unreachable',
      isPermanent: false,
    })
    await expect(to({ GEMINI_API_KEY: undefined })).rejects.toMatchObject({
      slug: 'provider_not_configured',
      isPermanent: true,
    })
    // The owner of the step reads the message, and the log has the cause.
    await expect(to({ GEMINI_BASE_URL: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      message: 'Gemini cannot be reached. Retry the run later.',
      cause: { code: 'ECONNREFUSED' },
    })
    const page = (status: number, body: string) => (server: Server) =>
      new Promise<string>((resolve) => {
        server.on('request', (_request, response) => response.writeHead(status).end(body))
        server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
      })
    for (const [status, expected] of [
      [403, { slug: 'provider_key_refused', isPermanent: true }],
      [404, { slug: 'provider_model_unknown', isPermanent: true }],
      [502, { slug: 'provider_unavailable', isPermanent: false }],
    ] as const) {
      const server = createServer()
      const url = await page(status, '<html>a proxy</html>')(server)
      await expect(to({ GEMINI_BASE_URL: url })).rejects.toMatchObject(expected)
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('images and videos', () => {
  test('an image differs by prompt and reference', async () => {
    const draw = (prompt: string, references: { bytes: Buffer; mimeType: string }[] = []) =>
      gemini.drawImage({ model: 'gemini-3-pro-image-preview', prompt, references, signal: never })
    const first = await draw('A lamp')
    expect(first.mimeType).toBe('image/png')
    expect(await fileTypeFromBuffer(first.bytes)).toMatchObject({ mime: 'image/png' })
    expect((await draw('A lamp')).bytes.equals(first.bytes)).toBe(true)
    expect((await draw('A storm', [first])).bytes.equals(first.bytes)).toBe(false)
    expect(first.usage.output_tokens).toBeGreaterThan(0)
    meet('safety')
    await expect(draw('x')).rejects.toMatchObject({ slug: 'provider_refused', isPermanent: true })
  })

  test('an image that Gemini cannot read is refused, and a cut image is not accepted', async () => {
    const draw = (bytes: Buffer, mimeType = 'image/png') =>
      gemini.drawImage({
        model: 'gemini-3-pro-image-preview',
        prompt: 'x',
        references: [{ bytes, mimeType }],
        signal: never,
      })
    const photo = makePng('a face')
    for (const [bytes, mimeType] of [
      [photo.subarray(0, 100), 'image/png'],
      [photo, 'image/jpeg'],
      [photo, 'image/gif'],
    ] as const) {
      await expect(draw(bytes, mimeType)).rejects.toMatchObject({ slug: 'provider_refused', isPermanent: true })
    }
    meet('cut_image')
    await expect(draw(photo)).rejects.toMatchObject({ slug: 'provider_answer_invalid', isPermanent: false })
  })

  test('JSON about an image follows a schema of its own', async () => {
    const jsonSchema = { type: 'object', properties: { shape: { type: 'string', enum: ['oval', 'round'] } } }
    const images = [{ bytes: makePng('a face'), mimeType: 'image/png' }]
    const schema = z.fromJSONSchema(jsonSchema as z.core.JSONSchema.JSONSchema)
    const { value } = await gemini.writeJson({
      model,
      prompt: 'Describe it',
      images,
      schema,
      jsonSchema,
      signal: never,
    })
    expect(['oval', 'round']).toContain((value as { shape: string }).shape)
    const broken = [{ bytes: Buffer.from('no image'), mimeType: 'image/png' }]
    await expect(
      gemini.writeJson({ model, prompt: 'x', images: broken, schema, jsonSchema, signal: never }),
    ).rejects.toMatchObject({ slug: 'provider_refused', isPermanent: true })
  })

  test('an answer without an image', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ candidates: [{ content: { parts: [{ text: 'No.' }] }, finishReason: 'STOP' }] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const other = createGemini({
      GEMINI_API_KEY: 'key',
      GEMINI_BASE_URL: url,
      GEMINI_TIMEOUT_SECONDS: 60,
      GEMINI_VIDEO_POLL_SECONDS: 1,
      GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
    })
    await expect(other.drawImage({ model, prompt: 'x', signal: never })).rejects.toMatchObject({
      slug: 'provider_answer_invalid',
    })
    server.closeAllConnections()
    server.close()
  })

  test('a video is started, polled and loaded', async () => {
    const image = await gemini.drawImage({ model: 'gemini-3-pro-image-preview', prompt: 'A lamp', signal: never })
    const start = () =>
      gemini.startVideo({ model: 'veo-3.1-generate-preview', prompt: 'It turns', image, signal: never })
    const operation = await start()
    expect(operation).toContain('operations/')
    const polls: unknown[] = []
    while (polls.at(-1) === undefined) polls.push(await gemini.pollVideo({ operation, signal: never }))
    expect(polls.slice(0, -1)).toEqual([undefined, undefined])
    const video = await gemini.loadVideo({ uri: String(polls.at(-1)), signal: never })
    expect(video.mimeType).toBe('video/mp4')
    expect(await fileTypeFromBuffer(video.bytes)).toMatchObject({ mime: 'video/mp4' })
    standIn.behave({ videoPolls: 1, faults: [{ kind: 'safety', every: 1, path: 'operations' }] })
    await expect(gemini.pollVideo({ operation: await start(), signal: never })).rejects.toMatchObject({
      slug: 'provider_refused',
      isPermanent: true,
      message: expect.stringContaining('The prompt was filtered.'),
    })
    await expect(gemini.pollVideo({ operation: 'models/veo/operations/none', signal: never })).rejects.toMatchObject({
      slug: 'video_failed',
      isPermanent: false,
    })
    const gone = `${standIn.url}/v1beta/files/none:download`
    const lost = { slug: 'video_failed', dropsState: true }
    await expect(gemini.loadVideo({ uri: gone, signal: never })).rejects.toMatchObject(lost)
  })

  test('answers are read up to a size only, and no cut leaves a part of the key', async () => {
    const key = `key-${crypto.randomUUID()}`
    let answer: (response: import('node:http').ServerResponse) => void = () => {}
    const server = createServer((_request, response) => answer(response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const other = createGemini({
      GEMINI_API_KEY: key,
      GEMINI_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      GEMINI_TIMEOUT_SECONDS: 20,
      GEMINI_VIDEO_POLL_SECONDS: 1,
      GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
    })
    const failure = () => other.drawImage({ model, prompt: 'x', signal: never }).catch((error: Error) => error as Error)
    answer = (response) => {
      response.writeHead(200)
      const write = () => {
        while (!response.destroyed) if (!response.write(Buffer.alloc(2 ** 20, 32))) return response.once('drain', write)
        return response
      }
      write()
    }
    expect(await failure()).toMatchObject({ message: expect.stringContaining('more than 64 MiB') })
    answer = (response) =>
      response.writeHead(400).end(JSON.stringify({ error: { message: `${'x'.repeat(465)}${key}` } }))
    expect(JSON.stringify(((await failure()) as Error).message)).not.toContain(key.slice(0, 12))
    answer = (response) =>
      response.end(JSON.stringify({ candidates: [{ finishReason: key.toUpperCase().toLowerCase() }] }))
    expect(((await failure()) as Error).message).not.toContain(key.slice(4, 12))
    server.closeAllConnections()
    server.close()
  })

  describe('from another server, a video', () => {
    const requests: { url: string | undefined; key: unknown }[] = []
    let location: string | undefined
    let server: SecureServer
    let port: number
    let cautious: Gemini
    const load = (uri: string) => cautious.loadVideo({ uri, signal: never })
    const refused = { slug: 'video_host_refused', isPermanent: true }

    beforeAll(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'plinth-gemini-'))
      const certificates = makeCertificates(folder, 'localhost')
      setDefaultCACertificates([...getCACertificates(), readFileSync(certificates.ca, 'utf8')])
      server = createSecureServer(readCertificates(certificates), (request, response) => {
        requests.push({ url: request.url, key: request.headers['x-goog-api-key'] })
        if (location !== undefined && request.url === '/moved') response.writeHead(302, { location }).end()
        else response.writeHead(200, { 'content-type': 'text/plain' }).end(mp4)
      })
      rmSync(folder, { recursive: true })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      port = (server.address() as AddressInfo).port
      cautious = createGemini({
        GEMINI_API_KEY: 'key',
        GEMINI_BASE_URL: standIn.url,
        GEMINI_TIMEOUT_SECONDS: 60,
        GEMINI_VIDEO_POLL_SECONDS: 1,
        GEMINI_VIDEO_HOSTS: ['localhost', '*.googleapis.com'],
      })
    })
    beforeEach(() => requests.splice(0))
    afterAll(() => {
      server.closeAllConnections()
      server.close()
    })

    test('is loaded by https from an allowed host, without the key', async () => {
      expect(await load(`https://localhost:${port}/video`)).toEqual({ bytes: mp4, mimeType: 'video/mp4' })
      expect(requests).toEqual([{ url: '/video', key: undefined }])
    })

    test.each([
      ['by http from an allowed host', () => `http://localhost:${port}/video`],
      ['from an address', () => `https://127.0.0.1:${port}/video`],
      ['from the metadata of a cloud', () => 'http://169.254.169.254/latest/meta-data'],
      ['from an address as a number', () => `https://2130706433:${port}/video`],
      ['from the loopback of IPv6', () => `https://[::1]:${port}/video`],
      ['from another host', () => 'https://googleapis.com.example.com/video'],
      ['from a host that only ends alike', () => 'https://evilgoogleapis.com/video'],
      ['with a user', () => `https://storage.googleapis.com@localhost:${port}/video`],
    ])('is not loaded %s', async (_what, uri) => {
      const failure = await load(uri()).catch((error: unknown) => error as StepError)
      expect(failure).toMatchObject(refused)
      const { hostname } = new URL(uri())
      expect((failure as StepError).message).not.toContain(hostname)
      expect(inspect((failure as StepError).cause)).toContain(hostname)
      expect(requests).toEqual([])
    })

    test('is not loaded after a redirect to such a place', async () => {
      for (location of [`http://localhost:${port}/video`, `https://127.0.0.1:${port}/video`]) {
        await expect(load(`https://localhost:${port}/moved`), location).rejects.toMatchObject(refused)
      }
      expect(requests.map(({ url }) => url)).toEqual(['/moved', '/moved'])
      location = `https://localhost:${port}/video`
      expect((await load(`https://localhost:${port}/moved`)).bytes).toEqual(mp4)
    })
  })
})

describe('malformed answers', () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => void
  let answer: Answer
  let server: Server
  let other: Gemini
  let base: string
  const key = 'AIzaSECRET'
  const bodies = new WeakMap<IncomingMessage, string>()
  const bodyOf = (request: IncomingMessage) => bodies.get(request) ?? ''

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        bodies.set(request, Buffer.concat(chunks).toString())
        answer(request, response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    other = createGemini({
      GEMINI_API_KEY: key,
      GEMINI_BASE_URL: base,
      GEMINI_VIDEO_POLL_SECONDS: 1,
      GEMINI_VIDEO_HOSTS: ['*.googleapis.com'],
      GEMINI_TIMEOUT_SECONDS: 60,
    })
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  const json = (value: unknown, status = 200) => {
    answer = (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
  }
  const text = (body: string | Buffer, contentType: string) => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': contentType }).end(body)
    }
  }
  const part = (one: object, more: object = {}) => ({
    candidates: [{ content: { parts: [one] }, finishReason: 'STOP' }],
    ...more,
  })
  const asking = {
    writeJson: () => other.writeJson({ model, prompt: 'x', schema: z.object({ a: z.string() }), signal: never }),
    drawImage: () => other.drawImage({ model, prompt: 'x', signal: never }),
    startVideo: () => other.startVideo({ model, prompt: 'x', signal: never }),
    pollVideo: () => other.pollVideo({ operation: 'models/m/operations/x', signal: never }),
  }
  const calls: [string, () => Promise<unknown>][] = Object.entries(asking)
  const unusable = { slug: 'provider_answer_invalid', isPermanent: false }

  test.each(calls)('%s refuses pages, empty bodies, null, lists and other forms', async (_name, call) => {
    for (const [body, type] of [
      ['<html>a proxy</html>', 'text/html'],
      ['', 'application/json'],
      ['null', 'application/json'],
      ['[]', 'application/json'],
      ['{"candidates": null}', 'application/json'],
      ['{"candidates": [null], "name": 5}', 'application/json'],
      ['{"candidates": 7, "name": null, "response": 5, "done": true}', 'application/json'],
    ] as const) {
      text(body, type)
      await expect(call(), body).rejects.toMatchObject(unusable)
    }
  })

  test.each(calls)('%s sends the key to Gemini only', async (_name, call) => {
    const keys: unknown[] = []
    const elsewhere = createServer((request, response) => {
      keys.push(request.headers['x-goog-api-key'])
      response.end('{}')
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    const location = `http://localhost:${(elsewhere.address() as AddressInfo).port}/x`
    answer = (_request, response) => response.writeHead(307, { location }).end()
    await expect(call()).rejects.toMatchObject({ slug: 'provider_unreachable', isPermanent: false })
    expect(keys).toEqual([])
    elsewhere.closeAllConnections()
    elsewhere.close()
  })

  test.each(calls)('%s never shows the key', async (_name, call) => {
    for (const status of [400, 403, 404, 429, 500]) {
      json({ error: { code: status, message: `Consumer 'api_key:${key}' has been suspended.` } }, status)
      const error = await call().catch((error: unknown) => error)
      expect(error).toBeInstanceOf(Error)
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(key)
    }
    json({ name: key, done: true, error: { code: 3, message: key }, promptFeedback: { blockReason: key } })
    const said = await call().catch((error: unknown) => error)
    if (said instanceof Error) expect(inspect(said, { depth: 9, showHidden: true })).not.toContain(key)
  })

  test.each([
    ['with an empty body that is called JSON', 503, '', 'provider_unavailable'],
    ['with a page that is called JSON', 429, '<html>', 'provider_busy'],
    ['with the status 200', 200, JSON.stringify({ error: { code: 429, message: 'Quota.' } }), 'provider_busy'],
    ['in a list with the status 200', 200, JSON.stringify([{ error: { code: 503 } }]), 'provider_unavailable'],
  ])('a refusal %s is retried as what it says', async (_what, status, body, slug) => {
    answer = (_request, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    for (const [, call] of calls) await expect(call()).rejects.toMatchObject({ slug, isPermanent: false })
  })

  test.each([
    ['in a list', (body: string) => `[${body}]`],
    ['after a byte order mark', (body: string) => `\ufeff${body}`],
  ])('a paid answer is used: %s', async (_what, wrap) => {
    text(wrap(JSON.stringify(part({ text: '{"a":"b"}' }))), 'application/json')
    expect((await asking.writeJson()).value).toEqual({ a: 'b' })
  })

  test('every request keeps the path of GEMINI_BASE_URL, as a gateway needs it', async () => {
    const paths: unknown[] = []
    answer = (request, response) => {
      paths.push(request.url)
      response.end(request.url?.endsWith('?alt=media') ? mp4 : '{"name":"models/m/operations/1"}')
    }
    for (const GEMINI_BASE_URL of [`${base}/gateway`, `${base}/gateway/`]) {
      const behind = createGemini({
        GEMINI_API_KEY: key,
        GEMINI_BASE_URL,
        GEMINI_VIDEO_POLL_SECONDS: 1,
        GEMINI_VIDEO_HOSTS: [],
        GEMINI_TIMEOUT_SECONDS: 60,
      })
      await behind.drawImage({ model: 'm', prompt: 'x', signal: never }).catch(() => {})
      const operation = await behind.startVideo({ model: 'm', prompt: 'x', signal: never })
      await behind.pollVideo({ operation, signal: never })
      // Gemini names its own host, which refuses a file without the key.
      const uri = 'https://generativelanguage.googleapis.com/v1beta/models/files/x:download?alt=media'
      expect((await behind.loadVideo({ uri, signal: never })).bytes).toEqual(mp4)
    }
    const expected = ['m:generateContent', 'm:predictLongRunning', 'm/operations/1', 'files/x:download?alt=media'].map(
      (path) => `/gateway/v1beta/models/${path}`,
    )
    expect(paths).toEqual([...expected, ...expected])
  })

  test('an invalid key is reported as a fault of the server, not of the prompt', async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }]
    json({ error: { code: 400, message: 'API key not valid.', details } }, 400)
    await expect(asking.writeJson()).rejects.toMatchObject({ slug: 'provider_key_refused', isPermanent: true })
  })

  test.each([
    [null],
    [{ promptTokenCount: 1.5 }],
    [{ promptTokenCount: -1, totalTokenCount: 1e300 }],
    [{ promptTokenCount: '7' }],
    [[]],
  ])('a paid answer is accepted with a usage of %j', async (usageMetadata) => {
    json(part({ text: '{"a":"b"}' }, { usageMetadata }))
    const { value, usage } = await asking.writeJson()
    expect(value).toEqual({ a: 'b' })
    expect(dramaUsage.parse(usage)).toEqual(usage)
  })

  test.each([
    ['no bytes', ''],
    ['a page', '<html></html>'],
    ['an SVG', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
    ['a video', 'mp4'],
  ])('refuses as an image: %s', async (_what, body) => {
    const data = (body === 'mp4' ? mp4 : Buffer.from(body)).toString('base64')
    json(part({ inlineData: { mimeType: 'image/png', data } }))
    await expect(asking.drawImage()).rejects.toMatchObject(unusable)
  })

  test.each([
    ['without padding', { inlineData: { data: makePng('x').toString('base64').replace(/=+$/, '') } }],
    ['in base64 for URLs', { inlineData: { data: makePng('x').toString('base64url') } }],
    [
      'in lines',
      {
        inlineData: {
          data: makePng('x')
            .toString('base64')
            .replace(/(.{76})/g, '$1\n'),
        },
      },
    ],
    ['as a data URL', { inlineData: { data: `data:image/png;base64,${makePng('x').toString('base64')}` } }],
    ['with another spelling', { inline_data: { mime_type: 'image/png', data: makePng('x').toString('base64') } }],
  ])('a paid image is used: %s', async (_what, drawn) => {
    const thought = { thought: true, inlineData: { mimeType: 'image/png', data: 'AAAA' } }
    json({ candidates: [{ content: { parts: [thought, { inlineData: { data: '' } }, drawn] }, finishReason: 'STOP' }] })
    expect((await asking.drawImage()).bytes.equals(makePng('x'))).toBe(true)
  })

  test('the bytes of an image decide its type', async () => {
    json(part({ inlineData: { mimeType: 'image/jpeg', data: makePng('x').toString('base64') } }))
    expect(await asking.drawImage()).toMatchObject({ mimeType: 'image/png' })
  })

  test.each([
    ['a page', '<html></html>', 'text/html'],
    ['a page that is called a video', '<html></html>', 'video/mp4'],
    ['nothing', '', 'video/mp4'],
  ])('refuses as a video: %s', async (_what, body, type) => {
    text(body, type)
    await expect(other.loadVideo({ uri: `${base}/v`, signal: never })).rejects.toMatchObject(unusable)
  })

  test('a video has an http URL and arrives whole', async () => {
    for (const uri of ['javascript:alert(1)', 'data:video/mp4;base64,AAAA', 'file:///etc/passwd', 'x']) {
      json({ name: 'x', done: true, response: { generateVideoResponse: { generatedSamples: [{ video: { uri } }] } } })
      await expect(asking.pollVideo(), uri).rejects.toMatchObject(unusable)
      await expect(other.loadVideo({ uri, signal: never }), uri).rejects.toMatchObject(unusable)
    }
    json({ name: 'x', done: true, response: { generatedSamples: [{ video: { uri: 'gs://bucket/x.mp4' } }] } })
    await expect(asking.pollVideo()).rejects.toMatchObject({ slug: 'video_host_refused', isPermanent: true })
    for (const status of [400, 416]) {
      json({ error: { code: status, message: 'No.' } }, status)
      await expect(other.loadVideo({ uri: `${base}/v`, signal: never })).rejects.toMatchObject(unusable)
    }
    answer = (_request, response) => response.writeHead(302, { location: 'data:video/mp4;base64,AAAA' }).end()
    await expect(other.loadVideo({ uri: `${base}/v`, signal: never })).rejects.toMatchObject(unusable)
    answer = (_request, response) => response.writeHead(206, { 'content-range': 'bytes 0-75/900' }).end(mp4)
    await expect(other.loadVideo({ uri: `${base}/v`, signal: never })).rejects.toMatchObject(unusable)
    // The server announces the length of what it has.
    answer = (_request, response) => response.end(mp4.subarray(0, 20))
    await expect(other.loadVideo({ uri: `${base}/v`, signal: never })).rejects.toMatchObject(unusable)
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': mp4.length + 1 }).write(mp4)
      setTimeout(() => response.destroy(), 50)
    }
    await expect(other.loadVideo({ uri: `${base}/v`, signal: never })).rejects.toMatchObject({
      slug: 'provider_unreachable',
    })
  })

  // One file per case: what Gemini sent to others, with placeholders for texts and names.
  const readCase = (name: string): unknown =>
    JSON.parse(readFileSync(new URL(`gemini_cases/${name}.json`, import.meta.url), 'utf8'))
  const scene = z.object({ text: z.string(), image_prompt: z.string(), video_prompt: z.string() })
  const writeScene = () => other.writeJson({ model, prompt: 'x', schema: scene, signal: never })
  const written = { text: 'a', image_prompt: 'b', video_prompt: 'c' }

  test.each(['200_code_fence', '200_trailing_fragment'])('case %s has a usable answer', async (name) => {
    json(readCase(name))
    expect((await writeScene()).value).toEqual(written)
  })

  test.each([
    ['text before', `Here is the {JSON}: ${JSON.stringify(written)}`],
    ['an echo of the schema before', `${JSON.stringify(z.toJSONSchema(scene))}\n${JSON.stringify(written)}`],
    ['an echo in one object with the answer', JSON.stringify({ schema: z.toJSONSchema(scene), answer: written })],
    ['a fence without a language', `\`\`\`\n${JSON.stringify(written)}\n\`\`\``],
    ['a list around it', JSON.stringify([written])],
    ['an unfinished first try before', `{"text":"a","image_pr\n${JSON.stringify(written)}`],
    ['an object before that does not fit', `{"text":1}${JSON.stringify(written)}{"text":2}`],
    ['brackets and quotes in its texts', JSON.stringify({ ...written, text: 'a } ] \\ " {' })],
  ])('an answer with %s is used', async (_what, body) => {
    json(part({ text: `${body}\n` }))
    expect((await writeScene()).value).toMatchObject({ image_prompt: 'b', video_prompt: 'c' })
  })

  test('the search in a long text full of brackets ends', async () => {
    // Without a bound this takes minutes.
    json(part({ text: '{"a":['.repeat(200_000) }))
    await expect(writeScene()).rejects.toMatchObject(unusable)
  })

  test('an answer in several parts, some of them thoughts, is read without the thoughts', async () => {
    const parts = [
      { text: '{"x":1}', thought: true },
      { text: '{"text":"a","image_prompt":"b",' },
      { text: '"video_prompt":"c"}' },
    ]
    json({ candidates: [{ content: { parts }, finishReason: 'STOP' }] })
    const { value, usage } = await writeScene()
    expect(value).toEqual(written)
    expect(usage).toEqual({ model, input_tokens: 0, output_tokens: 0 })
  })

  test.each([
    'NO_IMAGE',
    'IMAGE_OTHER',
    'OTHER',
    'LANGUAGE',
    'MALFORMED_RESPONSE',
    'MALFORMED_FUNCTION_CALL',
    'UNEXPECTED_TOOL_CALL',
    'FINISH_REASON_UNSPECIFIED',
    'SOMETHING_NEW',
  ])('the finish reason %s is retried, because it may be chance', async (finishReason) => {
    for (const content of [undefined, { role: 'model' }, { parts: [{ text: JSON.stringify(written) }] }]) {
      json({ candidates: [{ content, finishReason }] })
      await expect(writeScene()).rejects.toMatchObject(unusable)
      await expect(asking.drawImage()).rejects.toMatchObject(unusable)
    }
  })

  test.each([
    'SAFETY',
    'PROHIBITED_CONTENT',
    'BLOCKLIST',
    'SPII',
    'RECITATION',
    'IMAGE_SAFETY',
    'IMAGE_PROHIBITED_CONTENT',
    'IMAGE_RECITATION',
  ])('the finish reason %s is permanent, because it names a policy', async (finishReason) => {
    json({ candidates: [{ content: { parts: [{ text: JSON.stringify(written) }] }, finishReason }] })
    const refused = { slug: 'provider_refused', isPermanent: true }
    await expect(writeScene()).rejects.toMatchObject(refused)
    await expect(asking.drawImage()).rejects.toMatchObject(refused)
  })

  test.each([
    ['200_no_image', () => asking.drawImage(), unusable],
    ['200_loop_until_max_tokens', writeScene, { slug: 'answer_truncated', isPermanent: false }],
    ['veo_done_with_nothing', asking.pollVideo, { slug: 'video_failed', isPermanent: false, dropsState: true }],
  ])('case %s is retried', async (name, call, expected) => {
    json(readCase(name))
    await expect(call()).rejects.toMatchObject(expected)
  })

  test.each([
    ['cut off without a text', { candidates: [{ finishReason: 'MAX_TOKENS' }] }, 'answer_truncated'],
    ['STOP without parts', { candidates: [{ content: { role: 'model' }, finishReason: 'STOP' }] }, unusable.slug],
    ['thoughts alone', part({ text: '{"text":"a"}', thought: true }), unusable.slug],
    ['no candidate', { candidates: [], usageMetadata: {} }, unusable.slug],
  ])('an answer is retried: %s', async (_what, body, slug) => {
    json(body)
    await expect(writeScene()).rejects.toMatchObject({ slug, isPermanent: false })
    await expect(asking.drawImage()).rejects.toMatchObject({ slug, isPermanent: false })
  })

  /** Refuses the first `refusals` requests as the case says, and keeps the schema of each request. */
  const refuseSchemas = (refusals: number, refusal: unknown) => {
    const schemas: unknown[] = []
    answer = (request, response) => {
      const { responseJsonSchema } = JSON.parse(bodyOf(request)).generationConfig
      schemas.push(responseJsonSchema)
      const isRefused = schemas.length <= refusals
      response.writeHead(isRefused ? 400 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isRefused ? refusal : part({ text: JSON.stringify({ list: ['x', 'y'] }) })))
    }
    return schemas
  }
  const names = z.object({ list: z.array(z.enum(['x', 'y'])).length(2) })
  const list = (schema: z.ZodType = names) => other.writeJson({ model, prompt: 'x', schema, signal: never })

  test.each([
    ['case 400_too_many_states', readCase('400_too_many_states')],
    ['any text', { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'no' } }],
    ['a page', '<html>'],
  ])('after a 400 with %s the call is made once more with a looser schema', async (_what, refusal) => {
    const schemas = refuseSchemas(1, refusal)
    expect((await list()).value).toEqual({ list: ['x', 'y'] })
    expect(schemas).toEqual([
      expect.objectContaining({
        properties: { list: expect.objectContaining({ minItems: 2, items: { type: 'string', enum: ['x', 'y'] } }) },
      }),
      {
        type: 'object',
        properties: { list: { type: 'array', items: { type: 'string' } } },
        required: ['list'],
        additionalProperties: false,
      },
    ])
  })

  test('the answer to a looser schema is checked against the strict one', async () => {
    refuseSchemas(1, readCase('400_too_many_states'))
    await expect(list(z.object({ list: z.array(z.enum(['x'])).length(2) }))).rejects.toMatchObject(unusable)
  })

  test('a second 400 is permanent, and its message says how to ask for less', async () => {
    const schemas = refuseSchemas(9, readCase('400_too_many_states'))
    await expect(list()).rejects.toMatchObject({
      slug: 'provider_refused',
      isPermanent: true,
      message: expect.stringContaining('fewer scenes'),
    })
    expect(schemas).toHaveLength(2)
  })

  test('a 400 to an image has no schema to loosen', async () => {
    json(readCase('400_too_many_states'), 400)
    const failure = await asking.drawImage().catch((error: unknown) => error as StepError)
    expect(failure).toMatchObject({ slug: 'provider_refused', isPermanent: true })
    expect((failure as StepError).message).not.toContain('fewer scenes')
  })

  test.each(['writeJson', 'drawImage', 'startVideo'] as const)(
    '%s without any quota is permanent, and names the model',
    async (name) => {
      json(readCase('429_limit_is_zero'), 429)
      await expect(asking[name]()).rejects.toMatchObject({
        slug: 'provider_quota_missing',
        isPermanent: true,
        retryInMs: undefined,
        message: expect.stringContaining('gemini-3-pro'),
      })
    },
  )

  test.each([1, 2, 4, 8, 10, 13, 14])(
    'after the code %s of an operation another operation may succeed',
    async (code) => {
      json({ name: 'x', done: true, error: { code, message: 'Internal.' } })
      await expect(asking.pollVideo()).rejects.toMatchObject({
        slug: 'video_failed',
        isPermanent: false,
        dropsState: true,
      })
    },
  )

  test.each([3, 7, 9])('the code %s of an operation is permanent', async (code) => {
    json({ name: 'x', done: true, error: { code, message: 'Bad prompt.' } })
    await expect(asking.pollVideo()).rejects.toMatchObject({
      slug: 'provider_refused',
      isPermanent: true,
      dropsState: true,
    })
  })

  test.each([401, 429, 500, 503])('the operation goes on if a poll is answered with %d', async (status) => {
    json({ error: { code: status, message: 'No.' } }, status)
    await expect(asking.pollVideo()).rejects.toMatchObject({ dropsState: false })
  })

  test.each([403, 404, 410])('the operation is lost if a poll is answered with %d', async (status) => {
    json({ error: { code: status, message: 'No.' } }, status)
    await expect(asking.pollVideo()).rejects.toMatchObject({ slug: 'video_failed', dropsState: true })
  })

  test.each(calls)('%s rests until the day of Gemini ends if its quota is spent', async (_name, call) => {
    json(readCase('429_day_spent_but_47s'), 429)
    const error = (await call().catch((error: unknown) => error)) as StepError
    expect(error).toMatchObject({ slug: 'provider_day_spent', isPermanent: false, retryInMs: undefined })
    expect(error.dayEndsInMs).toBeGreaterThan(0)
    expect(error.dayEndsInMs).toBeLessThanOrEqual(25 * 3_600_000)
  })

  test.each([
    ['2026-11-27T09:00:00Z', '2026-11-28T08:00:00Z'],
    ['2026-11-28T07:59:59.500Z', '2026-11-28T08:00:00Z'],
    ['2026-11-28T08:00:00Z', '2026-11-29T08:00:00Z'],
    // The clocks go back, so the day has 25 hours; in spring it has 23.
    ['2026-11-01T07:00:00Z', '2026-11-02T08:00:00Z'],
    ['2026-11-01T10:00:00Z', '2026-11-02T08:00:00Z'],
    ['2026-03-08T08:00:00Z', '2026-03-09T07:00:00Z'],
    ['2026-07-01T06:59:00Z', '2026-07-01T07:00:00Z'],
  ])('the day of Gemini that has %s ends at %s', (now, end) => {
    expect(findDayEndInMs(Date.parse(now))).toBe(Date.parse(end) - Date.parse(now))
  })

  test('a video in the answer itself is used', async () => {
    const samples = [{ video: { encodedVideo: mp4.toString('base64'), encoding: 'video/mp4' } }]
    json({ name: 'x', done: true, response: { generateVideoResponse: { generatedSamples: samples } } })
    expect(await asking.pollVideo()).toEqual({ bytes: mp4, mimeType: 'video/mp4' })
  })

  test.each([
    ['no response', {}],
    ['null', { response: null, error: null }],
    ['no samples', { response: { generateVideoResponse: { generatedSamples: [] } } }],
    ['a sample without a video', { response: { generateVideoResponse: { generatedSamples: [{}] } } }],
    ['a video without a URI', { response: { generateVideoResponse: { generatedSamples: [{ video: {} }] } } }],
  ])('a finished operation without a video and a reason may be started again: %s', async (_what, more) => {
    json({ name: 'x', done: true, ...more })
    await expect(asking.pollVideo()).rejects.toMatchObject({
      slug: 'video_failed',
      isPermanent: false,
      dropsState: true,
    })
  })

  test.each([
    ['a reason', { raiMediaFilteredReasons: ['Faces of children.'] }, 'Faces of children.'],
    ['a count alone', { raiMediaFilteredCount: 1 }, 'filter'],
  ])('a filtered video is permanent: %s', async (_what, generateVideoResponse, said) => {
    json({ name: 'x', done: true, response: { generateVideoResponse } })
    await expect(asking.pollVideo()).rejects.toMatchObject({
      slug: 'provider_refused',
      isPermanent: true,
      dropsState: true,
      message: expect.stringContaining(said),
    })
  })

  test.each(calls)('%s is retried after a reset of the connection, before and in the answer', async (_name, call) => {
    answer = (request) => request.socket.resetAndDestroy()
    await expect(call()).rejects.toMatchObject({ slug: 'provider_unreachable', isPermanent: false })
    answer = (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 }).write('{"a"')
      setTimeout(() => request.socket.resetAndDestroy(), 20)
    }
    await expect(call()).rejects.toMatchObject({ slug: 'provider_unreachable', isPermanent: false })
  })
})
