import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  otpBody,
  parseBody,
  passwordBody,
  recoverBody,
  refreshBody,
  resendBody,
  signUpBody,
  verifyBody,
} from './bodies.ts'
import { type Context, clientOf, isLoopback, type Session } from './context.ts'
import { AuthError, asRefusal } from './errors.ts'
import { requireChallenge } from './pkce.ts'
import { refused } from './unsupported.ts'

const waitsForOther = 'Confirmation link accepted. Please proceed to confirm link sent to the other email'

/** The routes by which somebody becomes a signed-in user. */
export function addSignInRoutes(server: FastifyInstance, { rules, hash, deliver, sign, publicUrl }: Context): void {
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

  /** Returns undefined if a change of address waits for the code of the other address. */
  async function verify(request: FastifyRequest, params: object): Promise<Session | undefined> {
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
      const { token, type = '', redirect_to } = request.query
      const target = new URL(isLoopback(redirect_to) ? redirect_to : publicUrl)
      target.hash = await verify(request, { type, token_hash: token }).then(
        (session) => fragmentOf(session, type),
        (error) => {
          const { code, message } = asRefusal(error)
          return asFragment({ error: 'access_denied', error_code: code, error_description: message })
        },
      )
      return reply.redirect(target.href, 303)
    },
  )
}

function fragmentOf(session: Session | undefined, type: string): string {
  if (!session) return asFragment({ message: waitsForOther })
  const { user: _user, expires_at, expires_in, ...tokens } = session
  return asFragment({ ...tokens, expires_at: String(expires_at), expires_in: String(expires_in), type })
}

function asFragment(parameters: Record<string, string>): string {
  return new URLSearchParams(parameters).toString()
}
