import { isUtf8 } from 'node:buffer'
import { type IncomingHttpHeaders, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { drain } from '../../sidecar/drain.ts'
import {
  BodyTooLarge,
  gatherBody,
  hasUnknownCoding,
  isAnnouncedTooLarge,
  isLarge,
  largeBodiesAtOnce,
} from './gateway_body.ts'
import { createSlots } from './gateway_slots.ts'

/** The ports of the local gateway and of the services behind it. */
export type GatewayOptions = {
  port: number
  postgrestPort: number
  sidecarPort: number
  /** The local servers for Auth and Storage, where they exist. */
  authPort?: number
  storagePort?: number
  /** How long a client may take to send the headers of a request. */
  headersTimeoutMs?: number
  /** How many requests of a client are forwarded to PostgREST at a time; the others wait. */
  requestsAtOnce?: number
}

export type Gateway = {
  /** Closes every connection, also those in use. */
  close(): Promise<void>
}

/**
 * Serves one URL for clients, like Supabase: `/rest/v1` goes to PostgREST, `/api` to the sidecar, which handles CORS itself.
 * For development: it does for supabase-js what Supabase's own gateway does, and what docs/operations.md requires of any
 * proxy. It sets `x-client-address`, which clients cannot forge. It refuses bodies over 6 MiB to `/rest/v1`, and forwards
 * few large bodies of a client at a time, because PostgREST parses a whole body before Postgres can refuse it. It forwards
 * WebSockets, and bodies as streams in both directions, except chunked bodies to `/rest/v1`.
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
    frameworkErrors: (_error, request, reply) => refuseUrl(request as FastifyRequest, reply as FastifyReply),
  })
  // The services parse bodies; the gateway does not. The sidecar also limits their size.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    if (isForSidecar(request) || payload.headers['transfer-encoding'] === undefined) return detach(payload)
    const body = await gatherBody(payload)
    return body && Readable.from([body])
  })

  server.addHook('onRequest', async (request, reply) => {
    if (isForSidecar(request)) return
    reply.headers(corsHeaders(request))
    if (request.method === 'OPTIONS') return reply.code(204).send()
    if (hasUnknownCoding(request.raw)) {
      return refuse(reply, 400, 'request_invalid', 'The transfer coding is not chunked.', 'Send Content-Length.')
    }
    if (isAnnouncedTooLarge(request.raw)) return refuseBody(reply)
    // PostgREST would answer 500 to bytes that are not UTF-8, and leave the connection hanging.
    if (!isUtf8(Buffer.from(request.raw.rawHeaders.join(''), 'latin1'))) {
      return refuse(reply, 400, 'request_invalid', 'A header is not UTF-8.', 'Send the header in ASCII.')
    }
    if (!isUtf8Escaped(request.url)) return refuseUrl(request, reply)
  })
  const limits = [
    { slots: createSlots(largeBodiesAtOnce), counts: (request: FastifyRequest) => isLarge(request.raw) },
    { slots: createSlots(options.requestsAtOnce ?? requestsAtOnce), counts: () => true },
  ]
  // Before the body is read.
  server.addHook('preParsing', async (request, reply) => {
    if (isForSidecar(request)) return
    for (const { slots, counts } of limits) {
      if (!counts(request)) continue
      const release = await slots.take(request.ip)
      if (reply.raw.destroyed) release()
      else reply.raw.once('close', release)
    }
  })
  const upstreams = [
    { prefix: '/rest/v1', rewritePrefix: '/', port: options.postgrestPort },
    { prefix: '/api', rewritePrefix: '/api', port: options.sidecarPort },
    ...(options.authPort ? [{ prefix: '/auth/v1', rewritePrefix: '/', port: options.authPort }] : []),
    ...(options.storagePort ? [{ prefix: '/storage/v1', rewritePrefix: '/', port: options.storagePort }] : []),
  ]
  const answered = new WeakSet<object>()
  for (const { prefix, rewritePrefix, port } of upstreams) {
    server.register(httpProxy, {
      upstream: `http://127.0.0.1:${port}`,
      prefix,
      rewritePrefix,
      websocket: true,
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
        rewriteRequestHeaders,
        rewriteHeaders: (headers, request) => ({
          ...withoutConnection(headers),
          ...(request && !isForSidecar(request) && corsHeaders(request)),
        }),
        onResponse: (request, reply, { stream }) => {
          answered.add(reply.raw)
          void reply.send(request.raw.complete ? stream : thenDrain(stream, request.raw, request.body as PassThrough))
        },
        onError: (reply) => {
          // The request failed after its answer began. If the answer is incomplete, its stream fails by itself.
          if (answered.has(reply.raw)) return
          reply.headers(corsHeaders(reply.request))
          refuse(
            reply as FastifyReply,
            502,
            'upstream_unavailable',
            'The service behind the local gateway does not answer.',
            'See the logs of the local stack.',
          )
        },
      },
    })
  }
  // The links of shares, because the local stack has no site that shows shares.
  server.get<{ Params: { page: string; id: string } }>(
    '/:page(^(?:flows|cards|sessions)$)/detail/:id',
    (request, reply) =>
      reply.redirect(`/rest/v1/rpc/get_shared_resource?share_id=${encodeURIComponent(request.params.id)}`),
  )
  server.setNotFoundHandler((request, reply) =>
    refuse(
      reply,
      404,
      'route_not_found',
      missing.find(([prefix]) => request.url.startsWith(prefix))?.[1] ??
        `The local stack has no route ${request.url.split('?')[0]}.`,
      'Use /rest/v1 for tables and functions, /api for uploads.',
    ),
  )
  server.setErrorHandler<FastifyError>((error, _request, reply) => {
    if (error instanceof BodyTooLarge) return refuseBody(reply)
    const status = error.statusCode ?? 500
    if (status === 415) return refuse(reply, 415, 'media_type_unsupported', error.message, 'Correct the content type.')
    if (status < 500) return refuse(reply, 400, 'request_invalid', error.message, 'Correct the request.')
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

/** Services of Supabase that the local stack lacks. The message has the next step, because supabase-js hides the hint. */
const missing: [prefix: string, message: string][] = [
  ['/auth/v1', 'The local stack has no Auth server. Get a token with npm run token.'],
  ['/storage/v1', 'The local stack has no Storage server. Upload files with POST /api/assets.'],
  ['/realtime/v1', 'The local stack has no Realtime server. Poll the rows instead.'],
]

/** Detaches an upload from its connection: if a service answers early and stops reading, the client stays connected. */
function detach(upload: IncomingMessage): PassThrough {
  const body = new PassThrough()
  body.on('error', () => {})
  upload.once('close', () => {
    if (!upload.complete) body.destroy(new Error('The client went away.'))
  })
  return upload.pipe(body)
}

/**
 * Sends an answer, then drains the rest of the request; see {@link drain}. Nothing more is forwarded, because a service
 * that has answered may close its connection, and a failed write there would end the answer, too.
 */
function thenDrain(answer: AsyncIterable<unknown> | string[], upload: Readable, forwarded?: PassThrough): Readable {
  upload.unpipe()
  async function* parts() {
    yield* answer
    forwarded?.destroy()
    await drain(upload)
  }
  return Readable.from(parts(), { objectMode: false })
}

function rewriteRequestHeaders(
  { method, ip }: Pick<FastifyRequest, 'method' | 'ip'>,
  sent: IncomingHttpHeaders,
): IncomingHttpHeaders {
  // The gateway itself has answered "100 Continue".
  const { apikey, expect: _expect, ...headers } = sent
  headers['x-client-address'] = ip
  if (apikey !== undefined && headers.authorization === undefined) headers.authorization = `Bearer ${apikey}`
  if (method === 'GET' || method === 'HEAD') {
    // A body of these methods is not forwarded.
    delete headers['content-length']
    delete headers['transfer-encoding']
  }
  return headers
}

/** Removes the headers that are only for one connection. */
function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _connection, 'keep-alive': _keepAlive, ...rest } = headers
  return rest
}

function isForSidecar({ url }: { url: string }): boolean {
  return /^\/api(?:[/?]|$)/.test(url)
}

function isUtf8Escaped(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

function corsHeaders({ headers }: { headers: IncomingHttpHeaders }): Record<string, string> {
  return {
    'access-control-allow-origin': headers.origin ?? '*',
    'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
    'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
    'access-control-expose-headers': 'Content-Range,Content-Location,Location,Retry-After,ETag',
    'access-control-max-age': '3600',
  }
}

/** Answers as gate.pre_request does. */
function refuseBody(reply: FastifyReply): FastifyReply {
  const message = 'The request body is larger than 6 MiB.'
  return refuse(reply, 413, 'request_too_large', message, 'Send at most 6 MiB in one request.')
}

/** Answers a client whose bytes are not a valid request, such as one with both Content-Length and Transfer-Encoding. */
function refuseUnreadable(error: Error & { code?: string; reason?: string }, socket: Socket): void {
  // Node's own field: the answer that this socket sends.
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: { headersSent: boolean } | null }
  if (socket.writable && error.code !== 'ECONNRESET' && !answer?.headersSent) {
    const reason = error.reason ?? error.message
    const [status, details, message, hint] = unreadable[error.code ?? ''] ?? [
      400,
      'request_invalid',
      `The request is not valid HTTP: ${reason}.`,
      /Content-Length|Transfer-Encoding/.test(reason) ? 'Send only Content-Length, once.' : 'Correct the request.',
    ]
    const body = JSON.stringify({ code: `PT${status}`, details, message, hint })
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'access-control-allow-origin: *',
      'connection: close',
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

/** Other answers than 400, by the code of Node's error. */
const unreadable: Record<string, [status: number, details: string, message: string, hint: string] | undefined> = {
  ERR_HTTP_REQUEST_TIMEOUT: [
    408,
    'request_timed_out',
    'The request did not arrive in time.',
    'Send the whole request at once.',
  ],
  HPE_HEADER_OVERFLOW: [
    431,
    'headers_too_large',
    'The headers have more than 16 KiB.',
    'Send shorter headers and a shorter URL.',
  ],
}

function refuseUrl(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers(corsHeaders(request))
  return refuse(reply, 400, 'request_invalid', 'The URL is not UTF-8.', 'Escape it as encodeURIComponent does.')
}

function refuse(reply: FastifyReply, status: number, details: string, message: string, hint: string): FastifyReply {
  const { raw, headers } = reply.request
  const body = JSON.stringify({ code: `PT${status}`, details, message, hint })
  reply.code(status).type('application/json; charset=utf-8').header('content-length', Buffer.byteLength(body))
  const isSending = !raw.complete && (Number(headers['content-length']) > 0 || 'transfer-encoding' in headers)
  return isSending ? reply.header('connection', 'close').send(thenDrain([body], raw)) : reply.send(body)
}
