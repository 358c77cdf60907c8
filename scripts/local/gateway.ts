import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { drain } from '../../sidecar/drain.ts'

/** The ports of the local gateway and of the services behind it. */
export type GatewayOptions = { port: number; postgrestPort: number; sidecarPort: number }

export type Gateway = {
  /** Closes every connection, also those in use. */
  close(): Promise<void>
}

/**
 * Serves one URL for clients, like Supabase: `/rest/v1` goes to PostgREST, `/api` to the sidecar, which handles CORS itself.
 * For development: it does for supabase-js what Supabase's own gateway does, and sets `x-client-address`, which clients
 * cannot forge. Forwards bodies as streams in both directions, and WebSockets.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const server = fastify({
    forceCloseConnections: true,
    // The router cannot decode the URL.
    frameworkErrors: (_error, request, reply) => refuseUrl(request as FastifyRequest, reply as FastifyReply),
  })
  // The services parse bodies and limit their size; the gateway does neither.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', (_request, payload, done) => done(null, detach(payload)))

  server.addHook('onRequest', async (request, reply) => {
    if (isForSidecar(request)) return
    reply.headers(corsHeaders(request))
    if (request.method === 'OPTIONS') return reply.code(204).send()
    // PostgREST would answer 500 to bytes that are not UTF-8, and leave the connection hanging.
    if (!isUtf8(Buffer.from(request.raw.rawHeaders.join(''), 'latin1'))) {
      return refuse(reply, 400, 'request_invalid', 'A header is not UTF-8.', 'Send the header in ASCII.')
    }
    if (!isUtf8Escaped(request.url)) return refuseUrl(request, reply)
  })
  const upstreams = [
    { prefix: '/rest/v1', rewritePrefix: '/', port: options.postgrestPort },
    { prefix: '/api', rewritePrefix: '/api', port: options.sidecarPort },
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
    const status = error.statusCode ?? 500
    if (status === 415) return refuse(reply, 415, 'media_type_unsupported', error.message, 'Correct the content type.')
    if (status < 500) return refuse(reply, 400, 'request_invalid', error.message, 'Correct the request.')
    throw error
  })
  await server.listen({ host: '127.0.0.1', port: options.port })
  return { close: () => server.close() }
}

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
