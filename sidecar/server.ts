import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify'
import type { Logger } from 'pino'
import type { Db } from '../worker/deps.ts'
import { health } from './health.ts'

/** The body of every answer that is an error, in PostgREST's shape: `details` is the slug that clients switch on. */
type Problem = { code: string; details: string; message: string; hint: string | null }

/** The sidecar's HTTP server; it does not listen yet. */
export function buildServer({ db, logger }: { db: Db; logger: Logger }): FastifyInstance {
  const server = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new RequestLog(),
    frameworkErrors: (error, _request, reply) => (reply as FastifyReply).code(400).send(problemOf(error, 400)),
  })
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      code: 'PT404',
      details: 'route_not_found',
      message: `There is no ${request.method} ${request.url.split('?')[0]} here.`,
      hint: 'The sidecar serves only paths below /api.',
    } satisfies Problem),
  )
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) request.log.error({ err: error }, 'Request failed')
    return reply.code(status).send(problemOf(error, status))
  })
  server.register(health, { db })
  return server
}

/** Fastify's own refusals of a request are readable; anything else is ours, and none of the client's business. */
function problemOf(error: FastifyError, status: number): Problem {
  const code = `PT${status}`
  if (status < 500) return { code, details: slugs[status] ?? 'request_invalid', message: error.message, hint: null }
  return {
    code,
    details: 'internal_error',
    message: 'The sidecar could not answer this request.',
    hint: 'Try again; if it stays, see the log of the sidecar.',
  }
}

const slugs: Record<number, string> = { 413: 'request_too_large', 415: 'media_type_unsupported' }

/** One line for each request, with the pattern of its route: the query of its URL may be signed. */
class RequestLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(err: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const { method, routeOptions } = request
    const duration_ms = Math.round(reply.elapsedTime)
    const facts = { method, route: routeOptions.url, status: reply.statusCode, duration_ms }
    if (err) reply.log.error({ ...facts, err }, 'Answer was cut off')
    else reply.log.info(facts, 'Request was answered')
  }
}
