import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { PaymobTransaction } from '../../../scripts/local/paymob/callbacks.ts'
import {
  asCallback,
  child,
  type Order,
  openShop,
  type Payment,
  pay,
  type Recorded,
  type Shop,
} from '../../../scripts/testing/shop.ts'
import { until } from '../../../scripts/testing/waiting.ts'

// Callbacks that wait at the same time: one call records them, each as if it were alone.
let shop: Shop
let ana: string

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.database.drop())
beforeEach(async () => {
  ana = await shop.newUser()
})

async function recordAll(callbacks: Recorded[], by: Client = shop.admin): Promise<(Payment | null)[]> {
  const { rows } = await by.query('select sidecar.record_paymob_callbacks($1) as answers', [JSON.stringify(callbacks)])
  return rows[0].answers
}
const reportAll = (transactions: PaymobTransaction[], by?: Client) => recordAll(transactions.map(asCallback), by)
const verdicts = (answers: (Payment | null)[]) =>
  answers.map((one) => one && [one.status, one.reason].filter(Boolean).join(' '))
async function statusesOf(orders: { bought: Order }[]): Promise<string[]> {
  const statuses: string[] = []
  for (const { bought } of orders) statuses.push((await shop.statusOf(bought)).status)
  return statuses
}

test('orders of several users are paid, as by single calls', async () => {
  const orders = []
  for (let n = 0; n < 6; n++) {
    if (n === 3) await shop.newUser()
    orders.push(await (n % 3 === 2 ? shop.opened('plan', 'gold') : shop.opened()))
  }
  const callbacks = orders.map(({ at }) => asCallback(pay(at)))
  const answers = await recordAll(callbacks)
  expect(verdicts(answers)).toEqual(orders.map(() => 'applied'))
  expect(await statusesOf(orders)).toEqual(orders.map(() => 'paid'))
  expect(await shop.balance(ana)).toMatchObject({ credits: 114, owed: 0, plan: 'gold' })
  // The row of a batch equals the row of a single call.
  const alone = await shop.opened()
  const single = await shop.report(pay(alone.at))
  const { rows } = await shop.admin.query(
    `select p.source, p.kind, p.status, p.reason, p.amount_minor, p.currency, p.user_id is null as is_lost,
       p.transaction_id::text = c.signed ->> 'id' as has_id, c.paymob_order_id::text = c.signed ->> 'order.id' as has_order,
       c.merchant_order_id = p.order_id::text as has_reference, c.digest = sha256(convert_to(c.body, 'UTF8')) as is_hashed,
       c.times, length(c.hmac) as hmac, jsonb_typeof(c.hints) as hints, o.paid_at is not null as is_paid,
       f.transaction_id = p.transaction_id as is_fulfilled, g.idempotency_key = o.id::text as has_key, g.source as given,
       d.next_inquiry_at, n.title
     from payments p join app.payment_callbacks c on c.payment_id = p.id join orders o on o.id = p.order_id
       join app.order_fulfilments f on f.order_id = o.id join credit_grants g on g.id = f.grant_id
       join app.order_details d on d.order_id = o.id join notifications n on n.data ->> 'order_id' = o.id::text
     where p.id = any ($1)`,
    [[single.payment_id, answers[0]?.payment_id]],
  )
  expect(rows).toHaveLength(2)
  expect(rows[0]).toEqual(rows[1])
  expect((await shop.admin.query('select * from ops.credit_faults')).rows).toEqual([])
  // The same callbacks again change nothing, and neither do their variants.
  expect(await recordAll(callbacks)).toEqual(answers)
  const variants = orders.map(({ at }) => ({ ...pay(at), profile_id: 1 }))
  expect(new Set(verdicts(await reportAll(variants)))).toEqual(new Set(['suspicious paid_twice']))
  expect(await shop.balance(ana)).toMatchObject({ credits: 114 })
})

test('every other report is judged as by a single call', async () => {
  const make = async () => {
    await shop.newUser()
    const [a, b, c, d] = [await shop.opened(), await shop.opened(), await shop.opened(), await shop.opened()]
    const plans = [await shop.opened('plan', 'gold'), await shop.opened('plan', 'gold')]
    const first = pay(b.at)
    const authorised = pay(d.at, { is_auth: true })
    const list = [
      pay(a.at, { amount_cents: 4899 }),
      pay(a.at, { success: false }),
      pay(a.at),
      child(first, b.at, { is_refund: true, amount_cents: 700 }),
      first,
      { ...first, profile_id: 1 },
      pay(c.at, { is_refund: true }),
      pay(c.at, { owner: 1 }),
      pay(c.at, { pending: true, success: false }),
      authorised,
      child(authorised, d.at, { is_capture: true }),
      ...plans.map(({ at }) => pay(at)),
    ]
    return { list, orders: [a, b, c, d, ...plans] }
  }
  const together = await make()
  const answers = await reportAll(together.list)
  const balance = await shop.balance()
  const alone = await make()
  const expected: Payment[] = []
  for (const one of alone.list) expected.push(await shop.report(one))
  expect(verdicts(answers)).toEqual(verdicts(expected))
  expect(await statusesOf(together.orders)).toEqual(await statusesOf(alone.orders))
  const { ends, ...counted } = await shop.balance()
  expect(balance).toMatchObject(counted)
  // Both plans count, one after the other. Months differ by up to three days if one has begun since.
  expect(Math.abs(Number(balance.ends) - Number(ends))).toBeLessThan(4 * 86_400_000)
  expect(counted.credits).toBe(7 + 6 + 7 + 200)
})

test('a callback of an unknown order, a token and odd values are left to single calls', async () => {
  const { at } = await shop.opened()
  const odd = [
    null,
    1,
    'x',
    [],
    {},
    { type: 'TRANSACTION', signed: 1 },
    { type: 'TRANSACTION', signed: { 'order.id': {} } },
  ]
  const token = { type: 'TOKEN', hmac: 'x', body: '{}', signed: { order_id: String(at.id) }, hints: {} }
  const unknown = asCallback(pay({ ...at, id: at.id + 1_000_000 }))
  const answers = await recordAll([...odd, token, unknown, asCallback(pay(at))] as Recorded[])
  expect(verdicts(answers)).toEqual([...odd.map(() => null), null, null, 'applied'])
  expect(await recordAll([])).toBeNull()
})

test('an order that another transaction has locked keeps no other callback waiting', async () => {
  const first = await shop.opened()
  await shop.newUser()
  const [second, third] = [await shop.opened(), await shop.opened()]
  const other = await shop.database.connect()
  await other.query('begin')
  await other.query('select from users where id = $1 for update', [ana])
  await other.query('select from orders where id = $1 for update', [second.bought.id])
  const answers = await reportAll([first, second, third].map(({ at }) => pay(at)))
  expect(verdicts(answers)).toEqual([null, null, 'applied'])
  await other.query('rollback')
  await other.end()
})

test('a transaction pays one order, and credits stay below their limit', async () => {
  const [a, b, c] = [await shop.opened(), await shop.opened(), await shop.opened()]
  const paid = pay(a.at)
  expect(verdicts(await reportAll([paid, pay(b.at, { id: paid.id })]))).toEqual([
    'applied',
    'suspicious transaction_used',
  ])
  await shop.admin.query("select app.adjust_credits($1, 999999985, 'Nearly full', 'full')", [ana])
  // Order c has no report yet, so its payment comes first.
  expect(verdicts(await reportAll([pay(b.at), pay(c.at)]))).toEqual(['suspicious credits_too_many', 'applied'])
})

test('a payment repays the debt of its user', async () => {
  const [a, b] = [await shop.opened(), await shop.opened()]
  await shop.report(pay(a.at))
  await shop.admin.query("select app.adjust_credits($1, -7, 'Spent', 'spent')", [ana])
  const { rows } = await shop.admin.query('select grant_id from app.order_fulfilments where order_id = $1', [
    a.bought.id,
  ])
  await shop.admin.query('select app.take_back_credits($1, 5, $2)', [rows[0].grant_id, 'Refund'])
  const c = await shop.opened()
  expect(await shop.balance()).toMatchObject({ credits: 0, owed: 5 })
  expect(verdicts(await reportAll([pay(b.at), pay(c.at)]))).toEqual(['applied', 'applied'])
  expect(await shop.balance()).toMatchObject({ credits: 9, owed: 0 })
  expect((await shop.admin.query('select * from ops.credit_faults')).rows).toEqual([])
})

test('leaves a callback of a deleted user to a single call, and records a payment for a deleted plan as suspicious', async () => {
  await shop.admin.query(
    "insert into plans (id, name, price_minor) values ('late', 'Late', 200) on conflict do nothing",
  )
  const plan = await shop.opened('plan', 'late')
  await shop.admin.query("delete from plans where id = 'late'")
  const gone = await shop.newUser()
  const lost = await shop.opened()
  await shop.admin.query('delete from auth.users where id = $1', [gone])
  expect(verdicts(await reportAll([pay(plan.at), pay(lost.at)]))).toEqual(['suspicious plan_missing', null])
})

test('two sessions that record the same callbacks in another order pay each order once', async () => {
  const sessions = await Promise.all([shop.database.connect(), shop.database.connect()])
  const users: string[] = []
  const callbacks: Recorded[] = []
  for (let n = 0; n < 12; n++) {
    if (n % 3 === 0) users.push(await shop.newUser())
    callbacks.push(asCallback(pay((await shop.opened()).at)))
  }
  await Promise.all(
    sessions.map(async (by, n) => {
      let left = n === 0 ? callbacks : callbacks.toReversed()
      await until('all callbacks are recorded', async () => {
        const answers = await recordAll(left, by)
        left = left.filter((_one, place) => answers?.[place] === null)
        return left.length === 0
      })
    }),
  )
  for (const user of users) expect(await shop.balance(user)).toMatchObject({ credits: 21 })
})
