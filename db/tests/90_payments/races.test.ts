import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nextId } from '../../../scripts/local/paymob/callbacks.ts'
import { child, openShop, pay, paymobAccount, type Shop } from '../../../scripts/testing/shop.ts'
import { until } from '../../../scripts/testing/waiting.ts'

// Two transactions that meet: the first one is open while the second one begins. Each pair runs in both orders.
let shop: Shop
let sessions: [Client, Client]
let secondPid: number
let ana: string

beforeAll(async () => {
  shop = await openShop()
  sessions = [await shop.database.connect(), await shop.database.connect()]
  secondPid = (await sessions[1].query('select pg_backend_pid() as pid')).rows[0].pid
})
afterAll(() => shop.database.drop())
beforeEach(async () => {
  ana = await shop.newUser()
})

type Work = (by: Client) => Promise<unknown>

/** Runs `second` while the transaction of `first` is open, and commits as soon as `second` waits or has ended. */
async function meet([first, second]: [Work, Work]): Promise<void> {
  const [one, other] = sessions
  await one.query('begin')
  await first(one).catch(async (error) => {
    await one.query('rollback')
    throw error
  })
  let isDone = false
  const ending = second(other).finally(() => {
    isDone = true
  })
  ending.catch(() => {})
  await until('the second transaction waits or has ended', async () => {
    const { rows } = await shop.admin.query('select cardinality(pg_blocking_pids($1)) > 0 as waits', [secondPid])
    return isDone || rows[0].waits
  })
  await one.query('commit')
  await ending
}
const inBothOrders = (one: Work, other: Work): [string, [Work, Work]][] => [
  ['first', [one, other]],
  ['second', [other, one]],
]
const unopened = async () => {
  const bought = await shop.order()
  return { bought, at: { id: nextId(), reference: bought.id, amount: 4900, currency: 'EGP', ...paymobAccount } }
}
const entries = async () =>
  (await shop.admin.query("select count(*)::int as n from credit_grants where user_id = $1 and source = 'pack'", [ana]))
    .rows[0].n

describe.each(['first', 'second'])('a callback that is %s', (place) => {
  const run = async (callback: Work, other: Work) => {
    const [, pair] = inBothOrders(callback, other).find(([name]) => name === place) as [string, [Work, Work]]
    await meet(pair)
  }

  test('meets the opening of its order: the order is paid', async () => {
    const { bought, at } = await unopened()
    const opening = await shop.claimOpening(bought, at.id)
    await run((by) => shop.report(pay(at), by), opening)
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'paid' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })

  test('meets the same callback, and one with other unsigned fields: the order is paid once', async () => {
    const { at } = await shop.opened()
    const paid = pay(at)
    await run(
      (by) => shop.report(paid, by),
      (by) => shop.report(paid, by),
    )
    await run(
      (by) => shop.report({ ...paid, profile_id: 1 }, by),
      (by) => shop.report({ ...paid, profile_id: 2 }, by),
    )
    expect(await entries()).toBe(1)
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })

  test('meets its refund: both are applied', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    await run(
      (by) => shop.report(paid, by),
      (by) => shop.report(child(paid, at, { is_refund: true, amount_cents: 4900 }), by),
    )
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'refunded' })
    expect(await shop.balance()).toMatchObject({ credits: 0, owed: 0 })
  })

  test('meets an inquiry: the order is paid once', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    const inquiry = await shop.claimInquiry([paid], bought)
    await run((by) => shop.report(paid, by), inquiry)
    expect(await entries()).toBe(1)
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'paid' })
  })

  test('meets the expiry of its order: the order is paid', async () => {
    const { bought, at } = await shop.opened()
    await shop.admin.query("update orders set created_at = now() - interval '2 days' where id = $1", [bought.id])
    await run(
      (by) => shop.report(pay(at), by),
      (by) => by.query('select app.settle_orders(array[$1::uuid])', [bought.id]),
    )
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'paid' })
  })

  test('meets the deletion of its user: it is stored, and nothing personal stays', async () => {
    const { bought, at } = await shop.opened()
    await run(
      (by) => shop.report(pay(at), by),
      (by) => by.query('delete from auth.users where id = $1', [ana]),
    )
    const { rows } = await shop.admin.query(
      `select p.user_id, c.body, c.signed ? 'source_data.pan' as has_card
       from payments p join app.payment_callbacks c on c.payment_id = p.id where p.order_id = $1`,
      [bought.id],
    )
    expect(rows).toEqual([{ user_id: null, body: '', has_card: false }])
  })

  test('meets the return of the lapsed plan that it renews: the plan goes on', async () => {
    await shop.report(pay((await shop.opened('plan', 'gold')).at))
    const { at } = await shop.opened('plan', 'gold')
    await shop.admin.query("update users set plan_ends_at = now() - interval '1 second' where id = $1", [ana])
    await run(
      (by) => shop.report(pay(at), by),
      (by) => by.query('select app.return_lapsed_plans()'),
    )
    expect(await shop.balance()).toMatchObject({ plan: 'gold' })
  })

  test('meets replay_callback of an earlier report: the order is paid once', async () => {
    const { bought, at } = await unopened()
    const paid = pay(at)
    const { payment_id } = await shop.report(paid)
    const opening = await shop.claimOpening(bought, at.id)
    await run(opening, (by) => by.query('select replay_callback($1)', [payment_id]))
    const { rows } = await shop.admin.query('select status, order_id from payments where id = $1', [payment_id])
    expect(rows).toEqual([{ status: 'applied', order_id: bought.id }])
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })
})

test('eight sessions send payments, refunds and variants of twelve orders in any order: no deadlock, nothing twice', async () => {
  const clients = await Promise.all(Array.from({ length: 8 }, () => shop.database.connect()))
  const reports: ((by: Client) => Promise<unknown>)[] = []
  for (let n = 0; n < 12; n++) {
    if (n % 3 === 0) ana = await shop.newUser()
    const { at } = await shop.opened()
    const paid = pay(at)
    const refund = child(paid, at, { is_refund: true, amount_cents: 700 })
    for (const one of [paid, paid, { ...paid, profile_id: 1 }, refund, refund, { ...paid, is_refund: true }]) {
      reports.push((by) => shop.report(one, by))
    }
  }
  reports.sort(() => Math.random() - 0.5)
  await Promise.all(
    clients.map(async (by) => {
      for (let work = reports.pop(); work; work = reports.pop()) await work(by)
    }),
  )
  const { rows } = await shop.admin.query(
    `select count(*)::int as n, sum(g.amount)::int as given, sum(g.taken_back)::int as taken
     from orders o join credit_grants g on g.reference = o.id::text where o.status = 'part_refunded'`,
  )
  expect(rows).toEqual([{ n: 12, given: 84, taken: 12 }])
  expect((await shop.admin.query('select * from ops.credit_faults')).rows).toEqual([])
})
