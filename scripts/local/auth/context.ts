import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { errors, type JWTPayload } from 'jose'
import { type LocalKeys, signUserJwt, verifyJwt } from '../keys.ts'
import { AuthError } from './errors.ts'
import type { Mailbox } from './mail.ts'
import type { Queue } from './queue.ts'
import type { Answer, Rules } from './rules.ts'

/** The parts that all routes share. */
export type Context = {
  keys: LocalKeys
  publicUrl: string
  rules: Rules
  /** Calls rules that hash a password: a few at a time. */
  hash(request: FastifyRequest, name: string, ...args: unknown[]): Promise<Answer>
  /** Writes the mails of an answer. */
  deliver(answer: Answer): Promise<Answer>
  /** Returns a session as clients get it, with its signed access token. */
  sign(answer: Answer): Promise<Session>
  /** Returns the claims of a request's token. */
  readClaims(request: FastifyRequest): Promise<JWTPayload>
}

/** A session as clients get it, with a signed access token. */
export type Session = {
  access_token: string
  token_type: 'bearer'
  expires_in: number
  expires_at: number
  refresh_token: string
  user: object
}

/** Makes the services that all routes share. */
export function createContext(parts: {
  keys: LocalKeys
  publicUrl: string
  rules: Rules
  queue: Queue
  mailbox: Mailbox
}): Context {
  const { keys, publicUrl, rules, queue, mailbox } = parts
  return {
    keys,
    publicUrl,
    rules,
    hash: (request, name, ...args) =>
      queue.run(
        () => request.raw.socket.destroyed,
        () => rules(name, ...args),
      ),
    async deliver(answer) {
      for (const mail of answer.mails ?? []) await mailbox.send(mail)
      return answer
    },
    async sign({ session }) {
      if (!session) throw new Error('The rules returned no session.')
      const { claims, expires_in, refresh_token, user } = session
      const iat = Math.floor(Date.now() / 1000)
      const exp = iat + expires_in
      const access_token = await signUserJwt({ iss: `${publicUrl}/auth/v1`, ...claims, iat, exp }, keys)
      return { access_token, token_type: 'bearer', expires_in, expires_at: exp, refresh_token, user }
    },
    async readClaims({ headers }) {
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
    },
  }
}

/** Returns the browser and the address of a client, which a session stores. */
export function clientOf({ headers, ip }: FastifyRequest): { user_agent: string | null; ip: string | null } {
  const address = headers['x-client-address'] ?? ip
  return {
    user_agent: headers['user-agent']?.slice(0, 500) ?? null,
    ip: typeof address === 'string' && isIP(address) ? address : null,
  }
}

/** Whether a URL is on this machine. The server redirects a browser with a token to no other machine. */
export function isLoopback(url: string | undefined): url is string {
  if (url === undefined || !URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return /^https?:$/.test(protocol) && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname)
}
