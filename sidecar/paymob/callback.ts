import { createHmac, timingSafeEqual } from 'node:crypto'

/** The fields that Paymob signs in a TRANSACTION callback, in the order of the signed text. */
export const transactionFields = [
  'amount_cents',
  'created_at',
  'currency',
  'error_occured',
  'has_parent_transaction',
  'id',
  'integration_id',
  'is_3d_secure',
  'is_auth',
  'is_capture',
  'is_refunded',
  'is_standalone_payment',
  'is_voided',
  'order.id',
  'owner',
  'pending',
  'source_data.pan',
  'source_data.sub_type',
  'source_data.type',
  'success',
] as const

/** The fields that Paymob signs in a TOKEN callback, in the order of the signed text. */
export const tokenFields = [
  'card_subtype',
  'created_at',
  'email',
  'id',
  'masked_pan',
  'merchant_id',
  'order_id',
  'token',
] as const

/** Unsigned fields of a TRANSACTION, which SQL compares with the signed fields and with the order. */
const hintFields = [
  'order.merchant_order_id',
  'is_refund',
  'is_void',
  'refunded_amount_cents',
  'parent_transaction',
  'data.message',
  'data.txn_response_code',
] as const

/** The values of the signed fields, exactly as they were signed. */
export type Signed = Record<string, string>

/** A callback that could be read. Its signature is not checked yet. */
export type Callback = {
  type: string
  /** Undefined for a type that is neither TRANSACTION nor TOKEN. */
  signed: Signed | undefined
  /** The unsigned fields that SQL compares, cut to 200 characters. */
  hints: Record<string, string>
}

/** The body is not a callback. The message completes "The callback …". */
export class CallbackError extends Error {}

/**
 * Reads the body of a callback. Numbers keep the digits that Paymob sent: an id with 20 digits, or an amount such as 1.50,
 * is signed as it was written, and a JavaScript number would change it. Throws a CallbackError.
 */
export function readCallback(body: Buffer): Callback {
  const callback = parseObject(body)
  const type = valueAt(callback, 'type')
  const obj = valueAt(callback, 'obj')
  if (typeof type !== 'string') throw new CallbackError('has no type')
  const fields = type === 'TRANSACTION' ? transactionFields : type === 'TOKEN' ? tokenFields : undefined
  if (fields === undefined) return { type: clip(type), signed: undefined, hints: {} }
  if (!isObject(obj)) throw new CallbackError('has no object obj')
  const signed: Signed = {}
  for (const field of fields) signed[field] = stringify(field, valueAt(obj, field))
  const hints: Record<string, string> = {}
  if (type === 'TRANSACTION') {
    for (const field of hintFields) {
      const value = valueAt(obj, field)
      // Objects and lists are not hints.
      if (value !== null && value !== undefined && typeof value !== 'object') {
        hints[field.slice(field.lastIndexOf('.') + 1)] = clip(String(value))
      }
    }
  }
  return { type, signed, hints }
}

/** Whether one of the secrets signed these values. Takes the same time for every wrong signature. */
export function isSignedBy(secrets: string[], fields: readonly string[], signed: Signed, hmac: unknown): boolean {
  const text = fields.map((field) => signed[field]).join('')
  // A malformed signature is compared, too, so that its answer takes as long as that of any other.
  const sent = Buffer.alloc(128)
  const isWellFormed = typeof hmac === 'string' && /^[0-9a-f]{128}$/.test(hmac)
  if (isWellFormed) sent.write(hmac, 'latin1')
  let isSigned = false
  for (const secret of secrets) {
    const digest = Buffer.from(createHmac('sha512', secret).update(text).digest('hex'), 'latin1')
    if (timingSafeEqual(digest, sent)) isSigned = true
  }
  return isSigned && isWellFormed
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Matches JSON with a number that JavaScript may write in another way: with a fraction, an exponent, a minus before a zero, or
 * more than 15 digits. Also matches some texts that look like such a number.
 */
const hasOddNumber = /(?:"\s*:|[[,])\s*(?:-0|-?\d+[.eE]|-?\d{16})/

/**
 * Parses the body as JSON.parse does. A number that JavaScript may write in another way becomes the text that the body has
 * for it.
 */
function parseObject(body: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    const text = decoder.decode(body)
    const keepDigits = (_key: string, read: unknown, context?: { source?: string }) =>
      typeof read === 'number' ? context?.source : read
    // The function makes JSON.parse several times slower, and few bodies need the function.
    value = hasOddNumber.test(text)
      ? JSON.parse(text, keepDigits as (key: string, read: unknown) => unknown)
      : JSON.parse(text)
  } catch (cause) {
    // A RangeError: the body is nested too deeply.
    throw new CallbackError('is not valid JSON in UTF-8', { cause })
  }
  if (!isObject(value)) throw new CallbackError('is not a JSON object')
  return value
}

/** Paymob signs true and false as words, null and a missing field as the empty text, and all else as it is. */
function stringify(field: string, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (typeof value !== 'string') throw new CallbackError(`has an object or a list in ${field}`)
  // Postgres can store neither.
  if (value.includes('\0') || !value.isWellFormed()) throw new CallbackError(`has invalid text in ${field}`)
  return value
}

/** Reads a field such as order.id, and returns a number as its text. Reads only own properties, also of the name "__proto__". */
function valueAt(obj: Record<string, unknown>, field: string): unknown {
  let value: unknown = obj
  for (const key of field.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined
    value = value[key]
  }
  return typeof value === 'number' ? String(value) : value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function clip(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().slice(0, 200).toWellFormed()
}
