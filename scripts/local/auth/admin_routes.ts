import type { FastifyInstance } from 'fastify'
import { adminBody, deleteBody, inviteBody, linkBody, parseBody } from './bodies.ts'
import { type Context, isLoopback } from './context.ts'
import { AuthError } from './errors.ts'
import { refused } from './unsupported.ts'

type ById = { Params: { id: string } }

/** The routes that need the service key. */
export async function addAdminRoutes(server: FastifyInstance, context: Context): Promise<void> {
  const { rules, hash, deliver, readClaims, publicUrl } = context
  server.addHook('onRequest', async (request) => {
    const { role } = await readClaims(request)
    if (role !== 'service_role' && role !== 'supabase_admin') {
      throw new AuthError(403, 'not_admin', 'User not allowed')
    }
  })

  server.post('/invite', async (request) => {
    return (await deliver(await rules('invite', parseBody(inviteBody, request.body)))).user
  })
  server.post<{ Querystring: { redirect_to?: string } }>('/admin/generate_link', async (request) => {
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

  server.get<{ Querystring: { page?: string; per_page?: string; filter?: string } }>(
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
  server.post('/admin/users', async (request) => {
    const params = parseBody(adminBody, request.body)
    if (params.phone) throw refused.phone
    const create = params.password ? hash.bind(undefined, request) : rules
    return (await create('create_user', params)).user
  })
  server.get<ById>('/admin/users/:id', async ({ params }) => (await rules('admin_get_user', params.id)).user)
  server.put<ById>('/admin/users/:id', async (request) => {
    const params = parseBody(adminBody, request.body)
    if (params.phone) throw refused.phone
    const update = params.password ? hash.bind(undefined, request) : rules
    return (await update('admin_update_user', request.params.id, params)).user
  })
  server.delete<ById>('/admin/users/:id', async ({ params, body }) => {
    const { should_soft_delete } = parseBody(deleteBody, body ?? {})
    await rules('delete_user', params.id, should_soft_delete ?? false)
    return {}
  })
}

function readPage(name: string, value: string | undefined, missing: number): number {
  if (!value) return missing
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value)
  throw new AuthError(400, 'validation_failed', `Bad Pagination Parameters: ${name} must be a positive number`)
}
