import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'

/**
 * Serves `GET /healthz`: 200 `{"status":"ok"}`, or 503 `{"status":"unavailable","reason"}` with the sentence that
 * `findTrouble` gives. Resolves when it listens; rejects when the port is taken.
 */
export async function startHealth(options: {
  host: string
  port: number
  findTrouble(): Promise<string | undefined>
  logger: Logger
}): Promise<Server> {
  const server = createServer(async (request, response) => {
    const isHealth = request.method === 'GET' && request.url === '/healthz'
    const reason = isHealth ? await options.findTrouble() : 'Only GET /healthz is served here.'
    const status = !isHealth ? 404 : reason === undefined ? 200 : 503
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(status === 200 ? { status: 'ok' } : { status: 'unavailable', reason }))
  })
  server.listen(options.port, options.host)
  await once(server, 'listening')
  options.logger.info({ host: options.host, port: (server.address() as AddressInfo).port }, 'Health is served')
  return server
}
