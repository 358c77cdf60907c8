import type { FastifyInstance } from 'fastify'
import { isSignedBy, type Signed, transactionFields } from './callback.ts'

/** The options of the route for Paymob's response callback. */
export type ReturnOptions = {
  paymobSecrets: string[]
  /** The page of the app to which customers return. */
  returnUrl: string
}

/**
 * GET /api/paymob/return: Paymob's response callback, with which the customer's browser comes back. Redirects to the app's
 * page with `order` and `outcome` = paid, declined, pending, or unknown if the signature is wrong. It writes nothing: only
 * the webhook can fulfil an order. The customer can repeat and change this request.
 */
export async function paymobReturn(
  server: FastifyInstance,
  { paymobSecrets, returnUrl }: ReturnOptions,
): Promise<void> {
  server.get('/api/paymob/return', { config: { limitsLog: true } }, async (request, reply) => {
    const query = readQuery(request.raw.url ?? '')
    const target = new URL(returnUrl)
    const isSigned = isSignedBy(paymobSecrets, transactionFields, signedOf(query), query.get('hmac'))
    target.searchParams.set('outcome', isSigned ? outcomeOf(query) : 'unknown')
    // Paymob does not sign this id. The page of the app must look for it among the orders of its user.
    const order = query.get('merchant_order_id')
    if (isSigned && order !== undefined && /^[\w-]{1,100}$/.test(order)) target.searchParams.set('order', order)
    return reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer').redirect(target.href, 303)
  })
}

/** Decodes %XX, and keeps plus signs, because Paymob sends some times as …+02:00 without an escape. */
function readQuery(url: string): Map<string, string> {
  const query = new Map<string, string>()
  for (const pair of (url.split('?')[1] ?? '').split('&')) {
    const [name = '', ...value] = pair.split('=')
    query.set(decode(name), decode(value.join('=')))
  }
  return query
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The keys vary: `order` or `order_id` or `order.id`, `source_data.pan` or `source_data_pan`. */
function signedOf(query: Map<string, string>): Signed {
  const signed: Signed = {}
  for (const field of transactionFields) {
    const names = field === 'order.id' ? ['order', 'order_id', 'order.id'] : [field, field.replace('.', '_')]
    const name = names.find((one) => query.has(one))
    const value = name === undefined ? '' : (query.get(name) ?? '')
    // A plus sign means a space, except in the time zone of created_at.
    signed[field] = field === 'created_at' ? value : value.replaceAll('+', ' ')
  }
  return signed
}

function outcomeOf(query: Map<string, string>): 'paid' | 'pending' | 'declined' {
  if (query.get('pending') === 'true') return 'pending'
  return query.get('success') === 'true' && query.get('error_occured') !== 'true' ? 'paid' : 'declined'
}
