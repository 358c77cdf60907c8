import type { IncomingMessage } from 'node:http'
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify'
import pg from 'pg'
import { type LocalKeys, publicJwks } from '../keys.ts'
import { addAccountRoutes } from './account_routes.ts'
import { addAdminRoutes } from './admin_routes.ts'
import { createContext, isLoopback } from './context.ts'
import { AuthError, apiVersion, asRefusal, errorBody } from './errors.ts'
import { openMailbox, readMails } from './mail.ts'
import { mailPageHeaders, renderMailPage } from './mail_page.ts'
import { createQueue } from './queue.ts'
import { createRules } from './rules.ts'
import { addSignInRoutes } from './sign_in_routes.ts'
import { addRefusals, settings } from './unsupported.ts'

export type AuthOptions = {
  port: number
  /** As role `supabase_auth_admin`. */
  databaseUrl: string
  keys: LocalKeys
  /** The gateway's URL, from which clients reach this server at `/auth/v1`. */
  publicUrl: string
  /** Each mail becomes a file in this folder. */
  mailFolder: string
  /** Writes a line to the log of `npm start`. */
  say(line: string): void
  /** How many passwords are hashed at a time, and how many requests may wait for a hash. */
  hashesAtOnce?: number
  hashesWaiting?: number
}

export type AuthServer = { port: number; close(): Promise<void> }

/**
 * Serves the wire format of Supabase Auth (GoTrue), for development and tests. The rules are in SQL, in schema `local_auth`
 * of db/supabase_shim/auth. This server reads requests, signs access tokens, and writes mails.
 */
export async function startAuth(options: AuthOptions): Promise<AuthServer> {
  const { keys, publicUrl, mailFolder, say } = options
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: 5,
    connectionTimeoutMillis: 10_000,
    options: '-c statement_timeout=10s -c lock_timeout=5s',
    application_name: 'local-auth',
  })
  // An idle connection that breaks, such as when Postgres restarts, is replaced by the next request.
  pool.on('error', () => {})
  const context = createContext({
    keys,
    publicUrl,
    rules: createRules(pool),
    queue: createQueue(options.hashesAtOnce ?? 2, options.hashesWaiting ?? 1000),
    mailbox: openMailbox(mailFolder, say),
  })

  const server = createServer(say)
  addOpenRoutes(server, { keys, mailFolder })
  addRefusals(server)
  addSignInRoutes(server, context)
  addAccountRoutes(server, context)
  server.register((admin) => addAdminRoutes(admin, context))
  await server.listen({ host: '127.0.0.1', port: options.port })
  const address = server.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    close: async () => {
      await server.close()
      await pool.end()
    },
  }
}

/** Creates a server that reads JSON, and answers errors as GoTrue does. */
function createServer(say: (line: string) => void): FastifyInstance {
  const server = fastify({
    forceCloseConnections: true,
    requestTimeout: 30_000,
    routerOptions: { ignoreTrailingSlash: true },
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', readJson)
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    if (request.headers['x-supabase-api-version']) reply.header('x-supabase-api-version', apiVersion)
  })
  server.setErrorHandler(async (error, request, reply) => {
    const refusal = asRefusal(error)
    if (refusal.status >= 500) say(`Auth failed at ${request.method} ${request.url.split('?')[0]}: ${error}`)
    if (refusal.status === 429) reply.header('retry-after', '60')
    reply.header('x-sb-error-code', refusal.code)
    return reply.code(refusal.status).send(errorBody(refusal, request.headers['x-supabase-api-version']))
  })
  server.setNotFoundHandler(async ({ url }) => {
    throw new AuthError(404, 'feature_disabled', `The local Auth server has no route ${url.split('?')[0]}.`)
  })
  return server
}

const maxBodyBytes = 1_048_576

/** Reads a body to its end, also one that is too large: if the server answered earlier, the gateway could not pass it on. */
async function readJson(_request: FastifyRequest, payload: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of payload as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= maxBodyBytes) chunks.push(chunk)
  }
  if (bytes > maxBodyBytes) {
    throw new AuthError(413, 'request_entity_too_large', 'Request body is larger than 1 MiB')
  }
  if (bytes === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch (error) {
    throw new AuthError(400, 'bad_json', `Could not parse request body as JSON: ${(error as Error).message}`)
  }
}

/** The routes that ask the database nothing. */
function addOpenRoutes(server: FastifyInstance, { keys, mailFolder }: Pick<AuthOptions, 'keys' | 'mailFolder'>): void {
  server.get('/health', async () => ({
    version: 'local',
    name: 'GoTrue',
    description: 'Plinth’s local Auth server, for development and tests',
  }))
  server.get('/settings', async () => settings)
  server.get('/.well-known/jwks.json', async () => publicJwks(keys))
  // The gateway serves this page at /mail.
  server.get('/mail', async (request, reply) => {
    if (!isForThisMachine(request)) throw new AuthError(403, 'no_authorization', 'Only this machine may read mails.')
    return reply.headers(mailPageHeaders).send(renderMailPage(await readMails(mailFolder, 100)))
  })
}

/** Whether a person on this machine asks: not a page of another site, a proxy, or the script of a page. */
function isForThisMachine({ headers, hostname }: FastifyRequest): boolean {
  const passedOn = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'cf-connecting-ip', 'origin']
  return isLoopback(`http://${hostname}`) && !passedOn.some((name) => name in headers)
}
