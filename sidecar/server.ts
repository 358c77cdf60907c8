import { Readable } from 'node:stream'
import cors from '@fastify/cors'
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
import { countLeftOut, createLineLimit, type LineLimit } from '../worker/shared/limit_lines.ts'
import { type AssetOptions, assets } from './assets.ts'
import { drain } from './drain.ts'
import { health } from './health.ts'
import { paymobReturn } from './paymob/return.ts'
import { paymobWebhook } from './paymob/webhook.ts'
import { Refusal, refusal } from './problem.ts'

/** Everything that the routes of the sidecar need. */
export type ServerOptions = AssetOptions & {
  logger: Logger
  corsOrigins: string[]
  /** The secrets that Paymob may sign with. Without any, the routes of Paymob do not exist. */
  paymobSecrets?: string[]
  /** The page to which customers return from Paymob. */
  paymobReturnUrl?: string | undefined
  /** How long the body of a callback may take. */
  paymobBodyTimeoutMs?: number
}

declare module 'fastify' {
  /** The configuration that a route may have. */
  interface FastifyContextConfig {
    limitsLog?: true
  }
}

/** Builds the HTTP server of the sidecar. The caller makes it listen. */
export function buildServer({
  logger,
  corsOrigins,
  paymobSecrets = [],
  paymobReturnUrl: returnUrl,
  paymobBodyTimeoutMs: bodyTimeoutMs,
  ...options
}: ServerOptions): FastifyInstance {
  const limit = createLineLimit()
  const server = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new RequestLog(limit),
    // Longer than an upload may take. Ends requests that are answered while the client still sends.
    requestTimeout: options.uploadTimeoutMs + 30_000,
    frameworkErrors: (error, _request, reply) => (reply as FastifyReply).code(400).send(refusalFor(error).problem),
  })
  server.addHook('onClose', async () => limit.flush())
  server.register(cors, {
    origin: corsOrigins.includes('*') ? '*' : corsOrigins,
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: ['Retry-After'],
    maxAge: 3600,
    strictPreflight: false,
  })
  server.setNotFoundHandler((request, reply) =>
    refuse(
      request,
      reply,
      refusal(
        404,
        'route_not_found',
        `The sidecar has no route ${request.method} ${request.url.split('?')[0]}.`,
        'Upload files with POST /api/assets.',
      ),
    ),
  )
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const refused = refusalFor(error)
    const { status, problem } = refused
    if (status === 500) {
      limit(`failed ${String((error as Error | null | undefined)?.message ?? error).slice(0, 200)}`, (leftOut) =>
        request.log.error({ err: error ?? String(error), ...countLeftOut(leftOut) }, 'Request failed'),
      )
    } else if (status > 500) {
      limit(`refused ${problem.details}`, (leftOut) =>
        request.log.warn({ err: error, ...countLeftOut(leftOut) }, 'Request was refused'),
      )
    }
    return refuse(request, reply, refused)
  })
  server.register(health, { db: options.db })
  server.register(assets, options)
  if (paymobSecrets.length > 0) {
    server.register(paymobWebhook, { db: options.db, paymobSecrets, ...(bodyTimeoutMs && { bodyTimeoutMs }) })
    if (returnUrl !== undefined) server.register(paymobReturn, { paymobSecrets, returnUrl })
  }
  return server
}

/** Sends a refusal. If the client still sends, keeps the connection for a moment, because the client could not read it otherwise. */
function refuse({ raw }: FastifyRequest, reply: FastifyReply, { status, headers, problem }: Refusal): FastifyReply {
  reply.code(status).headers(headers)
  if (raw.complete || raw.destroyed) return reply.send(problem)
  const body = JSON.stringify(problem)
  async function* parts() {
    yield body
    await drain(raw)
  }
  return reply
    .headers({
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    })
    .send(Readable.from(parts(), { objectMode: false }))
}

/** Turns an error into a refusal. Clients may read Fastify's own messages for status 4xx, and of other errors nothing. */
function refusalFor(error: FastifyError | Refusal): Refusal {
  if (error instanceof Refusal) return error
  // A handler may throw null.
  const status = (error as FastifyError | null | undefined)?.statusCode ?? 500
  const hint = hints[status] ?? 'Correct the request.'
  if (status < 500) return refusal(status, slugs[status] ?? 'request_invalid', error.message, hint)
  return refusal(
    500,
    'internal_error',
    'The sidecar could not answer this request.',
    'Try again. If it fails again, tell the operator: the log of the sidecar has the reason.',
  )
}

const slugs: Record<number, string> = { 413: 'request_too_large', 415: 'media_type_unsupported' }
const hints: Record<number, string> = { 413: 'Send less at once.', 415: 'Correct the content type.' }

/**
 * Logs one line for each request, with the pattern of its route instead of the URL, because a query may hold a signature.
 * For requests of one route that are refused alike, it logs at most one line a second. A route with `limitsLog` has this
 * limit for accepted requests, too, because everybody can repeat its requests.
 */
class RequestLog extends LogController {
  readonly #limit: LineLimit

  constructor(limit: LineLimit) {
    super()
    this.#limit = limit
  }

  override incomingRequest(): void {}

  override requestCompleted(err: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const { method, routeOptions } = request
    const duration_ms = Math.round(reply.elapsedTime)
    const facts = { method, route: routeOptions.url, status: reply.statusCode, duration_ms }
    const write = (leftOut: number) => {
      if (err) reply.log.error({ ...facts, err, ...countLeftOut(leftOut) }, 'Answer was interrupted')
      else reply.log.info({ ...facts, ...countLeftOut(leftOut) }, 'Request was answered')
    }
    if (!err && reply.statusCode < 400 && !routeOptions.config.limitsLog) write(0)
    else this.#limit([err ? 'interrupted' : 'answered', method, facts.route, facts.status].join(' '), write)
  }

  override streamError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
    // A refused client may disconnect before the rest of its request is discarded. That is not an error.
    const isRefused = error.code === 'ERR_STREAM_PREMATURE_CLOSE' && reply.statusCode >= 400
    this.requestCompleted(isRefused ? undefined : error, request, reply)
  }
}
