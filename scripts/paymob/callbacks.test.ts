import { createHmac, randomInt } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isSignedBy, readCallback, transactionFields } from '../../sidecar/paymob/callback.ts'
import { makeTransaction, type PaymobTransaction, sendCallback, signTransaction } from '../local/paymob/callbacks.ts'
import { openShop, pay, type Shop, paymobSecret as secret } from '../testing/shop.ts'
import { startTestSidecar, type TestSidecar } from '../testing/sidecar.ts'
import { type ScenarioName, scenarios } from './scenarios.ts'

// Callbacks over HTTP, with a real sidecar and a real Postgres.
let shop: Shop
let sidecar: TestSidecar
let webhookUrl: string

beforeAll(async () => {
  shop = await openShop()
  sidecar = await startTestSidecar({
    databaseUrl: shop.database.url('sidecar'),
    // Nothing is uploaded here.
    storePort: 1,
    env: { PAYMOB_HMAC_SECRET: secret, PAYMOB_RETURN_URL: 'https://app.example/paid' },
  })
  webhookUrl = `${sidecar.url}/api/paymob/webhook`
})
afterAll(async () => {
  await sidecar.stop()
  await shop.database.drop()
})
beforeEach(() => shop.newUser())

describe('npm run paymob:send', () => {
  const credits = { paid: 7, declined_then_paid: 7, duplicate: 7, part_refund: 3, renewal: 200 } as Record<
    string,
    number
  >
  const statuses: Record<ScenarioName, string> = {
    paid: 'paid',
    declined: 'failed',
    declined_then_paid: 'paid',
    pending: 'opened',
    duplicate: 'paid',
    reordered: 'refunded',
    forged: 'opened',
    shifted: 'opened',
    refund: 'refunded',
    part_refund: 'part_refunded',
    void: 'voided',
    renewal: 'paid',
    token: 'opened',
  }
  test.each(Object.keys(scenarios) as ScenarioName[])('plays %s', async (name) => {
    const [kind, item] = name === 'renewal' ? ['plan', 'gold'] : []
    const { bought, at } = await shop.opened(kind, item)
    const lines: string[] = []
    await scenarios[name]({
      webhookUrl,
      secret,
      order: at,
      orderAgain: async () => (await shop.opened(kind, item)).at,
      say: (line) => lines.push(line),
    })
    expect(lines.map((line) => line.match(/: (\d{3}) /)?.[1])).toEqual(
      lines.map(() => (name === 'forged' ? '401' : '200')),
    )
    expect(lines.length).toBeGreaterThan(0)
    expect(await shop.statusOf(bought)).toMatchObject({ status: statuses[name] })
    expect(await shop.balance()).toMatchObject({ credits: credits[name] ?? 0, owed: 0 })
  })
})

/**
 * A program as many are: it checks the signature, finds the order by its reference, and counts each transaction once. The
 * attacks below defeat it, so they are real.
 */
function createNaiveShop(references: string[]) {
  const paid = new Map(references.map((reference) => [reference, 0]))
  const seen = new Set<string>()
  return {
    paid,
    receive(transaction: PaymobTransaction): void {
      const { signed = {} } = readCallback(Buffer.from(JSON.stringify({ type: 'TRANSACTION', obj: transaction })))
      const text = transactionFields.map((field) => signed[field]).join('')
      const hmac = createHmac('sha512', secret).update(text).digest('hex')
      if (!isSignedBy([secret], transactionFields, signed, hmac)) return
      const { success, pending, error_occured, is_refunded, is_voided, is_auth, is_refund, is_void } = transaction
      if (!success || pending || error_occured || is_refunded || is_voided || is_auth || is_refund || is_void) return
      const id = String(transaction.id)
      if (seen.has(id)) return
      seen.add(id)
      const reference = transaction.order.merchant_order_id
      paid.set(reference, (paid.get(reference) ?? 0) + 1)
    },
  }
}

describe('an attack that succeeds against a naive program', () => {
  const send = async (transaction: PaymobTransaction, hmac: string) =>
    (await sendCallback(webhookUrl, transaction, secret, hmac)).status
  const move = (paid: PaymobTransaction) => {
    const [first = '', ...rest] = String(paid.integration_id)
    return { ...paid, id: Number(`${paid.id}${first}`), integration_id: Number(rest.join('')) }
  }

  test('unsigned fields: one payment, sent again with the reference of another order, pays only its own', async () => {
    const own = await shop.opened()
    const other = await shop.opened('plan', 'gold')
    const paid = pay(own.at)
    const hmac = signTransaction(paid, secret)
    const stolen = { ...paid, order: { ...paid.order, merchant_order_id: other.at.reference } }
    expect(signTransaction(stolen, secret)).toBe(hmac)

    const naive = createNaiveShop([own.at.reference, other.at.reference])
    naive.receive(stolen)
    expect(naive.paid.get(other.at.reference)).toBe(1)

    expect([await send(stolen, hmac), await send(paid, hmac), await send(stolen, hmac)]).toEqual([200, 200, 200])
    expect(await shop.statusOf(other.bought)).toMatchObject({ status: 'opened' })
    expect(await shop.statusOf(own.bought)).toMatchObject({ status: 'paid' })
    expect(await shop.balance()).toMatchObject({ credits: 7, plan: 'free' })
  })

  test('unsigned fields: a refund whose is_refund is false pays nothing, also before its payment', async () => {
    const { bought, at } = await shop.opened()
    const refund = pay(at, { has_parent_transaction: true, parent_transaction: 5, is_refund: true })
    const stripped = { ...refund, is_refund: false, parent_transaction: null }
    const naive = createNaiveShop([at.reference])
    naive.receive(stripped)
    expect(naive.paid.get(at.reference)).toBe(1)

    expect(await send(stripped, signTransaction(refund, secret))).toBe(200)
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'opened' })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
  })

  test('shifted boundaries: a payment with another transaction id and the same signature counts once', async () => {
    const { at } = await shop.opened()
    const paid = pay(at)
    const hmac = signTransaction(paid, secret)
    const moved = move(paid)
    expect(signTransaction(moved, secret)).toBe(hmac)
    const naive = createNaiveShop([at.reference])
    naive.receive(paid)
    naive.receive(moved)
    expect(naive.paid.get(at.reference)).toBe(2)

    expect([await send(moved, hmac), await send(paid, hmac), await send(moved, hmac)]).toEqual([200, 200, 200])
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })

  test('shifted words: an authorisation that nobody captured pays nothing', async () => {
    const { bought, at } = await shop.opened()
    const authorised = pay(at, { is_auth: true, is_standalone_payment: false })
    const words = { is_3d_secure: 'truetrue', is_auth: false, is_standalone_payment: '' }
    const moved = { ...authorised, ...words } as unknown as PaymobTransaction
    const hmac = signTransaction(authorised, secret)
    expect(signTransaction(moved, secret)).toBe(hmac)
    const naive = createNaiveShop([at.reference])
    naive.receive(moved)
    expect(naive.paid.get(at.reference)).toBe(1)

    expect([await send(authorised, hmac), await send(moved, hmac)]).toEqual([200, 200])
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'opened' })
  })
})

test('odd bodies, signed where that is possible, never give an error of the server, and never money', async () => {
  const { bought, at } = await shop.opened()
  const signatures = new Set<number>()
  let signed = 0
  const one = async () => {
    const text = oddBody(makeTransaction(at))
    let hmac = 'x'
    try {
      const read = readCallback(Buffer.from(text))
      if (read.signed && isGenuine(read.signed)) return
      const words = transactionFields.map((field) => read.signed?.[field] ?? '').join('')
      hmac = createHmac('sha512', secret).update(words).digest('hex')
      signed++
    } catch {
      // The sidecar has to refuse this body.
    }
    if (randomInt(8) === 0) hmac = pick(['', 'x', '0'.repeat(128), `${hmac}&hmac=${hmac}`])
    const { status } = await fetch(`${webhookUrl}?hmac=${hmac}`, { method: 'POST', body: text })
    signatures.add(status)
    expect(status, text.slice(0, 500)).toBeLessThan(500)
  }
  const [end, latest] = [performance.now() + 2500, performance.now() + 60_000]
  // On a busy machine, longer than 2.5 s.
  const isEnough = () => signed > 20 && signatures.size >= 3
  const run = async () => {
    while (performance.now() < end || (!isEnough() && performance.now() < latest)) await one()
  }
  await Promise.all(Array.from({ length: 6 }, run))
  expect([...signatures].sort()).toEqual([200, 400, 401])
  expect(signed).toBeGreaterThan(20)
  expect(await shop.balance()).toMatchObject({ credits: 0, owed: 0, plan: 'free' })
  expect((await shop.statusOf(bought)).status).toMatch(/^(opened|failed)$/)
  // The genuine callback is still applied.
  await sendCallback(webhookUrl, makeTransaction(at), secret)
  expect(await shop.balance()).toMatchObject({ credits: 7 })

  function isGenuine(signed: Record<string, string>): boolean {
    const genuine = readCallback(Buffer.from(JSON.stringify({ type: 'TRANSACTION', obj: makeTransaction(at) })))
    const isSame = (field: string) => signed[field] === genuine.signed?.[field]
    const isKept = transactionFields
      .filter(
        (field) => !/^(id|created_at|has_parent_transaction|is_capture|is_auth|is_3d|is_stand|source)/.test(field),
      )
      .every(isSame)
    return isKept && (signed['is_auth'] === 'false' || signed['is_capture'] === 'true')
  }
})

const pick = <T>(from: readonly T[]): T => from[randomInt(from.length)] as T
const oddValues = [
  ...['null', 'true', 'false', '""', '"true"', '"false"', '0', '-0', '1', '-1', '1.5', '4900.0', '49e2', '00', '1e400'],
  ...['[]', '{}', '[true]', '{"id":1}', '"\\u0000"', '"\\ud800"', '"💥"', '"\u202e4900"', '"4900 "', '" 4900"', 'NaN'],
  ...[
    `1${'0'.repeat(400)}`,
    '9007199254740993',
    '9223372036854775808',
    `"${'x'.repeat(5000)}"`,
    '"__proto__"',
    '"EGP\\n"',
  ],
]

/** A callback with odd values, missing and doubled fields, or something else altogether. */
function oddBody(transaction: PaymobTransaction): string {
  const kind = randomInt(10)
  if (kind === 0)
    return pick(['', '[]', 'null', '{', '{"type":"TRANSACTION"}', '"x"', '[[[['.repeat(5000), '\ufeff{}', '1'])
  if (kind === 1) return `{"type":${pick(['"TOKEN"', '"X"', '1', 'null', '["TRANSACTION"]'])},"obj":${pick(oddValues)}}`
  const fields = Object.entries(transaction).map(([name, value]) => [name, JSON.stringify(value)] as [string, string])
  for (let n = randomInt(3) + 1; n > 0; n--) {
    const place = randomInt(fields.length)
    const [name] = fields[place] as [string, string]
    const how = randomInt(4)
    if (how === 0) fields.splice(place, 1)
    else if (how === 1) fields.splice(randomInt(fields.length), 0, [name, pick(oddValues)])
    else fields[place] = [name, pick(oddValues)]
  }
  if (fields.length === 0) return '{}'
  if (kind === 2) {
    const part = pick(['order', 'source_data', 'data'])
    fields.push([part, `{"id":${pick(oddValues)},"merchant_order_id":${pick(oddValues)},"pan":${pick(oddValues)}}`])
  }
  const obj = `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`
  return kind === 3
    ? `{"obj":${pick(oddValues)},"obj":${obj},"type":1,"type":"TRANSACTION"}`
    : `{"type":"TRANSACTION","obj":${obj}}`
}
