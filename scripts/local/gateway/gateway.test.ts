import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { drain } from '../../../sidecar/drain.ts'
import { type LocalKeys, localKeys, makeKeySecrets } from '../keys.ts'
import { freePort } from '../ports.ts'
import { type Gateway, startGateway } from './gateway.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

// Servers that speak HTTP stand for PostgREST and the sidecar: each test says how they answer.
let gateway: Gateway
let url: string
let postgrest: { server: Server; port: number }
let sidecar: { server: Server; port: number }
let answer: Handler
let keys: LocalKeys

beforeAll(async () => {
  keys = await localKeys(makeKeySecrets('s'.repeat(32)))
})
beforeEach(async () => {
  answer = (_request, response) => response.end('{}')
  const listen = async () => {
    const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { server, port: (server.address() as AddressInfo).port }
  }
  ;[postgrest, sidecar] = await Promise.all([listen(), listen()])
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  gateway = await startGateway({ port, keys, postgrestPort: postgrest.port, sidecarPort: sidecar.port })
})
afterEach(async () => {
  await gateway.close()
  for (const { server } of [postgrest, sidecar]) {
    server.close()
    server.closeAllConnections()
  }
})

/** Answers with what arrived. */
const echo: Handler = async (request, response) => {
  const body = (await request.setEncoding('latin1').toArray()).join('')
  const { method, url, headers } = request
  const { port } = request.socket.address() as AddressInfo
  response.end(JSON.stringify({ method, url, headers, port, length: body.length }))
}
type Echo = { method: string; url: string; headers: Record<string, string>; port: number; length: number }
/** Sends a request with the publishable key. */
const call = (path: string, init: RequestInit = {}) =>
  fetch(`${url}${path}`, { ...init, headers: { apikey: keys.publishableKey, ...init.headers } })
const ask = async (path: string, init?: RequestInit) => (await call(path, init)).json() as Promise<Echo>

describe('a request', () => {
  beforeEach(() => {
    answer = echo
  })

  test('to /rest/v1 reaches PostgREST without the prefix, with its query as it was sent', async () => {
    const query = '?select=a,b(c)&id=eq.%22x%22&or=(a.eq.1,b.eq.2)&a=b+c&a='
    expect(await ask(`/rest/v1/flows${query}`)).toMatchObject({ url: `/flows${query}`, port: postgrest.port })
    expect((await ask('/rest/v1')).url).toBe('/')
    expect((await ask('/rest/v1/')).url).toBe('/')
    expect((await ask('/rest/v1?select=a')).url).toBe('/?select=a')
    expect((await ask('/rest/v1/rpc/share_flow', { method: 'POST' })).url).toBe('/rpc/share_flow')
  })

  test('to /api reaches the sidecar with the prefix', async () => {
    expect(await ask('/api/assets?x=1')).toMatchObject({ url: '/api/assets?x=1', port: sidecar.port })
  })

  test('has the address of its client, whatever the client claims', async () => {
    const { headers } = await ask('/rest/v1/flows', { headers: { 'x-client-address': '203.0.113.1' } })
    expect(headers['x-client-address']).toBe('127.0.0.1')
  })

  test('arrives whole, whatever its type and size', async () => {
    for (const type of [
      'text/plain',
      'application/json',
      'text/csv',
      'application/vnd.pgrst.object+json',
      'x/y; z=1',
    ]) {
      const body = 'x'.repeat(3 * 2 ** 20)
      const answered = await ask('/rest/v1/flows', { method: 'POST', body, headers: { 'content-type': type } })
      expect(answered).toMatchObject({ length: body.length, headers: { 'content-type': type } })
    }
    expect((await ask('/rest/v1/flows', { method: 'DELETE', body: 'abc' })).length).toBe(3)
  })

  test('by GET passes without the body that it should not have', async () => {
    const asked = request(`${url}/rest/v1/flows`, { headers: { apikey: keys.anonKey, 'content-length': 3 } })
    asked.end('abc')
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    expect(JSON.parse((await response.setEncoding('utf8').toArray()).join(''))).toMatchObject({ length: 0 })
  })
})

describe('CORS', () => {
  test('a preflight is answered for PostgREST, and forwarded to the sidecar', async () => {
    answer = (_request, response) => response.writeHead(405).end()
    const preflight = { method: 'OPTIONS', headers: { origin: 'http://app', 'access-control-request-headers': 'x-y' } }
    const answered = await fetch(`${url}/rest/v1/flows`, preflight)
    expect([answered.status, Object.fromEntries(answered.headers)]).toMatchObject([
      204,
      {
        'access-control-allow-origin': 'http://app',
        'access-control-allow-headers': 'x-y',
        'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
      },
    ])
    expect((await fetch(`${url}/api/assets`, preflight)).status).toBe(405)
  })

  test('an answer of PostgREST may be read by any page, and its own headers too; one of the sidecar is unchanged', async () => {
    answer = (_request, response) =>
      response.writeHead(206, { 'content-range': '0-1/7', 'access-control-allow-origin': 'http://other' }).end('[]')
    const rest = await call('/rest/v1/flows', { headers: { origin: 'http://app' } })
    expect(rest.status).toBe(206)
    expect(rest.headers.get('content-range')).toBe('0-1/7')
    expect(rest.headers.get('access-control-allow-origin')).toBe('http://app')
    expect(rest.headers.get('access-control-expose-headers')).toContain('Content-Range')
    const api = await fetch(`${url}/api/assets`, { headers: { origin: 'http://app' } })
    expect(api.headers.get('access-control-allow-origin')).toBe('http://other')
  })
})

const refusalOf = async (path: string, init?: RequestInit) => {
  const answered = await call(path, init)
  expect(answered.headers.get('access-control-allow-origin')).toBe('*')
  return [answered.status, ((await answered.json()) as { details: string }).details]
}

describe('refusals', () => {
  test.each([
    ['/auth/v1/token?grant_type=password', 'The local stack has no Auth server. Get a token with npm run token.'],
    ['/storage/v1/object/a', 'The local stack has no Storage server. Upload files with POST /api/assets.'],
    ['/realtime/v1/api/broadcast', 'The local stack has no Realtime server. Poll the rows instead.'],
    [
      '/functions/v1/process-image?a=b',
      "Plinth has no Edge Functions. Call a function of the database, such as supabase.rpc('process_image', {…}).",
    ],
    [
      '/graphql/v1',
      "Plinth has no GraphQL. Read tables with supabase.from('…').select(), and call functions with supabase.rpc().",
    ],
    ['/rest/v1/rest/v1/tools?select=id', 'Call createClient with the URL of the stack, without a path.'],
    ['/rest/v1/auth/v1/signup', 'Call createClient with the URL of the stack, without a path.'],
    ['/nothing/v1/hello?a=b', 'The local stack has no route /nothing/v1/hello.'],
  ])('the message for %s says what to do, because supabase-js hides hints', async (path, message) => {
    expect(await (await call(path)).json()).toMatchObject({ details: 'route_not_found', message })
  })

  test('a path of no service is a 404, and one that is not UTF-8 a 400', async () => {
    for (const path of ['/', '/auth/v1/token', '/rest/v2/flows', '/apis'])
      expect(await refusalOf(path)).toEqual([404, 'route_not_found'])
    expect(await (await call('/')).json()).toMatchObject({
      hint: 'Use /rest/v1, /auth/v1, /storage/v1, /api for uploads, or /mail for mails. The guide is in docs/guide.',
    })
    for (const path of ['/rest/v1/%ff', '/rest/v1/flows?a=%ff', '/rest/v1/%zz', '/%zz'])
      expect(await refusalOf(path)).toEqual([400, 'request_invalid'])
  })

  test('a service that does not answer is a 502, also to an upload, and the gateway goes on', async () => {
    answer = (incoming) => incoming.socket.destroy()
    const body = 'x'.repeat(2 ** 20)
    for (const path of ['/rest/v1/flows', '/api/assets']) {
      expect(await refusalOf(path)).toEqual([502, 'upstream_unavailable'])
      expect(await refusalOf(path, { method: 'POST', body })).toEqual([502, 'upstream_unavailable'])
    }
    postgrest.server.close()
    postgrest.server.closeAllConnections()
    expect(await refusalOf('/rest/v1/flows')).toEqual([502, 'upstream_unavailable'])
    answer = echo
    expect((await ask('/api/health')).port).toBe(sidecar.port)
  })

  test('a 503 of a service reaches the client at once, and is asked for once', async () => {
    let times = 0
    answer = (_request, response) => {
      times += 1
      response.writeHead(503, { 'retry-after': '5' }).end('{}')
    }
    expect((await fetch(`${url}/api/health`)).status).toBe(503)
    expect(times).toBe(1)
  })
})

describe('the limit of bodies to /rest/v1', () => {
  const limit = 6 * 2 ** 20
  const head = (method: string, path: string, ...headers: string[]) =>
    [
      `${method} ${path} HTTP/1.1`,
      'host: a',
      `apikey: ${keys.anonKey}`,
      'content-type: application/json',
      ...headers,
      '',
      '',
    ].join('\r\n')
  /** Sends bytes, and returns the answer as soon as its JSON is complete. */
  const send = async (...parts: (string | Buffer)[]) => {
    const client = connect(Number(new URL(url).port), '127.0.0.1')
    let text = ''
    const answered = new Promise((resolve) => {
      client.setEncoding('utf8').on('data', (data) => {
        text += data
        if (text.includes('}\r\n0\r\n') || text.endsWith('}')) resolve(text)
      })
    })
    for (const part of parts) client.write(part)
    await answered
    client.destroy()
    const slug = /"details":"(\w+)"/.exec(text)?.[1]
    return { status: Number(text.slice(9, 12)), slug, body: text.slice(text.indexOf('{')) }
  }
  const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`
  const tooLarge = { status: 413, slug: 'request_too_large' }

  test('a body that announces more than 6 MiB is refused before PostgREST gets a byte; 6 MiB pass', async () => {
    let requests = 0
    answer = (request, response) => {
      requests += 1
      return echo(request, response)
    }
    expect(await send(head('POST', '/rest/v1/flows', `content-length: ${limit + 1}`), '[')).toMatchObject(tooLarge)
    expect(await send(head('GET', '/rest/v1/flows', 'content-length: 300000000'), '[')).toMatchObject(tooLarge)
    expect(requests).toBe(0)
    expect(await ask('/rest/v1/flows', { method: 'POST', body: 'x'.repeat(limit) })).toMatchObject({ length: limit })
    expect(await refusalOf('/rest/v1/flows', { method: 'POST', body: 'x'.repeat(limit + 1) })).toEqual([
      413,
      'request_too_large',
    ])
  })

  test('a chunked body is counted, and refused beyond 6 MiB before PostgREST gets a byte, without waiting for its end', async () => {
    let requests = 0
    answer = () => {
      requests += 1
    }
    const parts = Array.from({ length: 7 }, () => chunk(2 ** 20))
    expect(await send(head('POST', '/rest/v1/flows', 'transfer-encoding: chunked'), ...parts)).toMatchObject(tooLarge)
    expect(requests).toBe(0)
  })

  test('a chunked body of at most 6 MiB arrives with its length', async () => {
    answer = echo
    const parts = [...Array.from({ length: 6 }, () => chunk(2 ** 20)), '0\r\n\r\n']
    const { status, body } = await send(
      head('POST', '/rest/v1/flows', 'transfer-encoding: chunked', 'connection: close'),
      ...parts,
    )
    expect([status, body]).toEqual([200, expect.stringContaining(`"length":${limit}`)])
    expect(body).toContain(`"content-length":"${limit}"`)
    expect(body).not.toContain('"transfer-encoding"')
  })

  test('JSON with more than 1,000 levels is refused before PostgREST gets a byte, chunked or not', async () => {
    let requests = 0
    answer = (request, response) => {
      requests += 1
      return echo(request, response)
    }
    const deep = `[{"a":"]}\\"]","b":${'['.repeat(999)}${']'.repeat(999)}}]`
    const tooDeep = { status: 400, slug: 'document_too_deep' }
    const length = `content-length: ${deep.length}`
    expect(await send(head('POST', '/rest/v1/flows', length), deep)).toMatchObject(tooDeep)
    const chunked = `${deep.length.toString(16)}\r\n${deep}\r\n0\r\n\r\n`
    expect(await send(head('POST', '/rest/v1/flows', 'transfer-encoding: chunked'), chunked)).toMatchObject(tooDeep)
    expect(requests).toBe(0)
  })

  test.each([
    ['1,000 levels', `[${'['.repeat(999)}1${']'.repeat(999)}]`],
    ['brackets in strings', `["${'['.repeat(3000)}\\"${'{'.repeat(3000)}\\\\",[]]`],
    ['many short lists', `[${'[],'.repeat(3000)}{}]`],
  ])('JSON with %s passes', async (_name, body) => {
    answer = echo
    const headers = { 'content-type': 'application/json' }
    expect(await ask('/rest/v1/flows', { method: 'POST', body, headers })).toMatchObject({ length: body.length })
  })

  test.each(['GET', 'DELETE', 'POST'])('an empty chunked body of %s passes as no body', async (method) => {
    answer = echo
    const { status, body } = await send(
      head(method, '/rest/v1/flows', 'transfer-encoding: chunked', 'connection: close'),
      '0\r\n\r\n',
    )
    expect([status, body]).toEqual([200, expect.stringContaining('"length":0')])
    expect(body).not.toContain('"transfer-encoding"')
    expect(body).not.toMatch(/"content-length":"[1-9]/)
  })

  test('forwards four large bodies of a client at a time; small bodies and other clients do not wait', async () => {
    const arrived: string[] = []
    const waiting: ServerResponse[] = []
    answer = async (request, response) => {
      arrived.push(request.url ?? '')
      for await (const _ of request);
      if (request.url?.startsWith('/large')) waiting.push(response)
      else response.end('{}')
    }
    const post = (path: string, bytes: number, localAddress = '127.0.0.1') =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { apikey: keys.anonKey, 'content-type': 'application/json', 'content-length': bytes }
        const posted = request(`${url}/rest/v1${path}`, { method: 'POST', headers, localAddress, agent: false })
        posted.once('response', (response) => response.resume().once('end', () => resolve(response.statusCode)))
        posted.once('error', reject).end('x'.repeat(bytes))
      })
    const count = (path: string) => arrived.filter((url) => url === path).length
    const large = Array.from({ length: 6 }, () => post('/large', 300_000))
    await expect.poll(() => waiting.length).toBe(4)
    expect(await post('/small', 200_000)).toBe(200)
    expect(await post('/other', 300_000, '127.0.0.2')).toBe(200)
    expect(count('/large')).toBe(4)
    for (let n = 0; n < 6; n++) {
      await expect.poll(() => waiting.length).toBeGreaterThan(0)
      waiting.shift()?.end('{}')
    }
    expect(await Promise.all(large)).toEqual(Array(6).fill(200))
  })

  test('gathers four chunked bodies of a client at a time; the others wait', async () => {
    let arrived = 0
    answer = async (request, response) => {
      arrived += 1
      for await (const _ of request);
      response.end('{}')
    }
    const open = () => {
      const headers = { apikey: keys.anonKey, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
      const posted = request(`${url}/rest/v1/flows`, { method: 'POST', headers, agent: false })
      posted.write('[')
      return { posted, done: once(posted, 'response').then(([response]) => response.resume().statusCode) }
    }
    const slow = Array.from({ length: 4 }, open)
    await expect.poll(() => slow.every(({ posted }) => posted.socket?.writableLength === 0)).toBe(true)
    // An answer to a later request tells that the gateway has the four.
    expect((await call('/rest/v1/flows', { method: 'POST', body: '{}' })).status).toBe(200)
    const fifth = open()
    fifth.posted.end(']')
    expect((await call('/rest/v1/flows', { method: 'POST', body: '{}' })).status).toBe(200)
    await sleep(100)
    expect(arrived).toBe(2)
    for (const { posted } of slow) posted.end(']')
    expect(await Promise.all([...slow, fifth].map(({ done }) => done))).toEqual(Array(5).fill(200))
  })

  test('a chunked upload to the sidecar arrives as it was sent, without a limit', async () => {
    answer = echo
    const { body } = await send(
      head('POST', '/api/assets', 'transfer-encoding: chunked', 'connection: close'),
      ...Array.from({ length: 7 }, () => chunk(2 ** 20)),
      '0\r\n\r\n',
    )
    expect(body).toContain(`"length":${7 * 2 ** 20}`)
    expect(body).toContain('"transfer-encoding":"chunked"')
  })
})

test('a client has six requests at PostgREST at a time; the others wait, and other clients do not', async () => {
  const waiting: ServerResponse[] = []
  answer = (request, response) => void (request.url === '/other' ? response.end('{}') : waiting.push(response))
  const headers = { apikey: keys.anonKey }
  const read = (path: string, localAddress = '127.0.0.1') =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${url}/rest/v1${path}`, { headers, localAddress, agent: false }).once('error', reject)
      asked.once('response', (response) => response.resume().once('end', () => resolve(response.statusCode)))
      asked.end()
    })
  const reads = Array.from({ length: 10 }, () => read('/plans'))
  await expect.poll(() => waiting.length).toBe(6)
  expect(await read('/other', '127.0.0.2')).toBe(200)
  expect(waiting.length).toBe(6)
  for (let n = 0; n < 10; n++) {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    waiting.shift()?.end('{}')
  }
  expect(await Promise.all(reads)).toEqual(Array(10).fill(200))
})

describe('a request that is not valid HTTP', () => {
  const send = async (text: string, port = Number(new URL(url).port)) => {
    const client = connect(port, '127.0.0.1')
    const parts = client.setEncoding('utf8').toArray()
    client.write(text)
    const answered = (await parts).join('')
    expect(answered).toContain('access-control-allow-origin: *\r\n')
    const { details, hint, code } = JSON.parse(answered.slice(answered.indexOf('{')))
    expect(hint).toMatch(/\.$/)
    return [Number(answered.slice(9, 12)), code, details]
  }

  test.each([
    ['both lengths', ['content-length: 5', 'transfer-encoding: chunked'], 400, 'request_invalid'],
    ['two lengths', ['content-length: 5', 'content-length: 6'], 400, 'request_invalid'],
    ['a coding that cannot be counted', ['transfer-encoding: gzip, chunked'], 400, 'request_invalid'],
    ['headers of 20 KB', [`x-a: ${'x'.repeat(20_000)}`], 431, 'headers_too_large'],
  ])('is refused with JSON: %s', async (_what, headers, status, slug) => {
    const head = ['POST /rest/v1/flows HTTP/1.1', 'host: a', 'connection: close', ...headers, '', ''].join('\r\n')
    expect(await send(`${head}2\r\n{}\r\n0\r\n\r\n`)).toEqual([status, `PT${status}`, slug])
  })

  test('a filter with 300 ids passes; one with 500 ids learns how many pass', async () => {
    const filterBy = (ids: number) =>
      fetch(`${url}/rest/v1/tasks?id=in.(${Array.from({ length: ids }, () => crypto.randomUUID())})`, {
        headers: { apikey: keys.anonKey, authorization: `Bearer ${'x'.repeat(1_500)}` },
      })
    expect((await filterBy(300)).status).not.toBe(431)
    const refused = await filterBy(500)
    expect(refused.status).toBe(431)
    expect(await refused.json()).toMatchObject({
      message: 'The URL and the headers have more than 16 KiB together.',
      hint: expect.stringContaining('.in() with at most 300 ids'),
    })
  })

  test('ends the connection if its headers come too slowly', async () => {
    const port = await freePort()
    const impatient = await startGateway({
      port,
      keys,
      postgrestPort: postgrest.port,
      sidecarPort: sidecar.port,
      headersTimeoutMs: 100,
    })
    expect(await send('GET /rest/v1/flows HTTP/1.1\r\nhost', port)).toEqual([408, 'PT408', 'request_timed_out'])
    const silent = connect(port, '127.0.0.1')
    silent.resume()
    await once(silent, 'close')
    await impatient.close()
  })
})

describe('streams', () => {
  test('an answer reaches the client piece by piece', async () => {
    const rest = Promise.withResolvers<void>()
    answer = async (_request, response) => {
      response.write('first')
      await rest.promise
      response.end('second')
    }
    const body = (await call('/rest/v1/flows')).body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await body?.read())?.value).toBe('first')
    rest.resolve()
    expect((await body?.read())?.value).toBe('second')
  })

  test('an upload reaches the service piece by piece, and when the client goes away, the service hears', async () => {
    const first = Promise.withResolvers<string>()
    const aborted = Promise.withResolvers<void>()
    answer = (incoming) => {
      incoming.setEncoding('utf8').once('data', first.resolve)
      incoming.once('error', () => aborted.resolve())
    }
    const client = connect(Number(new URL(url).port), '127.0.0.1')
    client.write('POST /api/assets HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nhello')
    expect(await first.promise).toBe('hello')
    client.destroy()
    await aborted.promise
  })

  test('an answer that comes before the end of an upload reaches its client', async () => {
    // Like the sidecar: the service answers, then discards what still arrives.
    answer = async (request, response) => {
      response.writeHead(413, { connection: 'close', 'content-length': 9 }).write('too large')
      await drain(request)
      response.end()
    }
    const client = connect(Number(new URL(url).port), '127.0.0.1')
    client.write('POST /api/assets HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 5000000\r\n\r\n')
    const closed = once(client, 'close')
    let text = ''
    client.on('data', (data) => {
      text += data
    })
    // Still sending, as a browser that does not read before it has sent everything.
    for (let sent = 0; sent < 50; sent++) {
      client.write('x'.repeat(100_000))
      await sleep(2)
    }
    await closed
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toContain('too large')
  })
})

test('a WebSocket passes in both directions', async () => {
  sidecar.server.on('upgrade', (incoming: IncomingMessage, socket) => {
    const key = `${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    const head = `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}`
    socket.write(`${head}\r\n\r\n`)
    // A text frame of a client is masked; one of a server, up to 125 bytes, is its length and its text.
    socket.on('data', (frame: Buffer) => {
      if (frame[0] !== 0x81) return socket.end()
      const text = frame.subarray(6).map((byte, index) => byte ^ (frame[2 + (index % 4)] ?? 0))
      socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]))
    })
  })
  const client = new WebSocket(`${url.replace('http', 'ws')}/api/socket`)
  await once(client, 'open')
  client.send('hello')
  const [message] = (await once(client, 'message')) as [MessageEvent]
  expect(message.data).toBe('hello')
  client.close()
  await once(client, 'close')
})

test('closing ends connections that are in use', async () => {
  const arrived = Promise.withResolvers<void>()
  answer = () => arrived.resolve()
  const failed = expect(call('/rest/v1/flows')).rejects.toThrow()
  await arrived.promise
  await gateway.close()
  await failed
})
