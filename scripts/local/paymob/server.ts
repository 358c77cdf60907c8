import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { z } from 'zod'
import { escapeHtml } from '../escape_html.ts'
import {
  makeTransaction,
  nextId,
  type PaymobOrder,
  type PaymobTransaction,
  returnQuery,
  sendCallback,
} from './callbacks.ts'

/**
 * A stand-in for Paymob's API, for development and tests: the intention API, tokens, inquiries, and a checkout page where
 * a developer pays or declines. It demands what Paymob demands, and sends signed callbacks. `PUT /stand-in/faults` makes
 * it misbehave, `GET /stand-in` lists its orders.
 */
export type PaymobStandIn = {
  url: string
  keys: PaymobKeys
  /** The orders that were opened, by Paymob's id. */
  orders: Map<number, StandInOrder>
  /** The next requests get these faults, the first one first. */
  misbehave(...faults: PaymobFault[]): void
  /** Does what a customer or the dashboard does, and sends the callbacks. */
  act(orderId: number, act: PaymobAct, options?: { amount?: number; sends?: boolean }): Promise<PaymobTransaction>
  stop(): Promise<void>
}

/** The credentials of a merchant. `hmacSecret` signs callbacks. */
export type PaymobKeys = {
  secretKey: string
  publicKey: string
  apiKey: string
  hmacSecret: string
  integrationId: number
  owner: number
}

/** An act of a customer or a merchant at Paymob. */
export type PaymobAct = 'pay' | 'decline' | 'pend' | 'authorise' | 'capture' | 'refund' | 'void'

/** How the next requests fail. */
export type PaymobFault = {
  /** Only requests whose path contains this. */
  path?: string
  /** `lost`: the order is opened, and the answer is lost. */
  kind: 'unavailable' | 'busy' | 'hang' | 'reset' | 'broken_json' | 'page' | 'key_refused' | 'lost'
}

/** An order at the stand-in. */
export type StandInOrder = PaymobOrder & {
  clientSecret: string
  notificationUrl: string | undefined
  redirectionUrl: string | undefined
  transactions: PaymobTransaction[]
}

/** The keys of a stand-in that nothing configures. */
export const standInKeys: PaymobKeys = {
  secretKey: 'egy_sk_test_stand_in',
  publicKey: 'egy_pk_test_stand_in',
  apiKey: 'stand-in-api-key',
  hmacSecret: 'stand-in-hmac-secret',
  integrationId: 6741,
  owner: 4705,
}

const required = z.string('This field is required.').min(1, 'This field may not be blank.')
const amount = z.int('A valid integer is required.').positive('Ensure this value is greater than 0.')
const intentionBody = z.object({
  amount,
  currency: z.string().regex(/^[A-Z]{3}$/, 'This currency is not supported.'),
  payment_methods: z.array(z.union([z.int(), z.string()])).min(1, 'This list may not be empty.'),
  items: z.array(
    z.object({ name: required.max(50), amount, description: z.string().max(255).optional(), quantity: z.int() }),
  ),
  billing_data: z.object({
    first_name: required.max(50),
    last_name: required.max(50),
    email: z.email('Enter a valid email address.'),
    phone_number: required.max(20),
  }),
  special_reference: z.string().max(100).optional(),
  notification_url: z.url().optional(),
  redirection_url: z.url().optional(),
})

/** Starts the stand-in. Without `webhookUrl`, callbacks go to the `notification_url` of each order. */
export async function startPaymob(
  options: { port?: number; keys?: Partial<PaymobKeys>; webhookUrl?: string; log?: (line: string) => void } = {},
): Promise<PaymobStandIn> {
  const keys = { ...standInKeys, ...options.keys }
  const log = options.log ?? (() => {})
  const orders = new Map<number, StandInOrder>()
  const faults: PaymobFault[] = []
  const tokens = new Set<string>()
  const server = fastify({ forceCloseConnections: true })

  server.addHook('preHandler', async (request, reply) => {
    if (!/^\/(v1|api)\//.test(request.url)) return
    const index = faults.findIndex(({ path = '' }) => request.url.includes(path))
    const [fault] = index === -1 ? [] : faults.splice(index, 1)
    if (fault !== undefined) await misbehave(fault, request, reply)
  })

  async function misbehave({ kind }: PaymobFault, request: FastifyRequest, reply: FastifyReply) {
    if (kind === 'unavailable') return reply.code(503).send({ detail: 'Service unavailable.' })
    if (kind === 'busy') return reply.code(429).send({ detail: 'Request was throttled.' })
    if (kind === 'key_refused') return reply.code(401).send({ detail: 'Authentication credentials were not provided.' })
    if (kind === 'broken_json') return reply.type('application/json').send('{"intention_order_id": 1,')
    if (kind === 'page') return reply.code(200).type('text/html').send('<html>Bad gateway</html>')
    if (kind === 'lost') await openIntention(request)
    else if (kind === 'hang') await sleep(60_000, undefined, { ref: false })
    reply.hijack()
    request.raw.socket.destroy()
  }

  server.post('/v1/intention/', async (request, reply) => {
    if (request.headers.authorization !== `Token ${keys.secretKey}`) {
      return reply.code(401).send({ detail: 'Authentication credentials were not provided.' })
    }
    const { status, body } = await openIntention(request)
    return reply.code(status).send(body)
  })

  async function openIntention(request: FastifyRequest): Promise<{ status: number; body: unknown }> {
    const parsed = intentionBody.safeParse(request.body)
    if (!parsed.success) return { status: 400, body: toDjangoErrors(parsed.error) }
    const wanted = parsed.data
    if (!wanted.payment_methods.includes(keys.integrationId)) {
      return { status: 404, body: { detail: 'Integration ID/Name does not exist in our system.' } }
    }
    const total = wanted.items.reduce((sum, item) => sum + item.amount, 0)
    if (wanted.items.length > 0 && total !== wanted.amount) {
      return { status: 400, body: { non_field_errors: ['Sum of items amounts must equal the total amount.'] } }
    }
    const reference = wanted.special_reference ?? ''
    if (reference !== '' && [...orders.values()].some((order) => order.reference === reference)) {
      return { status: 400, body: { special_reference: ['Intention with this special reference already exists.'] } }
    }
    const order: StandInOrder = {
      id: nextId(),
      reference,
      amount: wanted.amount,
      currency: wanted.currency,
      integrationId: keys.integrationId,
      owner: keys.owner,
      clientSecret: `egy_csk_test_${crypto.randomUUID().replaceAll('-', '')}`,
      notificationUrl: wanted.notification_url,
      redirectionUrl: wanted.redirection_url,
      transactions: [],
    }
    orders.set(order.id, order)
    log(`opened order ${order.id} for ${order.reference}: ${order.amount} ${order.currency}`)
    return {
      status: 201,
      body: {
        id: `pi_test_${crypto.randomUUID().replaceAll('-', '')}`,
        intention_order_id: order.id,
        client_secret: order.clientSecret,
        special_reference: order.reference,
        status: 'intended',
        confirmed: false,
        created: new Date().toISOString(),
        object: 'paymentintention',
      },
    }
  }

  server.post<{ Body: { api_key?: unknown } }>('/api/auth/tokens', async (request, reply) => {
    if (request.body?.api_key !== keys.apiKey) return reply.code(403).send({ detail: 'incorrect credentials' })
    const token = crypto.randomUUID()
    tokens.add(token)
    return reply.code(201).send({ token, profile: { id: keys.owner } })
  })

  server.post<{ Body: { auth_token?: string; order_id?: unknown; merchant_order_id?: unknown } }>(
    '/api/ecommerce/orders/transaction_inquiry',
    async (request, reply) => {
      const { auth_token = '', order_id, merchant_order_id } = request.body ?? {}
      if (!tokens.has(auth_token)) return reply.code(401).send({ detail: 'incorrect credentials' })
      const order = [...orders.values()].find(
        ({ id, reference }) => String(id) === String(order_id) || reference === merchant_order_id,
      )
      const latest = order?.transactions.findLast(({ has_parent_transaction }) => !has_parent_transaction)
      // Paymob answers with the last payment of the order.
      return latest ?? reply.code(404).send({ detail: 'Not found.' })
    },
  )

  async function act(
    orderId: number,
    what: PaymobAct,
    { amount, sends = true }: { amount?: number; sends?: boolean } = {},
  ): Promise<PaymobTransaction> {
    const order = orders.get(orderId)
    if (!order) throw new Error(`The stand-in has no order ${orderId}.`)
    const paid = order.transactions.find((one) => one.success && !one.pending && !one.has_parent_transaction)
    if (!paid && ['refund', 'void', 'capture'].includes(what)) throw new Error('This order is not paid.')
    const child = { has_parent_transaction: true, parent_transaction: paid?.id ?? null }
    const declined = { success: false, data: { message: 'Declined', txn_response_code: 'DECLINED' } }
    const made = makeTransaction(order, {
      ...(what === 'decline' && declined),
      ...(what === 'pend' && { success: false, pending: true }),
      ...(what === 'authorise' && { is_auth: true }),
      ...(what === 'capture' && { ...child, is_capture: true }),
      ...(what === 'refund' && { ...child, is_refund: true, amount_cents: amount ?? order.amount }),
      ...(what === 'void' && { ...child, is_void: true }),
    })
    order.transactions.push(made)
    // The dashboard then shows this for the payment itself.
    if (paid && what === 'refund') {
      paid.is_refunded = true
      paid.refunded_amount_cents += made.amount_cents
    }
    if (paid && what === 'void') paid.is_voided = true
    log(`${what}: transaction ${made.id} of order ${orderId}`)
    const webhookUrl = options.webhookUrl ?? order.notificationUrl
    if (sends && webhookUrl !== undefined) {
      for (let attempt = 1; attempt <= 5; attempt++) {
        const { status } = await sendCallback(webhookUrl, made, keys.hmacSecret).catch(() => ({ status: 0 }))
        log(`callback of transaction ${made.id}: ${status || 'no connection'}`)
        if (status > 0 && status < 500) break
        await sleep(200 * attempt)
      }
    }
    return made
  }

  server.get<{ Querystring: { publicKey?: string; clientSecret?: string } }>(
    '/unifiedcheckout/',
    async (request, reply) => {
      const order = [...orders.values()].find(({ clientSecret }) => clientSecret === request.query.clientSecret)
      if (!order || request.query.publicKey !== keys.publicKey) return reply.code(404).send({ detail: 'Not found.' })
      return reply.type('text/html; charset=utf-8').send(checkoutPage(order))
    },
  )
  server.addContentTypeParser('application/x-www-form-urlencoded', (_request, payload, done) => {
    payload.resume()
    done(null, null)
  })
  server.post<{ Params: { secret: string; act: string } }>('/unifiedcheckout/:secret/:act', async (request, reply) => {
    const order = [...orders.values()].find(({ clientSecret }) => clientSecret === request.params.secret)
    const what = z.enum(['pay', 'decline', 'pend']).safeParse(request.params.act)
    if (!order || !what.success) return reply.code(404).send({ detail: 'Not found.' })
    const made = await act(order.id, what.data)
    if (!order.redirectionUrl) return { transaction: made.id, success: made.success }
    return reply.redirect(`${order.redirectionUrl}?${returnQuery(made, keys.hmacSecret)}`, 303)
  })

  // Where customers return if the app has no page yet.
  server.get<{ Querystring: { outcome?: string; order?: string } }>('/returned', async (request, reply) => {
    const { outcome = 'unknown', order = '' } = request.query
    return reply.type('text/plain; charset=utf-8').send(`Outcome: ${outcome}. Order: ${order || 'unknown'}.\n`)
  })
  server.get('/stand-in', async () => ({ orders: [...orders.values()] }))
  server.put<{ Body: PaymobFault[] }>('/stand-in/faults', async (request) => {
    faults.splice(0, faults.length, ...request.body)
    return { faults }
  })
  server.post<{ Params: { id: string; act: PaymobAct }; Body: { amount?: number } | null }>(
    '/stand-in/orders/:id/:act',
    async (request, reply) => {
      const { id, act: what } = request.params
      try {
        return await act(Number(id), what, request.body ?? {})
      } catch (error) {
        return reply.code(409).send({ detail: (error as Error).message })
      }
    },
  )

  await server.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  return {
    url: `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    keys,
    orders,
    misbehave: (...next) => void faults.splice(0, faults.length, ...next),
    act,
    stop: () => server.close(),
  }
}

/** Errors in the form of Paymob's API: the field, and a list of sentences. */
function toDjangoErrors(error: z.ZodError): Record<string, unknown> {
  const errors: Record<string, unknown> = {}
  for (const { path, message } of error.issues) {
    let place = errors
    const names = path.map(String)
    for (const name of names.slice(0, -1)) {
      place[name] ??= {}
      place = place[name] as Record<string, unknown>
    }
    place[names.at(-1) ?? 'non_field_errors'] = [message]
  }
  return errors
}

/** The page where a developer pays or declines. Only the reference is text of a client. */
function checkoutPage({ reference, amount, currency, clientSecret }: StandInOrder): string {
  const button = (act: string, label: string) =>
    `<form method="post" action="/unifiedcheckout/${clientSecret}/${act}"><button>${label}</button></form>`
  return `<!doctype html><meta charset="utf-8"><title>Stand-in for Paymob</title>
<h1>This is a stand-in, not Paymob</h1>
<p>Order ${escapeHtml(reference)}: ${(amount / 100).toFixed(2)} ${currency}. No money moves.</p>
${button('pay', 'Pay')}${button('decline', 'Decline')}${button('pend', 'Leave pending')}`
}
