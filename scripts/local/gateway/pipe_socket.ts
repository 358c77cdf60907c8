import { connect, type Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'

/** The headers of a WebSocket's request that a service needs. */
const forwarded = [
  'host',
  'origin',
  'authorization',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
]

/**
 * Connects a client's WebSocket with a service byte by byte, which is cheaper than message by message. If the client does not
 * read, the service waits. Returns the socket of the client.
 */
export function pipeSocket(request: FastifyRequest, port: number, path: string): Socket {
  const { socket: client, headers } = request.raw
  const service = connect({ port, host: '127.0.0.1', noDelay: true })
  const lines = [
    `GET ${path} HTTP/1.1`,
    'connection: Upgrade',
    'upgrade: websocket',
    `x-client-address: ${request.ip}`,
    ...forwarded.flatMap((name) => (headers[name] === undefined ? [] : [`${name}: ${String(headers[name])}`])),
  ]
  service.write(`${lines.join('\r\n')}\r\n\r\n`)
  client.setNoDelay(true)
  client.setTimeout(0)
  service.pipe(client).pipe(service)
  for (const [one, other] of [
    [client, service],
    [service, client],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
  return client
}

/** Whether a request asks for a WebSocket. */
export function isUpgrade({ raw }: FastifyRequest): boolean {
  return raw.headers.upgrade?.toLowerCase() === 'websocket'
}
