import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { nextId, type PaymobTransaction, signTransaction } from '../../../scripts/local/paymob/callbacks.ts'
import {
  billing,
  child,
  openShop,
  pay,
  paymobAccount,
  type Shop,
  paymobSecret as secret,
} from '../../../scripts/testing/shop.ts'

// Orders and callbacks, as the sidecar and the worker hand them to SQL.
let shop: Shop
let ana: string
const { owner } = paymobAccount

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.database.drop())
beforeEach(async () => {
  ana = await shop.newUser()
})

describe('an order', () => {
  test('is created, opened without billing data, and paid once however often the callback comes', async () => {
    const { bought, at } = await shop.opened()
    expect(bought).toMatchObject({ status: 'created', amount_minor: 4900 })
    const { rows } = await shop.admin.query('select billing from app.order_details where order_id = $1', [bought.id])
    expect(rows).toEqual([{ billing: null }])
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'opened' })
    const paid = pay(at)
    expect(await shop.report(paid)).toMatchObject({ status: 'applied', reason: null })
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
    expect(await shop.report({ ...paid, profile_id: 1 })).toMatchObject({ status: 'duplicate' })
    expect(await shop.balance()).toMatchObject({ credits: 7, owed: 0 })
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'paid' })
  })

  test('keeps the price of its moment, and is the same for the same key', async () => {
    const first = await shop.order('credit_pack', 'seven', 'k1')
    await shop.admin.query("update credit_packs set price_minor = 1 where id = 'seven'")
    expect(await shop.order('credit_pack', 'seven', 'k1')).toMatchObject({ id: first.id, amount_minor: 4900 })
    await shop.admin.query("update credit_packs set price_minor = 4900 where id = 'seven'")
    await expect(shop.order('plan', 'gold', 'k1')).rejects.toMatchObject({ code: 'PT409' })
  })

  test.each([
    ['a kind', 'gift', 'seven', billing, 'order_kind_unknown'],
    ['an item', 'credit_pack', 'nothing', billing, 'item_not_found'],
    ['a free plan', 'plan', 'free', billing, 'item_not_found'],
    ['no phone', 'credit_pack', 'seven', { ...billing, phone: null }, 'billing_invalid'],
    ['a list', 'credit_pack', 'seven', [], 'billing_invalid'],
    ['a long name', 'credit_pack', 'seven', { ...billing, last_name: 'x'.repeat(51) }, 'billing_invalid'],
  ])('is refused with %s that is wrong', async (_what, kind, item, bill, slug) => {
    await expect(
      shop.client.query('select create_order($1, $2, $3, $4)', [kind, item, JSON.stringify(bill), 'key']),
    ).rejects.toMatchObject({ detail: slug })
  })

  test('that was declined first is paid by a later callback', async () => {
    const { bought, at } = await shop.opened()
    expect(await shop.report(pay(at, { success: false }))).toMatchObject({ status: 'declined' })
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'failed' })
    expect(await shop.report(pay(at, { success: false, pending: true }))).toMatchObject({ status: 'pending' })
    expect(await shop.report(pay(at))).toMatchObject({ status: 'applied' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })

  test('whose callback comes before it is opened is paid when it is opened', async () => {
    const bought = await shop.order()
    const paymobId = nextId()
    const at = { id: paymobId, reference: bought.id, amount: 4900, currency: 'EGP', ...paymobAccount }
    expect(await shop.report(pay(at))).toMatchObject({ status: 'parked', reason: 'order_not_opened' })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
    await shop.open(bought, paymobId)
    expect(await shop.balance()).toMatchObject({ credits: 7 })
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'paid' })
  })

  test('that is paid twice shows the second payment to operators', async () => {
    const { at } = await shop.opened()
    await shop.report(pay(at))
    expect(await shop.report(pay(at))).toMatchObject({ status: 'suspicious', reason: 'paid_twice' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })
})

describe('a report changes nothing', () => {
  const changes: [string, Partial<PaymobTransaction>, string, string | null][] = [
    ['an authorisation', { is_auth: true }, 'noted', null],
    ['another amount', { amount_cents: 4899 }, 'suspicious', 'amount_differs'],
    ['another currency', { currency: 'USD' }, 'suspicious', 'currency_differs'],
    ['another integration', { integration_id: 1 }, 'suspicious', 'integration_differs'],
    ['another owner', { owner: 1 }, 'suspicious', 'owner_differs'],
    ['an odd time', { created_at: '020-03-25T18:39:44' }, 'suspicious', 'fields_invalid'],
    ['an error', { error_occured: true }, 'declined', null],
    ['pending', { pending: true }, 'pending', null],
    ['unsigned is_refund', { is_refund: true }, 'suspicious', 'hints_differ'],
    ['unsigned is_void', { is_void: true }, 'suspicious', 'hints_differ'],
    [
      'a refunded parent, whose amount is not signed',
      { is_refunded: true, refunded_amount_cents: 1 },
      'pending',
      'inquiry_needed',
    ],
    ['a voided parent before its payment', { is_voided: true }, 'parked', 'payment_missing'],
    ['a child of no kind', { has_parent_transaction: true, parent_transaction: 1 }, 'suspicious', 'kind_unknown'],
    ['a refund before its payment', { has_parent_transaction: true, is_refund: true }, 'parked', 'payment_missing'],
  ]
  test.each(changes)('%s', async (_what, change, status, reason) => {
    const { at } = await shop.opened()
    expect(await shop.report(pay(at, change))).toMatchObject({ status, reason })
    expect(await shop.balance()).toMatchObject({ credits: 0, owed: 0 })
  })

  test('another order by the unsigned reference, and the genuine callback is still applied', async () => {
    const { at } = await shop.opened()
    const other = await shop.order()
    const paid = pay(at)
    const shifted = { ...paid, order: { ...paid.order, merchant_order_id: other.id } }
    expect(await shop.report(shifted)).toMatchObject({ status: 'suspicious', reason: 'order_differs' })
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
    expect(await shop.statusOf(other)).toMatchObject({ status: 'created' })
  })

  test('digits that moved between neighbours, with the same signature', async () => {
    const { at } = await shop.opened()
    const paid = pay(at)
    const moved = (change: Partial<PaymobTransaction>) => {
      const forged = { ...paid, ...change } as PaymobTransaction
      expect(signTransaction(forged, secret)).toBe(signTransaction(paid, secret))
      return forged
    }
    const [id, integration] = [String(paid.id), String(paid.integration_id)]
    for (const [forged, reason] of [
      [{ id: Number(id + integration[0]), integration_id: Number(integration.slice(1)) }, 'integration_differs'],
      [{ order: { ...paid.order, id: Number(`${at.id}4`) }, owner: 705 }, 'owner_differs'],
      [{ amount_cents: Number(`4900${paid.created_at[0]}`), created_at: paid.created_at.slice(1) }, 'fields_invalid'],
    ] as const)
      expect(await shop.report(moved(forged))).toMatchObject({ status: 'suspicious', reason })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
  })

  test('endless variants of the unsigned part are not kept, and the genuine one is still applied', async () => {
    const { at } = await shop.opened()
    const paid = pay(at)
    for (let n = 0; n < 30; n++) await shop.report({ ...paid, is_refund: true, profile_id: n })
    const { rows } = await shop.admin.query('select count(*)::int as n from payments where order_id = $1', [
      at.reference,
    ])
    expect(rows[0].n).toBe(20)
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })
})

describe('a refund', () => {
  test('takes back the floor of its share, and parts add up', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    await shop.report(paid)
    const first = child(paid, at, { is_refund: true, amount_cents: 1000 })
    expect(await shop.report(first)).toMatchObject({ status: 'applied' })
    // 7 credits x 1000 / 4900 = 1.43
    expect(await shop.balance()).toMatchObject({ credits: 6 })
    expect(await shop.report({ ...first, profile_id: 2 })).toMatchObject({ status: 'duplicate' })
    expect(await shop.statusOf(bought)).toEqual({ status: 'part_refunded', refunded_minor: 1000 })
    await shop.report(child(paid, at, { is_refund: true, amount_cents: 1000 }))
    // 2.86
    expect(await shop.balance()).toMatchObject({ credits: 5 })
    await shop.report(child(paid, at, { is_refund: true, amount_cents: 2900 }))
    expect(await shop.balance()).toMatchObject({ credits: 0, owed: 0 })
    expect(await shop.statusOf(bought)).toEqual({ status: 'refunded', refunded_minor: 4900 })
    const { rows } = await shop.admin.query(
      "select body from notifications where user_id = $1 and kind like 'order%' order by created_at, id",
      [ana],
    )
    expect(rows.map(({ body }) => body)).toEqual([
      'You bought Seven.',
      'A part of your payment for Seven was refunded.',
      'A part of your payment for Seven was refunded.',
      'Your payment for Seven was refunded.',
    ])
    expect(await shop.report(child(paid, at, { is_refund: true, amount_cents: 1 }))).toMatchObject({
      reason: 'refunds_exceed_payment',
    })
  })

  test('before its payment waits for it', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    expect(await shop.report(child(paid, at, { is_refund: true, amount_cents: 4900 }))).toMatchObject({
      status: 'parked',
    })
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
    expect(await shop.balance()).toMatchObject({ credits: 0, owed: 0 })
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'refunded' })
  })

  test('becomes a debt if the credits are spent', async () => {
    const { at } = await shop.opened()
    const paid = pay(at)
    await shop.report(paid)
    await shop.admin.query("select app.adjust_credits($1, -5, 'Spent', 'spent')", [ana])
    await shop.report(child(paid, at, { is_void: true }))
    expect(await shop.balance()).toMatchObject({ credits: 0, owed: 5 })
  })

  test('that names another payment is suspicious', async () => {
    const { at } = await shop.opened()
    await shop.report(pay(at))
    const foreign = child({ ...pay(at), id: 1 }, at, { is_refund: true, amount_cents: 100 })
    expect(await shop.report(foreign)).toMatchObject({ status: 'suspicious', reason: 'parent_differs' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })

  test('takes everything if the payment itself is voided', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    await shop.report(paid)
    expect(await shop.report({ ...paid, is_voided: true })).toMatchObject({ status: 'applied' })
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'voided' })
    expect(await shop.balance()).toMatchObject({ credits: 0, owed: 0 })
  })
})

describe('a plan', () => {
  const days = (date: Date | null) => Math.round(((date?.getTime() ?? 0) - Date.now()) / 86_400_000)

  test('is replaced at once, renewed from its end, and shortened by a full refund', async () => {
    const silver = await shop.opened('plan', 'silver')
    await shop.report(pay(silver.at))
    expect(await shop.balance()).toMatchObject({ plan: 'silver', credits: 30 })
    const gold = await shop.opened('plan', 'gold')
    await shop.report(pay(gold.at))
    const first = await shop.balance()
    expect(first).toMatchObject({ plan: 'gold', credits: 130 })
    expect(days(first.ends)).toBeGreaterThanOrEqual(28)
    const again = await shop.opened('plan', 'gold')
    const paid = pay(again.at)
    await shop.report(paid)
    const second = await shop.balance()
    expect(days(second.ends)).toBeGreaterThanOrEqual(days(first.ends) + 28)
    await shop.report(child(paid, again.at, { is_refund: true, amount_cents: 4000 }))
    expect((await shop.balance()).ends).toEqual(second.ends)
    await shop.report(child(paid, again.at, { is_refund: true, amount_cents: 6000 }))
    expect(days((await shop.balance()).ends)).toBe(days(first.ends))
  })

  test('that has ended returns to free, with a notice three days before and one after', async () => {
    const { at } = await shop.opened('plan', 'gold')
    await shop.report(pay(at))
    const told = async () =>
      (await shop.admin.query('select kind from notifications where user_id = $1 order by created_at', [ana])).rows.map(
        ({ kind }) => kind,
      )
    await shop.admin.query("update users set plan_ends_at = now() + interval '2 days' where id = $1", [ana])
    await shop.admin.query('select app.announce_plan_ends(); select app.announce_plan_ends()')
    expect((await told()).filter((kind) => kind === 'plan_ends_soon')).toHaveLength(1)
    await shop.admin.query("update users set plan_ends_at = now() - interval '1 second' where id = $1", [ana])
    await shop.admin.query('select app.return_lapsed_plans()')
    expect(await shop.balance()).toMatchObject({ plan: 'free', ends: null })
    expect(await told()).toContain('plan_ended')
  })
})

describe('an inquiry', () => {
  test('fulfils an order whose callback was lost, and a callback that comes later gives nothing more', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    await shop.inquire([paid], bought)
    expect(await shop.balance()).toMatchObject({ credits: 7 })
    expect(await shop.report(paid)).toMatchObject({ status: 'duplicate' })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })

  test('confirms the unsigned amount of a refund, and does not count its child twice', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    await shop.report(paid)
    await shop.report({ ...paid, is_refunded: true, refunded_amount_cents: 4900 })
    expect(await shop.balance()).toMatchObject({ credits: 7 })
    await shop.inquire([{ ...paid, is_refunded: true, refunded_amount_cents: 1000 }], bought)
    expect(await shop.balance()).toMatchObject({ credits: 6 })
    expect(await shop.report(child(paid, at, { is_refund: true, amount_cents: 1000 }))).toMatchObject({
      status: 'duplicate',
    })
    expect(await shop.statusOf(bought)).toEqual({ status: 'part_refunded', refunded_minor: 1000 })
  })

  test('that finds nothing ends an old order, and a payment still counts', async () => {
    const { bought, at } = await shop.opened()
    await shop.admin.query("update orders set created_at = now() - interval '2 days' where id = $1", [bought.id])
    await shop.inquire([], bought)
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'expired' })
    await shop.report(pay(at))
    expect(await shop.balance()).toMatchObject({ credits: 7 })
  })
})

test('the books of a deleted user stay without a name, and a callback for them is suspicious', async () => {
  const { bought, at } = await shop.opened()
  const paid = pay(at)
  await shop.report(paid)
  const unpaid = await shop.opened()
  await shop.admin.query('delete from auth.users where id = $1', [ana])
  const { rows } = await shop.admin.query(
    `select o.user_id, o.status, p.user_id as payer, c.body, c.signed ->> 'source_data.pan' as pan
     from orders o join payments p on p.order_id = o.id join app.payment_callbacks c on c.payment_id = p.id
     where o.id = $1`,
    [bought.id],
  )
  expect(rows).toEqual([{ user_id: null, status: 'paid', payer: null, body: '', pan: null }])
  expect(await shop.report(pay(unpaid.at))).toMatchObject({ status: 'suspicious', reason: 'user_deleted' })
})

test('replay_callback judges again after a setting was corrected', async () => {
  const { at } = await shop.opened()
  await shop.admin.query('update app.settings set paymob_owner_id = 1')
  const { payment_id } = await shop.report(pay(at))
  await shop.admin.query('update app.settings set paymob_owner_id = $1', [owner])
  const { rows } = await shop.admin.query('select status from replay_callback($1)', [payment_id])
  expect(rows).toEqual([{ status: 'applied' }])
  expect(await shop.balance()).toMatchObject({ credits: 7 })
})

test('the ledger adds up', async () => {
  expect((await shop.admin.query('select * from ops.credit_faults')).rows).toEqual([])
})
