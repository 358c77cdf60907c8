import type { FastifyInstance } from 'fastify'
import { createPing, type Db } from '../worker/shared/db.ts'

/**
 * GET /api/health: 200 `{"status":"ok"}` if the database answers within 1 s and can be written, else 503
 * `{"status":"unavailable","reason"}`.
 */
export async function health(server: FastifyInstance, { db }: { db: Db }): Promise<void> {
  const ping = createPing(db, 'sidecar.ping')
  server.get('/api/health', { logLevel: 'warn' }, async (_request, reply) => {
    const reason = await ping()
    if (reason === undefined) return { status: 'ok' }
    return reply.code(503).send({ status: 'unavailable', reason })
  })
}
