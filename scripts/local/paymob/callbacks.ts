import { createHmac } from 'node:crypto'

// Paymob's callbacks as its documentation describes them. Written apart from the sidecar, so that a mistake in the order of
// the signed fields cannot hide in both.

/** A transaction in the form of a callback's `obj`. */
export type PaymobTransaction = {
  id: number
  pending: boolean
  amount_cents: number
  success: boolean
  is_auth: boolean
  is_capture: boolean
  is_standalone_payment: boolean
  is_voided: boolean
  is_refunded: boolean
  is_3d_secure: boolean
  integration_id: number
  profile_id: number
  has_parent_transaction: boolean
  order: { id: number; created_at: string; merchant_order_id: string; amount_cents: number }
  created_at: string
  currency: string
  source_data: { pan: string; type: string; sub_type: string }
  error_occured: boolean
  is_void: boolean
  is_refund: boolean
  owner: number
  parent_transaction: number | null
  refunded_amount_cents: number
  data: { message: string; txn_response_code: string }
}

/** The facts about an order that its transactions repeat. */
export type PaymobOrder = {
  id: number
  reference: string
  amount: number
  currency: string
  integrationId: number
  owner: number
}

let lastId = 0

/** Returns an id that no other transaction or order has, also of another process. */
export function nextId(): number {
  lastId = Math.max(lastId + 1, Date.now() * 100 + Math.floor(Math.random() * 100))
  return lastId
}

/** Makes a payment of an order that succeeded; `change` replaces fields. */
export function makeTransaction(order: PaymobOrder, change: Partial<PaymobTransaction> = {}): PaymobTransaction {
  const now = new Date().toISOString().replace('Z', '000')
  return {
    id: nextId(),
    pending: false,
    amount_cents: order.amount,
    success: true,
    is_auth: false,
    is_capture: false,
    is_standalone_payment: true,
    is_voided: false,
    is_refunded: false,
    is_3d_secure: true,
    integration_id: order.integrationId,
    profile_id: 4214,
    has_parent_transaction: false,
    order: { id: order.id, created_at: now, merchant_order_id: order.reference, amount_cents: order.amount },
    created_at: now,
    currency: order.currency,
    source_data: { pan: '2346', type: 'card', sub_type: 'MasterCard' },
    error_occured: false,
    is_void: false,
    is_refund: false,
    owner: order.owner,
    parent_transaction: null,
    refunded_amount_cents: 0,
    data: { message: 'Approved', txn_response_code: 'APPROVED' },
    ...change,
  }
}

/** Signs a transaction as Paymob does: SHA-512, in hex. */
export function signTransaction(t: PaymobTransaction, secret: string): string {
  const text = [
    ...[t.amount_cents, t.created_at, t.currency, t.error_occured, t.has_parent_transaction, t.id, t.integration_id],
    ...[t.is_3d_secure, t.is_auth, t.is_capture, t.is_refunded, t.is_standalone_payment, t.is_voided, t.order.id],
    ...[t.owner, t.pending, t.source_data.pan, t.source_data.sub_type, t.source_data.type, t.success],
  ].join('')
  return createHmac('sha512', secret).update(text).digest('hex')
}

/** A saved card in the form of a TOKEN callback's `obj`. */
export type PaymobToken = {
  id: number
  token: string
  masked_pan: string
  merchant_id: number
  card_subtype: string
  created_at: string
  email: string
  order_id: string
}

/** Signs a TOKEN callback as Paymob does. */
export function signToken(t: PaymobToken, secret: string): string {
  const text = [t.card_subtype, t.created_at, t.email, t.id, t.masked_pan, t.merchant_id, t.order_id, t.token].join('')
  return createHmac('sha512', secret).update(text).digest('hex')
}

/** Posts a processed callback to the webhook, and returns the answer. */
export async function sendCallback(
  webhookUrl: string,
  transaction: PaymobTransaction,
  secret: string,
  hmac = signTransaction(transaction, secret),
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${webhookUrl}?hmac=${hmac}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'TRANSACTION', obj: transaction }),
  })
  const text = await response.text()
  try {
    return { status: response.status, body: JSON.parse(text) }
  } catch {
    return { status: response.status, body: text }
  }
}

/** The query with which Paymob sends the customer's browser back. */
export function returnQuery(t: PaymobTransaction, secret: string): URLSearchParams {
  const { order, source_data, data, ...rest } = t
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(rest)) query.set(name, value === null ? '' : String(value))
  query.set('order', String(order.id))
  query.set('merchant_order_id', order.merchant_order_id)
  for (const [name, value] of Object.entries(source_data)) query.set(`source_data.${name}`, value)
  query.set('data.message', data.message)
  query.set('txn_response_code', data.txn_response_code)
  query.set('hmac', signTransaction(t, secret))
  return query
}
