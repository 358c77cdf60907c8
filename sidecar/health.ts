import type { FastifyInstance } from 'fastify'
import { createPing, type Db } from '../worker/shared/db.ts'

/** GET /api/health: 200 `{"status":"ok"}` if the database answers within 1 s, else 503 `{"status":"unavailable"}`. */
export async function health(server: FastifyInstance, { db }: { db: Db }): Promise<void> {
  const ping = createPing(db, 'sidecar.ping')
  server.get('/api/health', { logLevel: 'warn' }, async (_request, reply) => {
    if (await ping()) return { status: 'ok' }
    return reply.code(503).send({ status: 'unavailable' })
  })
}
