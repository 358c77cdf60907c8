import { mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpaces, type SpacesConfig, type Store } from '../../worker/shared/object_store.ts'
import { freePort } from '../local/ports.ts'
import { assetBucket, assetsUrl, spacesEnv, startObjectStore, templateBucket, templatesEnv } from '../local/services.ts'

/** The answer of a store that is asked too often. */
export const slowDown = readFileSync(
  join(import.meta.dirname, '../../worker/shared/cases/put_slow_down_503.xml'),
  'utf8',
)

/** A real S3 server of a test file. */
export type TestStore = {
  port: number
  /** The URL of its objects. */
  url: string
  /** Our own adapter on the bucket of assets, past any proxy in front of the server. */
  store: Store
  /** The same for the bucket of templates. */
  templates: Store
  /** Lists the keys of all assets. */
  keys(): Promise<string[]>
  /** Makes an object this many seconds old. */
  age(key: string, seconds: number): void
  stop(): Promise<void>
}

export async function startTestStore(): Promise<TestStore> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-store-'))
  const port = await freePort()
  const server = await startObjectStore(home, port, [templateBucket])
  const store = createSpaces(spacesConfig(port))
  const templates = createSpaces(spacesConfig(port, templateBucket))
  return {
    port,
    url: assetsUrl(port),
    store,
    templates,
    keys: async () => (await Array.fromAsync(store.list(''))).flat().map(({ key }) => key),
    age: (key, seconds) => {
      const then = Date.now() / 1000 - seconds
      utimesSync(join(home, 'objects', assetBucket, `${key}._S3rver_object`), then, then)
    },
    stop: async () => {
      store.close()
      templates.close()
      await server.stop('SIGTERM', 2000)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** The environment that lets a process use the templates of an S3 server on this port. */
export function testTemplatesEnv(port: number): Record<string, string> {
  const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }
  return templatesEnv({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', ...keys })
}

/** Returns the configuration of createSpaces for an S3 server on this port, with a short timeout. */
export function spacesConfig(port: number, bucket = assetBucket, timeoutSeconds = 60): SpacesConfig {
  const env = spacesEnv(port) as Pick<
    SpacesConfig,
    'SPACES_ENDPOINT' | 'SPACES_BUCKET' | 'SPACES_ACCESS_KEY_ID' | 'SPACES_SECRET_ACCESS_KEY'
  >
  return {
    ...env,
    SPACES_BUCKET: bucket,
    SPACES_REGION: 'us-east-1',
    SPACES_FORCE_PATH_STYLE: true,
    SPACES_ACL: 'public-read',
    SPACES_TIMEOUT_SECONDS: timeoutSeconds,
  }
}

/**
 * `refuse` accepts no connection, `reset` breaks it, `hang` never answers, `error` answers 500, `forbid` 403, `drop`
 * forwards the request and loses the answer, `hold` forwards it when `release` is called, `corrupt` changes a byte of the
 * answer, `truncate` breaks off in the middle of it.
 */
export type Fault = 'refuse' | 'reset' | 'hang' | 'error' | 'forbid' | 'drop' | 'hold' | 'corrupt' | 'truncate' | Answer

/** An answer in place of the store's. `isEarly`: before the request's body is read. */
export type Answer = { status: number; body?: string; headers?: Record<string, string>; isEarly?: boolean }

/** A proxy in front of an S3 server that fails on demand. */
export type FaultyStore = {
  port: number
  /** Makes the next `times` requests fail, or all; only those with this method, if one is named. */
  fail(fault: Fault, options?: { method?: 'PUT' | 'DELETE' | 'GET'; times?: number; key?: string }): void
  /** Answers requests beyond this many a second with 503 SlowDown, until `heal`. */
  limit(perSecond: number): void
  /** Ends all faults. */
  heal(): void
  /** Forwards the held requests. */
  release(): void
  /** Never forwards the held requests. */
  forget(): void
  /** Returns the headers of the last request with this method. */
  headers(method: string): Record<string, string | string[] | undefined>
  /** Counts the requests with this method. */
  requests(method: string): number
  /** Counts the failed requests with this method. */
  failures(method: string): number
  /** Resolves when a request has been held. */
  held(): Promise<void>
  stop(): void
}

export async function startFaultyStore(upstreamPort: number): Promise<FaultyStore> {
  let faults: { fault: Fault; method?: string; times: number; key?: string }[] = []
  let waiting: (() => void)[] = []
  let heldOne = Promise.withResolvers<void>()
  const failures: Record<string, number> = {}
  const requests: Record<string, number> = {}
  const headers: Record<string, IncomingMessage['headers']> = {}
  let rate: { perSecond: number; second: number; taken: number } | undefined

  function isOverRate(): boolean {
    if (rate === undefined) return false
    const second = Math.floor(performance.now() / 1000)
    if (second !== rate.second) rate = { ...rate, second, taken: 0 }
    rate.taken += 1
    return rate.taken > rate.perSecond
  }

  function answer(incoming: IncomingMessage, outgoing: ServerResponse, { status, body, headers, isEarly }: Answer) {
    const send = () => outgoing.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body)
    if (isEarly) send()
    else incoming.resume().once('end', send)
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, fault?: Fault): void {
    const { method, url: path, headers } = incoming
    const upstream = request({ host: '127.0.0.1', port: upstreamPort, method, path, headers }, (response) => {
      if (fault === 'drop') {
        response.resume().once('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(response.statusCode ?? 502, response.headers)
      if (fault === undefined) return void response.pipe(outgoing)
      response.toArray().then((chunks: Buffer[]) => {
        const body = Buffer.concat(chunks)
        if (fault === 'corrupt') {
          body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1
          outgoing.end(body)
        } else {
          outgoing.write(body.subarray(0, body.length >> 1), () => incoming.socket.destroy())
        }
      }, outgoing.destroy.bind(outgoing))
    })
    upstream.on('error', () => outgoing.destroy())
    incoming.on('close', () => !incoming.complete && upstream.destroy())
    incoming.pipe(upstream)
  }

  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '' } = incoming
    headers[method] = incoming.headers
    requests[method] = (requests[method] ?? 0) + 1
    const fits = (one: (typeof faults)[number]) =>
      one.times > 0 && (!one.method || one.method === method) && url.includes(one.key ?? '')
    const found = faults.find(fits)
    if (!found && isOverRate()) {
      failures[method] = (failures[method] ?? 0) + 1
      return answer(incoming, outgoing, { status: 503, body: slowDown })
    }
    if (!found) return forward(incoming, outgoing)
    found.times -= 1
    failures[method] = (failures[method] ?? 0) + 1
    if (typeof found.fault === 'object') return answer(incoming, outgoing, found.fault)
    switch (found.fault) {
      case 'reset':
        // In the middle of a body, if the request has one.
        return void setTimeout(() => incoming.socket.resetAndDestroy(), 20)
      case 'error':
      case 'forbid':
        return answer(incoming, outgoing, { status: found.fault === 'error' ? 500 : 403 })
      case 'drop':
        return forward(incoming, outgoing, 'drop')
      case 'corrupt':
      case 'truncate':
        return forward(incoming, outgoing, found.fault)
      case 'hold':
        waiting.push(() => forward(incoming, outgoing))
        heldOne.resolve()
        return
      default:
        incoming.resume()
    }
  })
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = server.address() as AddressInfo
  return {
    port,
    fail(fault, { method, times = Number.POSITIVE_INFINITY, key } = {}) {
      heldOne = Promise.withResolvers()
      if (fault !== 'refuse') faults.push({ fault, times, ...(method && { method }), ...(key && { key }) })
      else {
        server.close()
        server.closeAllConnections()
      }
    },
    limit(perSecond) {
      rate = { perSecond, second: 0, taken: 0 }
    },
    heal() {
      faults = []
      rate = undefined
      if (!server.listening) server.listen(port, '127.0.0.1')
    },
    release() {
      for (const go of waiting.splice(0)) go()
    },
    forget() {
      waiting = []
    },
    headers: (method) => headers[method] ?? {},
    requests: (method) => requests[method] ?? 0,
    failures: (method) => failures[method] ?? 0,
    held: () => heldOne.promise,
    stop() {
      waiting = []
      server.close()
      server.closeAllConnections()
    },
  }
}
