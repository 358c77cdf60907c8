import { isUtf8 } from 'node:buffer'
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { drain } from '../../sidecar/drain.ts'

/** Where the local gateway sends requests, by the first part of their path. */
export type GatewayOptions = { port: number; postgrestPort: number; sidecarPort: number }

const agent = new Agent({ keepAlive: true })

/**
 * One URL for clients, as Supabase gives them: `/rest/v1` goes to PostgREST, `/api` to the sidecar, which speaks CORS
 * itself. For development: it adds what supabase-js expects of Supabase's own gateway, and sets `x-client-address`,
 * which clients cannot forge.
 */
export async function startGateway(options: GatewayOptions): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/'
    const isForSidecar = path === '/api' || path.startsWith('/api/') || path.startsWith('/api?')
    if (isForSidecar) {
      forward(incoming, outgoing, options.sidecarPort, path)
    } else if (incoming.method === 'OPTIONS') {
      cors(incoming, outgoing)
      outgoing.writeHead(204).end()
    } else if (!isUtf8(Buffer.from(incoming.rawHeaders.join(''), 'latin1'))) {
      // PostgREST answers 500 to it, and keeps the connection waiting.
      cors(incoming, outgoing)
      answer(outgoing, 400, 'request_invalid', 'A header is not UTF-8.', 'Send ASCII.')
    } else if (!isUtf8Escaped(path)) {
      cors(incoming, outgoing)
      answer(outgoing, 400, 'request_invalid', 'The URL is not UTF-8.', 'Escape it as encodeURIComponent does.')
    } else if (path === '/rest/v1' || path.startsWith('/rest/v1/') || path.startsWith('/rest/v1?')) {
      const rest = path.slice('/rest/v1'.length)
      const extra = corsHeaders(incoming)
      forward(incoming, outgoing, options.postgrestPort, rest.startsWith('/') ? rest : `/${rest}`, extra)
    } else {
      cors(incoming, outgoing)
      answer(
        outgoing,
        404,
        'route_not_found',
        `Nothing answers at ${path.split('?')[0]} of the local gateway.`,
        'Use /rest/v1 or /api; there is no Auth, Storage or Realtime server on this target.',
      )
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  return server
}

/** Whether what is escaped in a URL is UTF-8: to anything else PostgREST answers 500. */
function isUtf8Escaped(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  port: number,
  path: string,
  extra: Record<string, string> = {},
): void {
  const { connection: _hop, apikey, ...headers } = incoming.headers
  headers['x-client-address'] = incoming.socket.remoteAddress ?? ''
  if (apikey !== undefined && headers.authorization === undefined) headers.authorization = `Bearer ${apikey}`
  const upstream = request(
    { agent, host: '127.0.0.1', port, path, method: incoming.method, headers },
    async (response) => {
      const { connection: _hop, ...answered } = response.headers
      // Refused before all of it was sent; see drain.
      const isEarly = !incoming.complete
      outgoing.writeHead(response.statusCode ?? 502, { ...answered, ...extra, ...(isEarly && { connection: 'close' }) })
      try {
        await pipeline(response, outgoing, { end: false })
        if (isEarly) await drain(incoming)
        outgoing.end()
      } catch {
        outgoing.destroy()
      }
    },
  )
  upstream.on('error', () => {
    if (outgoing.headersSent) return
    cors(incoming, outgoing)
    answer(
      outgoing,
      502,
      'upstream_unavailable',
      'The service behind the local gateway does not answer.',
      'See the logs of the local stack.',
    )
  })
  outgoing.once('close', () => upstream.destroy())
  incoming.pipe(upstream)
}

function corsHeaders(incoming: IncomingMessage): Record<string, string> {
  return {
    'access-control-allow-origin': incoming.headers.origin ?? '*',
    'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
    'access-control-allow-headers': incoming.headers['access-control-request-headers'] ?? '*',
    'access-control-expose-headers': 'Content-Range,Content-Location,Location,Retry-After,ETag',
    'access-control-max-age': '3600',
  }
}

function cors(incoming: IncomingMessage, outgoing: ServerResponse): void {
  for (const [name, value] of Object.entries(corsHeaders(incoming))) outgoing.setHeader(name, value)
}

function answer(outgoing: ServerResponse, status: number, details: string, message: string, hint: string): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' })
  outgoing.end(JSON.stringify({ code: `PT${status}`, details, message, hint }))
}
