import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'

/**
 * Serves `GET /healthz`: 200 `{"status":"ok"}`, or 503 `{"status":"unavailable","reason"}` when `findTrouble` returns a
 * reason. Resolves when the server listens; rejects when the port is in use.
 */
export async function startHealth(options: {
  host: string
  port: number
  findTrouble(): Promise<string | undefined>
  logger: Logger
}): Promise<Server> {
  const server = createServer(async (request, response) => {
    const isHealth = request.method === 'GET' && request.url === '/healthz'
    const reason = isHealth ? await options.findTrouble() : 'Not found. Use GET /healthz.'
    const status = !isHealth ? 404 : reason === undefined ? 200 : 503
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(status === 200 ? { status: 'ok' } : { status: 'unavailable', reason }))
  })
  server.listen(options.port, options.host)
  await once(server, 'listening')
  options.logger.info(
    { host: options.host, port: (server.address() as AddressInfo).port },
    'Health endpoint was opened',
  )
  return server
}
