import type { FastifyInstance } from 'fastify'
import { parseBody, userBody } from './bodies.ts'
import type { Context } from './context.ts'
import { AuthError } from './errors.ts'
import { requireChallenge } from './pkce.ts'
import { refused } from './unsupported.ts'

/** The routes of a signed-in user. */
export function addAccountRoutes(server: FastifyInstance, { rules, hash, deliver, readClaims }: Context): void {
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
}
