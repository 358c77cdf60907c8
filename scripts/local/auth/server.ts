import { isIP } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { errors, type JWTPayload } from 'jose'
import pg from 'pg'
import { type LocalKeys, publicJwks, signUserJwt, verifyJwt } from '../keys.ts'
import {
  adminBody,
  deleteBody,
  inviteBody,
  linkBody,
  otpBody,
  parseBody,
  passwordBody,
  recoverBody,
  refreshBody,
  resendBody,
  signUpBody,
  userBody,
  verifyBody,
} from './bodies.ts'
import { AuthError, apiVersion, errorBody } from './errors.ts'
import { openMailbox, readMails } from './mail.ts'
import { mailPageHeaders, renderMailPage } from './mail_page.ts'
import { createQueue } from './queue.ts'
import { type Answer, createRules } from './rules.ts'
import { type Refused, refused, settings } from './unsupported.ts'

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
  /** How many passwords are hashed at a time, and how many requests may wait for that. */
  hashesAtOnce?: number
  hashesWaiting?: number
}

export type AuthServer = { port: number; close(): Promise<void> }

/**
 * Serves the wire format of Supabase Auth (GoTrue), for development and tests. The rules are in SQL, in schema `local_auth`
 * of db/supabase_shim/auth. This server reads requests, signs access tokens, and writes mails.
 */
export async function startAuth(options: AuthOptions): Promise<AuthServer> {
  const { keys, publicUrl } = options
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: 5,
    connectionTimeoutMillis: 10_000,
    options: '-c statement_timeout=10s -c lock_timeout=5s',
    application_name: 'local-auth',
  })
  // An idle connection that breaks, such as when Postgres restarts, is replaced by the next request.
  pool.on('error', () => {})
  const rules = createRules(pool)
  const queue = createQueue(options.hashesAtOnce ?? 2, options.hashesWaiting ?? 1000)
  const mailbox = openMailbox(options.mailFolder, options.say)

  /** Calls rules that hash a password. */
  const hash = (request: FastifyRequest, name: string, ...args: unknown[]) =>
    queue.run(
      () => request.raw.socket.destroyed,
      () => rules(name, ...args),
    )
  const deliver = async (answer: Answer) => {
    for (const mail of answer.mails ?? []) await mailbox.send(mail)
    return answer
  }
  async function sign({ session }: Answer): Promise<object> {
    if (!session) throw new Error('The rules returned no session.')
    const { claims, expires_in, refresh_token, user } = session
    const iat = Math.floor(Date.now() / 1000)
    const exp = iat + expires_in
    const access_token = await signUserJwt({ iss: `${publicUrl}/auth/v1`, ...claims, iat, exp }, keys)
    return { access_token, token_type: 'bearer', expires_in, expires_at: exp, refresh_token, user }
  }
  async function readClaims({ headers }: FastifyRequest): Promise<JWTPayload> {
    const [, token] = /^bearer (\S+)$/i.exec(headers.authorization ?? '') ?? []
    if (token === undefined) {
      throw new AuthError(401, 'no_authorization', 'This endpoint requires a valid Bearer token')
    }
    try {
      return await verifyJwt(token, keys)
    } catch (error) {
      const reason =
        error instanceof errors.JWTExpired ? 'token has invalid claims: token is expired' : (error as Error).message
      throw new AuthError(403, 'bad_jwt', `invalid JWT: unable to parse or verify signature, ${reason}`)
    }
  }
  async function requireAdmin(request: FastifyRequest): Promise<void> {
    const { role } = await readClaims(request)
    if (role !== 'service_role' && role !== 'supabase_admin') {
      throw new AuthError(403, 'not_admin', 'User not allowed')
    }
  }

  const server = fastify({
    forceCloseConnections: true,
    bodyLimit: 1_048_576,
    requestTimeout: 30_000,
    routerOptions: { ignoreTrailingSlash: true },
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'string' }, async (_request: FastifyRequest, body: string | Buffer) => {
    if (body.length === 0) return undefined
    try {
      return JSON.parse(body.toString())
    } catch (error) {
      throw new AuthError(400, 'bad_json', `Could not parse request body as JSON: ${(error as Error).message}`)
    }
  })
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    if (request.headers['x-supabase-api-version']) reply.header('x-supabase-api-version', apiVersion)
  })
  server.setErrorHandler(async (error, request, reply) => {
    const refusal = asRefusal(error)
    if (refusal.status >= 500) options.say(`Auth failed at ${request.method} ${request.url.split('?')[0]}: ${error}`)
    if (refusal.status === 429) reply.header('retry-after', '60')
    reply.header('x-sb-error-code', refusal.code)
    return reply.code(refusal.status).send(errorBody(refusal, request.headers['x-supabase-api-version']))
  })
  server.setNotFoundHandler(async ({ url }) => {
    throw new AuthError(404, 'feature_disabled', `The local Auth server has no route ${url.split('?')[0]}.`)
  })
  addRefusals(server)

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
    return reply.headers(mailPageHeaders).send(renderMailPage(await readMails(options.mailFolder, 100)))
  })

  server.post('/signup', async (request) => {
    const params = parseBody(signUpBody, request.body)
    if (params.phone) throw refused.phone
    if (!params.email) throw refused.anonymous
    requireChallenge(params)
    return (await deliver(await hash(request, 'sign_up', params))).user
  })
  server.post<{ Querystring: { grant_type?: string } }>('/token', async (request) => {
    switch (request.query.grant_type) {
      case 'password': {
        const params = parseBody(passwordBody, request.body)
        if (params.phone) throw refused.phone
        return sign(await hash(request, 'sign_in', params, clientOf(request)))
      }
      case 'refresh_token':
        return sign(await rules('refresh', parseBody(refreshBody, request.body), clientOf(request)))
      case 'pkce':
        throw refused.pkce
      case 'id_token':
        throw refused.idToken
      case 'web3':
        throw refused.web3
      default:
        throw new AuthError(400, 'invalid_credentials', 'unsupported_grant_type')
    }
  })
  for (const path of ['/otp', '/magiclink']) {
    server.post(path, async (request) => {
      const params = parseBody(otpBody, request.body)
      if (params.phone) throw refused.phone
      requireChallenge(params)
      await deliver(await rules('send_otp', params))
      return {}
    })
  }
  server.post('/recover', async (request) => {
    const params = parseBody(recoverBody, request.body)
    requireChallenge(params)
    await deliver(await rules('recover', params))
    return {}
  })
  server.post('/resend', async (request) => {
    const params = parseBody(resendBody, request.body)
    if (params.phone) throw refused.phone
    requireChallenge(params)
    await deliver(await rules('resend', params))
    return {}
  })
  const verify = async (request: FastifyRequest, params: object) => {
    const answer = await rules('verify', params, clientOf(request))
    return answer.waits ? undefined : sign(answer)
  }
  server.post('/verify', async (request) => {
    const params = parseBody(verifyBody, request.body)
    if (params.phone) throw refused.phone
    return (await verify(request, params)) ?? { msg: waitsForOther, code: '200' }
  })
  // The link of generateLink, which a browser opens.
  server.get<{ Querystring: { token?: string; type?: string; redirect_to?: string } }>(
    '/verify',
    async (request, reply) => {
      const { token, type, redirect_to } = request.query
      const target = new URL(isLoopback(redirect_to) ? redirect_to : publicUrl)
      const fragment = await verify(request, { type, token_hash: token }).then(
        (session) =>
          session ? { ...(session as Record<string, string>), user: '', type } : { message: waitsForOther },
        (error) => {
          const { code, message } = asRefusal(error)
          return { error: 'access_denied', error_code: code, error_description: message }
        },
      )
      const entries = Object.entries(fragment).flatMap(([name, value]) => (value ? [[name, String(value)]] : []))
      target.hash = new URLSearchParams(Object.fromEntries(entries)).toString()
      return reply.redirect(target.href, 303)
    },
  )

  server.get('/user', async (request) => (await rules('get_user', await readClaims(request))).user)
  server.put('/user', async (request) => {
    const claims = await readClaims(request)
    const params = parseBody(userBody, request.body)
    if (params.phone) throw refused.phone
    requireChallenge(params)
    const update = params.password ? hash.bind(undefined, request) : rules
    return (await deliver(await update('update_user', claims, params))).user
  })
  server.get('/reauthenticate', async (request) => {
    await deliver(await rules('reauthenticate', await readClaims(request)))
    return {}
  })
  server.post<{ Querystring: { scope?: string } }>('/logout', async (request, reply) => {
    const claims = await readClaims(request)
    const scope = request.query.scope || 'global'
    if (!['global', 'local', 'others'].includes(scope)) {
      throw new AuthError(400, 'validation_failed', `Unsupported logout scope ${JSON.stringify(scope)}`)
    }
    await rules('sign_out', claims, scope)
    return reply.code(204).send()
  })

  server.register(async (admin) => {
    admin.addHook('onRequest', requireAdmin)
    admin.post('/invite', async (request) => {
      return (await deliver(await rules('invite', parseBody(inviteBody, request.body)))).user
    })
    admin.post<{ Querystring: { redirect_to?: string } }>('/admin/generate_link', async (request) => {
      const params = parseBody(linkBody, request.body)
      const answer = await (params.password ? hash(request, 'generate_link', params) : rules('generate_link', params))
      const { user, hashed_token = '', verification_type = '', email_otp } = answer
      const { redirect_to } = request.query
      const target = isLoopback(redirect_to) ? redirect_to : publicUrl
      const type = verification_type.startsWith('email_change') ? 'email_change' : verification_type
      const query = new URLSearchParams({ token: hashed_token, type, redirect_to: target })
      const action_link = `${publicUrl}/auth/v1/verify?${query}`
      return { ...user, action_link, email_otp, hashed_token, verification_type, redirect_to: target }
    })
    admin.get<{ Querystring: { page?: string; per_page?: string; filter?: string } }>(
      '/admin/users',
      async (request, reply) => {
        const page = readPage('page', request.query.page, 1)
        const perPage = Math.min(readPage('per_page', request.query.per_page, 50), 1000)
        const { users, total = 0 } = await rules('list_users', page, perPage, request.query.filter || null)
        const last = Math.ceil(total / perPage)
        const link = (number: number, rel: string) => `</admin/users?page=${number}&per_page=${perPage}>; rel="${rel}"`
        reply.header('x-total-count', total)
        reply.header('link', [...(last > page ? [link(page + 1, 'next')] : []), link(last, 'last')].join(', '))
        return { users, aud: 'authenticated' }
      },
    )
    admin.post('/admin/users', async (request) => {
      const params = parseBody(adminBody, request.body)
      if (params.phone) throw refused.phone
      const create = params.password ? hash.bind(undefined, request) : rules
      return (await create('create_user', params)).user
    })
    type ById = { Params: { id: string } }
    admin.get<ById>('/admin/users/:id', async ({ params }) => (await rules('admin_get_user', params.id)).user)
    admin.put<ById>('/admin/users/:id', async (request) => {
      const params = parseBody(adminBody, request.body)
      if (params.phone) throw refused.phone
      const update = params.password ? hash.bind(undefined, request) : rules
      return (await update('admin_update_user', request.params.id, params)).user
    })
    admin.delete<ById>('/admin/users/:id', async ({ params, body }) => {
      const { should_soft_delete } = parseBody(deleteBody, body ?? {})
      await rules('delete_user', params.id, should_soft_delete ?? false)
      return {}
    })
  })

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

const waitsForOther = 'Confirmation link accepted. Please proceed to confirm link sent to the other email'

/** Routes of Supabase Auth that the local server has not: each answers with the reason. */
function addRefusals(server: FastifyInstance): void {
  const refuse = (refusal: Refused) => async (request: FastifyRequest, reply: FastifyReply) => {
    // signInWithOAuth sends the browser here.
    if (request.method !== 'GET' || !request.headers.accept?.includes('text/html')) throw refusal
    return reply
      .code(refusal.status)
      .type('text/html; charset=utf-8')
      .send(`<!doctype html>
<meta charset="utf-8"><title>Not available locally</title><p>${refusal.message}</p>`)
  }
  server.all('/authorize', refuse(refused.oauth))
  server.all('/callback', refuse(refused.oauth))
  server.all('/sso', refuse(refused.sso))
  server.all('/sso/*', refuse(refused.sso))
  server.all('/user/identities/*', refuse(refused.linking))
  server.all('/factors', refuse(refused.mfa))
  server.all('/factors/*', refuse(refused.mfa))
}

type Challenge = { code_challenge?: string | null | undefined; code_challenge_method?: string | null | undefined }

/** With flowType 'pkce' clients send a challenge. It has no use here, because mails have codes and no links. */
function requireChallenge(params: Challenge): void {
  const { code_challenge: challenge, code_challenge_method: method } = params
  if (!challenge !== !method) {
    throw new AuthError(
      400,
      'validation_failed',
      'PKCE flow requires code_challenge_method and code_challenge to be specified',
    )
  }
  if (!challenge) return
  if (!/^[a-zA-Z._~0-9-]{43,128}$/.test(challenge)) {
    throw new AuthError(400, 'validation_failed', 'code challenge has to be between 43 and 128 characters')
  }
  if (!/^(s256|plain)$/i.test(method ?? '')) {
    throw new AuthError(400, 'validation_failed', 'invalid code challenge method')
  }
}

function clientOf({ headers, ip }: FastifyRequest): { user_agent: string | null; ip: string | null } {
  const address = headers['x-client-address'] ?? ip
  return {
    user_agent: headers['user-agent']?.slice(0, 500) ?? null,
    ip: typeof address === 'string' && isIP(address) ? address : null,
  }
}

/** Whether a URL is on this machine: a browser is sent nowhere else with a token. */
function isLoopback(url: string | undefined): url is string {
  if (url === undefined || !URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return /^https?:$/.test(protocol) && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname)
}

/** Whether a person on this machine asks. A name of another site, a header of a proxy, or a page's script tells otherwise. */
function isForThisMachine({ headers, hostname }: FastifyRequest): boolean {
  const passedOn = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'cf-connecting-ip', 'origin'].some(
    (name) => name in headers,
  )
  return isLoopback(`http://${hostname}`) && !passedOn
}

function readPage(name: string, value: string | undefined, missing: number): number {
  if (!value) return missing
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value)
  throw new AuthError(400, 'validation_failed', `Bad Pagination Parameters: ${name} must be a positive number`)
}

function asRefusal(error: unknown): AuthError {
  if (error instanceof AuthError) return error
  const { statusCode, message } = error as { statusCode?: number; message: string }
  if (statusCode === 413) return new AuthError(413, 'request_entity_too_large', 'Request body is larger than 1 MiB')
  if (statusCode !== undefined && statusCode < 500) return new AuthError(statusCode, 'validation_failed', message)
  return new AuthError(500, 'unexpected_failure', 'Unexpected failure, please check server logs for more information')
}
