import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type PassThrough, Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import {
  type FastifyContextConfig,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify'
import type { LocalKeys } from '../keys.ts'
import { BodyTooLarge, gatherBody, hasUnknownCoding, isAnnouncedTooLarge, isLarge, largeBodiesAtOnce } from './body.ts'
import { createKeyCheck } from './client_keys.ts'
import { corsHeaders } from './cors.ts'
import { JsonTooDeep, mayBeTooDeep, requireDepth } from './depth.ts'
import { isUpgrade, pipeSocket } from './pipe_socket.ts'
import { invalid, notUtf8, type Refusal, refuse, refuseBody, refuseUnreadable, tooDeep } from './refusals.ts'
import { serveSharePages } from './share_page.ts'
import { createSlots } from './slots.ts'
import { detach, thenDrain } from './streams.ts'
import { listUpstreams, type Upstream, type UpstreamPorts } from './upstreams.ts'

/** The ports of the local gateway and of the services behind it, and the keys that clients may have. */
export type GatewayOptions = UpstreamPorts & {
  port: number
  keys: LocalKeys
  /** The URL at which browsers load assets, for the pages of shares. */
  assetsUrl?: string
  /** How long a client may take to send the headers of a request. */
  headersTimeoutMs?: number
  /** How many requests of a client are forwarded to PostgREST at a time; the others wait. */
  requestsAtOnce?: number
}

export type Gateway = {
  /** Closes every connection, also those in use. */
  close(): Promise<void>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    upstream?: Upstream
    /** A page for people: no page of another origin may read it. */
    isPage?: boolean
    /** Requests count against the limits of {@link startGateway}. */
    hasLimits?: boolean
  }
}

/**
 * Serves one URL for clients, like Supabase: upstreams.ts lists the services. For development: it does for supabase-js what
 * Supabase's own gateway does, and what docs/operations.md requires of any proxy. It checks the keys of clients. It sets
 * `x-client-address`, which clients cannot forge. It refuses bodies over 6 MiB to `/rest/v1`, and forwards few large bodies
 * of a client at a time, because PostgREST parses a whole body before Postgres can refuse it. It forwards WebSockets, and
 * bodies as streams in both directions, except to `/rest/v1` chunked bodies and JSON whose levels it counts.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const server = fastify({
    forceCloseConnections: true,
    // Slow clients cannot keep connections: a request has 20 s for its headers. The whole request has a minute more than
    // the sidecar allows an upload, so that the gateway does not end an upload.
    requestTimeout: 1_860_000,
    http: { headersTimeout: options.headersTimeoutMs ?? 20_000, connectionsCheckingInterval: 1000 },
    clientErrorHandler: refuseUnreadable,
    // The router cannot decode the URL.
    frameworkErrors: (_error, request, reply) => refuse((reply as FastifyReply).headers(corsHeaders(request)), notUtf8),
  })
  // The services parse bodies; the gateway does not. The sidecar and Storage also limit their size.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    if (!hasLimits(request)) return detach(payload)
    const { 'transfer-encoding': coding, 'content-length': length, 'content-type': type = 'json' } = payload.headers
    const isChecked = type.includes('json') && mayBeTooDeep(Number(length))
    if (coding === undefined && !isChecked) return detach(payload)
    const body = await gatherBody(payload)
    if (body && isChecked) requireDepth(body)
    return body && Readable.from([body])
  })

  const checkKey = createKeyCheck(options.keys)
  server.addHook('onRequest', async (request, reply) => {
    const { upstream, isPage } = request.routeOptions.config
    if (!upstream?.handlesCors) {
      if (!isPage) reply.headers(corsHeaders(request))
      if (request.method === 'OPTIONS') return reply.code(204).send()
      if (hasUnknownCoding(request.raw)) {
        return refuse(reply, invalid('The transfer coding is not chunked.', 'Send Content-Length.'))
      }
      // PostgREST would answer 500 to bytes that are not UTF-8, and leave the connection hanging.
      if (!isUtf8(Buffer.from(request.raw.rawHeaders.join(''), 'latin1'))) {
        return refuse(reply, invalid('A header is not UTF-8.', 'Send the header in ASCII.'))
      }
      if (!isUtf8Escaped(request.url)) return refuse(reply, notUtf8)
    }
    if (!upstream) return
    if (hasTwoPrefixes(request))
      return refuseRoute(reply, 'Call createClient with the URL of the stack, without a path.')
    if (upstream.isForThisMachine && !isLoopback(request.hostname)) return refuse(reply, notLocal)
    const refusal = await checkKey(request.raw, !isOpen(upstream, request))
    if (refusal) return refuse(reply.headers(corsHeaders(request)), refusal)
    if (hasLimits(request) && isAnnouncedTooLarge(request.raw)) return refuseBody(reply)
  })
  const limits = [
    { slots: createSlots(largeBodiesAtOnce), counts: (request: FastifyRequest) => isLarge(request.raw) },
    { slots: createSlots(options.requestsAtOnce ?? requestsAtOnce), counts: () => true },
  ]
  // Before the body is read.
  server.addHook('preParsing', async (request, reply) => {
    if (!hasLimits(request)) return
    for (const { slots, counts } of limits) {
      if (!counts(request)) continue
      const release = await slots.take(request.ip)
      if (reply.raw.destroyed) release()
      else reply.raw.once('close', release)
    }
  })
  for (const upstream of listUpstreams(options)) {
    if (upstream.port === undefined) refuseMissing(server, upstream)
    else registerProxy(server, upstream)
    if (upstream.socketPath !== undefined) registerSocket(server, upstream)
  }
  const { postgrestPort, assetsUrl } = options
  serveSharePages(server, { postgrestPort, anonKey: options.keys.anonKey, assetsUrl })
  server.setNotFoundHandler((request, reply) => refuseRoute(reply, `The local stack has no route ${pathOf(request)}.`))
  server.setErrorHandler<FastifyError>((error, _request, reply) => {
    if (error instanceof BodyTooLarge) return refuseBody(reply)
    if (error instanceof JsonTooDeep) return refuse(reply, tooDeep)
    const status = error.statusCode ?? 500
    if (status === 415) {
      const hint = 'Correct the content type.'
      return refuse(reply, { status, details: 'media_type_unsupported', message: error.message, hint })
    }
    if (status < 500) return refuse(reply, invalid(error.message))
    throw error
  })
  await server.listen({ host: '127.0.0.1', port: options.port })
  return { close: () => server.close() }
}

/**
 * How many requests of a client the gateway forwards to PostgREST at a time; the others wait here. Postgres accepts six of
 * a caller. A refusal needs one of the ten connections of PostgREST, and a client that repeats refused requests without a
 * pause would take a processor.
 */
const requestsAtOnce = 6

/** The configuration of the routes of a service. */
function configOf(upstream: Upstream): FastifyContextConfig {
  const { isPage = false, hasLimits = false } = upstream
  return { upstream, isPage, hasLimits }
}

function registerProxy(server: FastifyInstance, upstream: Upstream): void {
  const { prefix, rewritePrefix, port } = upstream
  const answered = new WeakSet<object>()
  server.register(httpProxy, {
    upstream: `http://127.0.0.1:${port}`,
    prefix,
    rewritePrefix,
    config: configOf(upstream),
    websocket: true,
    // The types of http-proxy do not know this option.
    wsClientOptions: { rewriteRequestHeaders: headersOfSocket } as object,
    // Without a slash the path would be empty, and http-proxy would keep the prefix.
    preRewrite: (url) => (url.startsWith(`${prefix}?`) ? url.replace('?', '/?') : url),
    proxyPayloads: false,
    internalRewriteLocationHeader: false,
    disableRequestLogging: true,
    destroyAgent: true,
    http: {},
    replyOptions: {
      // The services limit the time of each request themselves.
      timeout: 0,
      // By default http-proxy repeats a GET up to ten times if the answer is a 503.
      retryDelay: () => null,
      rewriteRequestHeaders: (request, headers) => rewriteRequestHeaders(request as FastifyRequest, headers),
      rewriteHeaders: (headers, request) => ({
        ...withoutConnection(headers),
        ...(request && !upstream.handlesCors && !upstream.isPage && corsHeaders(request)),
      }),
      onResponse: (request, reply, { stream }) => {
        answered.add(reply.raw)
        void reply.send(request.raw.complete ? stream : thenDrain(stream, request.raw, request.body as PassThrough))
      },
      onError: (reply) => {
        // The request failed after its answer began. If the answer is incomplete, its stream fails by itself.
        if (answered.has(reply.raw)) return
        if (!upstream.isPage) reply.headers(corsHeaders(reply.request))
        refuse(reply as FastifyReply, {
          status: 502,
          details: 'upstream_unavailable',
          message: 'The service behind the local gateway does not answer.',
          hint: 'See the logs of the local stack.',
        })
      },
    },
  })
}

/** Forwards the WebSockets of a service byte by byte. */
function registerSocket(server: FastifyInstance, upstream: Upstream): void {
  const { prefix, port, socketPath = '' } = upstream
  if (port === undefined) return
  const sockets = new Set<Socket>()
  server.get(`${prefix}${socketPath}`, { config: configOf(upstream) }, (request, reply) => {
    if (!isUpgrade(request)) {
      const hint = 'Connect with supabase.channel, or with the header "upgrade: websocket".'
      return refuse(reply, { status: 426, details: 'upgrade_missing', message: 'This route is a WebSocket.', hint })
    }
    reply.hijack()
    const socket = pipeSocket(request, port, request.url.slice(prefix.length))
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.addHook('preClose', async () => {
    for (const socket of sockets) socket.destroy()
  })
}

function refuseMissing(server: FastifyInstance, upstream: Upstream): void {
  for (const url of [upstream.prefix, `${upstream.prefix}/*`])
    server.all(url, { config: configOf(upstream) }, (_request, reply) => refuseRoute(reply, upstream.missing))
}

function refuseRoute(reply: FastifyReply, message: string): FastifyReply {
  const hint = 'Use /rest/v1, /auth/v1, /storage/v1, /api for uploads, or /mail for mails. The guide is in docs/guide.'
  return refuse(reply, { status: 404, details: 'route_not_found', message, hint })
}

function rewriteRequestHeaders(
  { method, ip, host, routeOptions }: FastifyRequest,
  sent: IncomingHttpHeaders,
): IncomingHttpHeaders {
  // The gateway itself has answered "100 Continue".
  const { expect: _expect, ...headers } = sent
  headers['x-client-address'] = ip
  const { upstream } = routeOptions.config
  if (upstream?.getsClientUrl) {
    headers['x-forwarded-host'] = host
    headers['x-forwarded-proto'] = 'http'
    headers['x-forwarded-prefix'] = upstream.prefix
  }
  if (method === 'GET' || method === 'HEAD') {
    // A body of these methods is not forwarded.
    delete headers['content-length']
    delete headers['transfer-encoding']
  }
  return headers
}

/** The headers with which a WebSocket is forwarded. */
function headersOfSocket(headers: IncomingHttpHeaders, request: FastifyRequest): IncomingHttpHeaders {
  const { authorization, cookie, origin } = request.headers
  return {
    ...headers,
    'x-client-address': request.ip,
    ...(authorization !== undefined && { authorization }),
    ...(cookie !== undefined && { cookie }),
    ...(origin !== undefined && { origin }),
  }
}

/** Removes the headers that are only for one connection. */
function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _connection, 'keep-alive': _keepAlive, ...rest } = headers
  return rest
}

function hasLimits(request: FastifyRequest): boolean {
  return request.routeOptions.config.hasLimits === true
}

/** A path that is not written like its prefix is not open. */
function isOpen({ prefix, isOpen }: Upstream, { method, url }: FastifyRequest): boolean {
  const [path = '', query] = url.split('?', 2)
  return isOpen(method, path.startsWith(prefix) ? path.slice(prefix.length) : '', new URLSearchParams(query))
}

/** Names under which a browser reaches this machine. A page of a stranger whose name leads here has another. */
function isLoopback(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname) || hostname.endsWith('.localhost')
}

const notLocal: Refusal = {
  status: 403,
  details: 'host_unknown',
  message: 'This page is only for the machine on which the stack runs.',
  hint: 'Open the page at http://127.0.0.1, with the port of the stack.',
}

/** supabase-js adds the path of each service to its URL, so a URL that has one already, such as `…/rest/v1`, has two. */
function hasTwoPrefixes({ url }: FastifyRequest): boolean {
  return /^\/(rest|auth|storage)\/v1\/+(rest|auth|storage|functions)\/v1\//.test(url)
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?')[0] ?? ''
}

function isUtf8Escaped(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}
