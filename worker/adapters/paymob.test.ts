import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type PaymobFault, type PaymobStandIn, standInKeys, startPaymob } from '../../scripts/local/paymob/server.ts'
import type { StepError } from '../outcomes/outcome.ts'
import { createPaymob, type PaymobConfig } from './paymob.ts'

// The adapter against the stand-in, which speaks the wire format.
let standIn: PaymobStandIn
let config: PaymobConfig
const never = new AbortController().signal
const billing = { first_name: 'Ana', last_name: 'Costa', email: 'ana@example.com', phone: '+201000000000' }

beforeAll(async () => {
  standIn = await startPaymob()
  config = {
    PAYMOB_SECRET_KEY: standInKeys.secretKey,
    PAYMOB_PUBLIC_KEY: standInKeys.publicKey,
    PAYMOB_API_KEY: standInKeys.apiKey,
    PAYMOB_BASE_URL: `${standIn.url}/`,
    PAYMOB_NOTIFICATION_URL: 'http://127.0.0.1:1/api/paymob/webhook',
    PAYMOB_REDIRECTION_URL: undefined,
  }
})
beforeEach(() => standIn.misbehave())
afterAll(() => standIn.stop())

const open = (change: Record<string, unknown> = {}, by: Partial<PaymobConfig> = {}) =>
  createPaymob({ ...config, ...by }).openOrder({
    reference: crypto.randomUUID(),
    amount: 4900,
    currency: 'EGP',
    integrationIds: [standInKeys.integrationId],
    item: { name: '100 credits', description: '100 credits that do not expire' },
    billing,
    signal: never,
    ...change,
  })
const list = (paymobOrderId: number, by: Partial<PaymobConfig> = {}) =>
  createPaymob({ ...config, ...by }).listTransactions({ paymobOrderId, signal: never })
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => Promise.reject(new Error('The call did not fail.')),
    (error: StepError) => error,
  )

describe('opening an order', () => {
  test('sends what Paymob demands, and returns its id and the checkout page', async () => {
    const reference = crypto.randomUUID()
    const { paymobOrderId, checkoutUrl } = await open({ reference })
    const order = standIn.orders.get(paymobOrderId)
    expect(order).toMatchObject({ reference, amount: 4900, currency: 'EGP' })
    expect(order?.notificationUrl).toBe(config.PAYMOB_NOTIFICATION_URL)
    const page = new URL(checkoutUrl)
    expect(page.pathname).toBe('/unifiedcheckout/')
    expect(Object.fromEntries(page.searchParams)).toEqual({
      publicKey: standInKeys.publicKey,
      clientSecret: order?.clientSecret,
    })
    expect((await fetch(page)).status).toBe(200)
  })

  test.each([
    ['phone_number', { billing: { ...billing, phone: '' } }],
    ['email', { billing: { ...billing, email: 'nobody' } }],
  ])('names the field that Paymob refuses: %s', async (field, change) => {
    const error = await failureOf(open(change))
    expect(error).toMatchObject({ slug: 'provider_refused', isPermanent: true })
    expect(error.message).toBe(`Paymob refuses ${field}. Create the order again with corrected billing data.`)
  })

  test('a reference that exists and an unknown integration are refused for good', async () => {
    const reference = crypto.randomUUID()
    await open({ reference })
    for (const change of [{ reference }, { integrationIds: [1] }])
      expect(await failureOf(open(change))).toMatchObject({ slug: 'provider_refused', isPermanent: true })
  })
})

describe('asking for transactions', () => {
  test('returns none before a payment, and then the payment as a callback would have it', async () => {
    const { paymobOrderId } = await open()
    expect(await list(paymobOrderId)).toEqual([])
    const paid = await standIn.act(paymobOrderId, 'pay', { sends: false })
    const [transaction, ...others] = await list(paymobOrderId)
    expect(others).toEqual([])
    expect(transaction).toMatchObject({
      id: String(paid.id),
      'order.id': String(paymobOrderId),
      amount_cents: '4900',
      success: 'true',
      has_parent_transaction: 'false',
      parent_transaction: '',
      'source_data.type': 'card',
    })
    expect(transaction).not.toHaveProperty('profile_id')
  })

  test('shows how much was given back', async () => {
    const { paymobOrderId } = await open()
    await standIn.act(paymobOrderId, 'pay', { sends: false })
    await standIn.act(paymobOrderId, 'refund', { amount: 1000, sends: false })
    await standIn.act(paymobOrderId, 'refund', { amount: 500, sends: false })
    expect(await list(paymobOrderId)).toMatchObject([{ is_refunded: 'true', refunded_amount_cents: '1500' }])
  })

  test('returns none for an unknown order', async () => {
    expect(await list(1)).toEqual([])
  })
})

describe('failures', () => {
  const kinds: [PaymobFault['kind'], string, boolean][] = [
    ['unavailable', 'provider_unavailable', false],
    ['busy', 'provider_busy', false],
    ['reset', 'provider_unreachable', false],
    ['lost', 'provider_unreachable', false],
    ['broken_json', 'provider_answer_invalid', false],
    ['page', 'provider_answer_invalid', false],
    ['key_refused', 'provider_key_refused', true],
  ]
  test.each(kinds)('%s is %s, permanent: %s', async (kind, slug, isPermanent) => {
    standIn.misbehave({ kind })
    expect(await failureOf(open())).toMatchObject({ slug, isPermanent })
    standIn.misbehave({ kind, path: 'inquiry' })
    if (kind !== 'lost') expect(await failureOf(list(1))).toMatchObject({ slug, isPermanent })
  })

  test('a server without keys says which are missing', async () => {
    for (const [call, name] of [
      [open({}, { PAYMOB_SECRET_KEY: undefined }), 'PAYMOB_SECRET_KEY'],
      [list(1, { PAYMOB_API_KEY: undefined }), 'PAYMOB_API_KEY'],
    ] as const) {
      const error = await failureOf(call)
      expect(error).toMatchObject({ slug: 'provider_not_configured', isPermanent: true })
      expect(error.message).toContain(name)
    }
  })

  test('an abort ends the call with its reason', async () => {
    standIn.misbehave({ kind: 'hang' })
    const abort = new AbortController()
    const call = failureOf(open({ signal: abort.signal }))
    const reason = new Error('stopped')
    setTimeout(() => abort.abort(reason), 50)
    expect(await call).toBe(reason)
  })

  test('no error has a key or billing data in its message, and none has a key in its cause', async () => {
    const wrong = { PAYMOB_SECRET_KEY: 'egy_sk_wrong_key', PAYMOB_API_KEY: 'wrong-api-key' }
    for (const error of [
      await failureOf(open({}, wrong)),
      await failureOf(list(1, wrong)),
      await failureOf(open({ billing: { ...billing, email: 'x'.repeat(300) } })),
    ]) {
      expect(error.message).not.toMatch(/ana@|Costa|\+20/)
      expect(inspect(error, { depth: 9 })).not.toMatch(/egy_sk|wrong-api-key|stand-in-api-key/)
    }
  })
})
