import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { makeTransaction, type PaymobTransaction, signTransaction } from '../../../scripts/local/paymob/callbacks.ts'
import {
  asCallback,
  billing,
  child,
  openShop,
  pay,
  paymobAccount,
  paymobSecret,
  record,
  type Shop,
} from '../../../scripts/testing/shop.ts'
import { readCallback, transactionFields } from '../../../sidecar/paymob/callback.ts'

// Reports that are wrong in ways that money could follow, and what they must not do.
let shop: Shop
let ana: string

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.database.drop())
beforeEach(async () => {
  ana = await shop.newUser()
})

const isSignedAlike = (one: PaymobTransaction, other: PaymobTransaction) =>
  signTransaction(one, paymobSecret) === signTransaction(other, paymobSecret)

describe('words that move between neighbours with the same signature', () => {
  test('make no payment of an authorisation', async () => {
    const { at } = await shop.opened()
    const authorised = pay(at, { is_auth: true, is_standalone_payment: false })
    const moved = {
      ...authorised,
      is_3d_secure: 'truetrue',
      is_auth: false,
      is_standalone_payment: '',
    } as unknown as PaymobTransaction
    expect(isSignedAlike(moved, authorised)).toBe(true)
    expect(await shop.report(moved)).toMatchObject({ status: 'suspicious', reason: 'fields_invalid' })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
  })

  test('make no payment of a payment that was refunded', async () => {
    const { at } = await shop.opened()
    const refunded = pay(at, { is_3d_secure: false, is_refunded: true, refunded_amount_cents: 4900 })
    const moved = {
      ...refunded,
      is_3d_secure: '',
      is_refunded: false,
      is_standalone_payment: 'truetrue',
    } as unknown as PaymobTransaction
    expect(isSignedAlike(moved, refunded)).toBe(true)
    expect(await shop.report(moved)).toMatchObject({ status: 'suspicious', reason: 'fields_invalid' })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
  })
})

describe('the signed text has no separators, so', () => {
  const split = (one: PaymobTransaction) =>
    Object.values(readCallback(Buffer.from(JSON.stringify({ type: 'TRANSACTION', obj: one }))).signed ?? {})
  /** Every other way to split the text of three neighbouring fields, with the same signature. */
  function resplit(values: string[]): string[][] {
    const ways: string[][] = []
    for (let n = 0; n + 2 < values.length; n++) {
      const text = values.slice(n, n + 3).join('')
      for (let i = 0; i <= text.length; i++) {
        for (let j = i; j <= text.length; j++) {
          const way = [...values.slice(0, n), text.slice(0, i), text.slice(i, j), text.slice(j), ...values.slice(n + 3)]
          if (way.some((value, place) => value !== values[place])) ways.push(way)
        }
      }
    }
    return ways
  }
  // The parts of the card carry no meaning, and are not compared.
  const free = ['source_data.pan', 'source_data.sub_type', 'source_data.type']

  test.each<[string, Partial<PaymobTransaction>]>([
    ['a payment', {}],
    ['a pending payment', { pending: true, success: false }],
    ['an authorisation', { is_auth: true, is_standalone_payment: false }],
    ['a refund', { has_parent_transaction: true, created_at: '2026-11-27T10:00:00Z' }],
    [
      'a refunded payment without 3D',
      { is_refunded: true, is_3d_secure: false, created_at: '2026-11-27T10:00:00+02:00' },
    ],
    ['a payment whose ids repeat those of the account', { id: 67416741 }],
    ['a wallet whose number looks like a word', { source_data: { pan: 'true', type: 'false', sub_type: 'true' } }],
  ])('%s has no second reading at any of the 19 boundaries', async (_what, change) => {
    const order = { id: 47054705, reference: 'x', amount: 4900, currency: 'EGP', ...paymobAccount }
    const values = split(pay(order, change))
    const ways = resplit(values)
    expect(ways.length).toBeGreaterThan(2000)
    const { rows } = await shop.admin.query(
      `select s.signed from (
         select (select jsonb_object_agg(f.name, w.way ->> (f.n - 1)::int) from unnest($2::text[]) with ordinality as f (name, n))
           as signed
         from jsonb_array_elements($1) as w (way)
       ) as s where app.find_field_fault(s.signed) is null`,
      [JSON.stringify(ways), [...transactionFields]],
    )
    const meant = Object.fromEntries(transactionFields.map((field, n) => [field, values[n]]))
    for (const { signed } of rows)
      expect(signed).toMatchObject({ ...meant, ...Object.fromEntries(free.map((f) => [f, signed[f]])) })
    // The text itself is accepted, so the search would find a second reading.
    const { rows: own } = await shop.admin.query('select app.find_field_fault($1) as fault', [meant])
    expect(own).toEqual([{ fault: null }])
  })

  test('the settings refuse an integration id that ends with the digits of another one', async () => {
    const set = (ids: number[]) => shop.admin.query('update app.settings set paymob_integration_ids = $1', [ids])
    await expect(set([6741, 741])).rejects.toMatchObject({ code: 'PT422', detail: 'integration_ids_ambiguous' })
    await expect(set([1, 6741])).rejects.toMatchObject({ detail: 'integration_ids_ambiguous' })
    await set([6741, 67411, 6741])
    await set([paymobAccount.integrationId])
  })
})

test('an id of Paymob that two orders get belongs to the first one, and operators see the second one', async () => {
  const { bought: first, at } = await shop.opened()
  const second = await shop.order()
  await shop.open(second, at.id)
  const { rows } = await shop.client.query('select status, checkout_url, error from orders where id = $1', [second.id])
  expect(rows).toEqual([
    { status: 'failed', checkout_url: null, error: 'Paymob returned the id of another order. Create a new order.' },
  ])
  const listed = await shop.admin.query(
    'select id, reason, order_id, user_id, paymob_order_id::float8 as at from ops.suspicious_payments where order_id = $1',
    [second.id],
  )
  const [row] = listed.rows
  expect(row).toMatchObject({ reason: 'paymob_order_taken', order_id: second.id, user_id: ana, at: at.id })
  // To judge the row again changes nothing.
  await shop.admin.query('select replay_callback($1)', [row.id])
  expect((await shop.admin.query('select status from payments where id = $1', [row.id])).rows).toEqual([
    { status: 'suspicious' },
  ])
  expect(await shop.report(pay(at))).toMatchObject({ status: 'applied' })
  expect(await shop.statusOf(first)).toMatchObject({ status: 'paid' })
  expect(await shop.statusOf(second)).toMatchObject({ status: 'failed' })
  expect(await shop.balance()).toMatchObject({ credits: 7 })
})

describe('unpaid orders', () => {
  const limit = (max: number) => shop.admin.query('update app.settings set orders_open_max = $1', [max])

  test('are limited, and a payment or an expiry permits another order', async () => {
    await limit(2)
    const first = await shop.opened()
    const second = await shop.order()
    await expect(shop.order()).rejects.toMatchObject({
      code: 'PGRST',
      message: expect.stringContaining('orders_open_reached'),
    })
    await shop.report(pay(first.at))
    const third = await shop.order('credit_pack', 'seven', 'third')
    expect(await shop.order('credit_pack', 'seven', 'third')).toMatchObject({ id: third.id })
    await expect(shop.order()).rejects.toMatchObject({ message: expect.stringContaining('orders_open_reached') })
    await shop.admin.query("update orders set created_at = now() - interval '2 days' where id = $1", [second.id])
    await shop.order()
    await limit(20)
  })

  test('are counted exactly when 20 sessions create them at the same time', async () => {
    await limit(3)
    const sessions = await Promise.all(Array.from({ length: 20 }, () => shop.database.connect()))
    const outcomes = await Promise.all(
      sessions.map(async (session, n) => {
        await session.query(
          `select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false)`,
          [JSON.stringify({ sub: ana, role: 'authenticated' })],
        )
        const values = ['credit_pack', 'seven', billing, `key ${n}`]
        return session.query('select create_order($1, $2, $3, $4)', values).then(
          () => 'created',
          ({ message }) => (message.includes('orders_open_reached') ? 'refused' : message),
        )
      }),
    )
    expect(outcomes.sort()).toEqual([...Array(3).fill('created'), ...Array(17).fill('refused')])
    await limit(20)
  })
})

describe('a callback of any form is stored without an error', () => {
  const huge = `1${'0'.repeat(400)}`
  const base = () =>
    asCallback(makeTransaction({ id: 1, reference: 'x', amount: 1, currency: 'EGP', integrationId: 6741, owner: 4705 }))
  test.each([
    ['null', () => null],
    ['a list', () => []],
    ['a text', () => 'x'],
    ['an empty object', () => ({})],
    ['without a signature', () => ({ ...base(), hmac: null })],
    ['without a body', () => ({ ...base(), body: null })],
    ['without signed fields', () => ({ ...base(), signed: null })],
    ['without hints', () => ({ ...base(), hints: undefined })],
    ['without a type', () => ({ ...base(), type: undefined })],
    ['numbers for texts', () => ({ type: 1, hmac: 2, body: 3, signed: 4, hints: 5 })],
    ['lists for objects', () => ({ type: 'TRANSACTION', hmac: [], body: [], signed: [1], hints: ['is_refund'] })],
    ['texts for objects', () => ({ ...base(), signed: 'x', hints: 'y' })],
    ['nested values', () => ({ ...base(), signed: { id: { id: 1 }, 'order.id': ['1'], amount_cents: {} } })],
    ['huge numbers', () => ({ ...base(), signed: { id: huge, 'order.id': huge, amount_cents: huge, owner: huge } })],
    ['huge JSON numbers', () => ({ ...base(), signed: { id: 1e300, 'order.id': 1e22, amount_cents: 1.5 } })],
    [
      'a long signature',
      () => ({ ...base(), hmac: Array.from({ length: 9000 }, () => Math.random().toString(36)).join('') }),
    ],
    ['a long reference', () => ({ ...base(), hints: { merchant_order_id: 'ä'.repeat(20_000) } })],
    ['odd texts', () => ({ ...base(), signed: { currency: '\u0001\uffff💥'.repeat(9), created_at: "'; drop" } })],
    ['a token of no order', () => ({ type: 'TOKEN', hmac: 'x', body: '{}', signed: { order_id: huge }, hints: {} })],
  ])('%s', async (_what, make) => {
    const { status } = await record(shop.admin, make())
    expect(['suspicious', 'noted']).toContain(status)
    await shop.admin.query('select * from replay_callback($1)', [(await record(shop.admin, make())).payment_id])
  })
})

describe('an item', () => {
  test('that was disabled is still delivered', async () => {
    const { at } = await shop.opened()
    await shop.admin.query("update credit_packs set enabled = false where id = 'seven'")
    expect(await shop.report(pay(at))).toMatchObject({ status: 'applied' })
    await shop.admin.query("update credit_packs set enabled = true where id = 'seven'")
  })

  test('that was deleted: a pack is delivered, a plan waits for the operator', async () => {
    await shop.admin.query(`
      insert into credit_packs (id, name, credits, price_minor) values ('gone', 'Gone', 3, 100);
      insert into plans (id, name, price_minor, credits_per_period) values ('gone', 'Gone', 200, 5)`)
    const pack = await shop.opened('credit_pack', 'gone')
    const plan = await shop.opened('plan', 'gone')
    await shop.admin.query("delete from credit_packs where id = 'gone'; delete from plans where id = 'gone'")
    expect(await shop.report(pay(pack.at))).toMatchObject({ status: 'applied' })
    const paid = pay(plan.at)
    const payment = await shop.report(paid)
    expect(payment).toMatchObject({ status: 'suspicious', reason: 'plan_missing' })
    await shop.admin.query("insert into plans (id, name, price_minor) values ('gone', 'Gone', 200)")
    const { rows } = await shop.admin.query('select status from replay_callback($1)', [payment.payment_id])
    expect(rows).toEqual([{ status: 'applied' }])
    expect(await shop.balance()).toMatchObject({ plan: 'gone', credits: 8 })
  })

  test('that costs more than 9,999,999.99 can be paid', async () => {
    await shop.admin.query(
      "insert into credit_packs (id, name, credits, price_minor) values ('palace', 'Palace', 9, 2000000000)",
    )
    const { at } = await shop.opened('credit_pack', 'palace')
    const paid = pay(at)
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
    expect(await shop.report(child(paid, at, { is_refund: true, amount_cents: 1_000_000_000 }))).toMatchObject({
      status: 'applied',
    })
    expect(await shop.balance()).toMatchObject({ credits: 5 })
  })

  test('whose period is days ends after these days, with its credits', async () => {
    await shop.admin.query(
      "insert into plans (id, name, price_minor, credits_per_period, period) values ('week', 'Week', 100, 5, '7 days')",
    )
    const { bought, at } = await shop.opened('plan', 'week')
    await shop.report(pay(at))
    const { rows } = await shop.admin.query(
      `select o.paid_at + interval '7 days' = u.plan_ends_at as ends, g.expires_at = u.plan_ends_at as expires
       from orders o join users u on u.id = o.user_id join credit_grants g on g.reference = o.id::text where o.id = $1`,
      [bought.id],
    )
    expect(rows).toEqual([{ ends: true, expires: true }])
  })
})

describe('a captured authorisation', () => {
  const captured = async () => {
    const { bought, at } = await shop.opened()
    const authorised = pay(at, { is_auth: true })
    expect(await shop.report(authorised)).toMatchObject({ status: 'noted' })
    return { bought, at, authorised, capture: child(authorised, at, { is_capture: true }) }
  }

  test('pays, and a refund may name either as its parent', async () => {
    const { bought, at, authorised, capture } = await captured()
    expect(await shop.report(capture)).toMatchObject({ status: 'applied' })
    for (const parent of [authorised, capture]) {
      expect(await shop.report(child(parent, at, { is_refund: true, amount_cents: 2450 }))).toMatchObject({
        status: 'applied',
      })
    }
    expect(await shop.statusOf(bought)).toEqual({ status: 'refunded', refunded_minor: 4900 })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
  })

  test('pays nothing if the captured amount is smaller', async () => {
    const { capture } = await captured()
    expect(await shop.report({ ...capture, amount_cents: 4000 })).toMatchObject({ reason: 'amount_differs' })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
  })

  test('is not undone by the void of another authorisation', async () => {
    const { at, authorised, capture } = await captured()
    await shop.report(capture)
    const other = pay(at, { is_auth: true })
    await shop.report(other)
    expect(await shop.report({ ...other, is_voided: true })).toMatchObject({ reason: 'transaction_differs' })
    expect(await shop.report(child(other, at, { is_void: true }))).toMatchObject({ reason: 'parent_differs' })
    expect(await shop.report({ ...authorised, is_voided: true })).toMatchObject({ status: 'applied' })
    expect(await shop.balance()).toMatchObject({ credits: 0 })
  })
})

describe('an inquiry', () => {
  test('that finds only the refund of a payment waits for the payment, which is then refunded', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    const refund = child(paid, at, { is_refund: true, amount_cents: 1400 })
    await shop.inquire([refund], bought)
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'opened' })
    expect(await shop.report(paid)).toMatchObject({ status: 'applied' })
    expect(await shop.statusOf(bought)).toEqual({ status: 'part_refunded', refunded_minor: 1400 })
    expect(await shop.balance()).toMatchObject({ credits: 5 })
  })

  test('that finds an authorisation which was voided keeps the plan that the user has', async () => {
    const gold = await shop.opened('plan', 'gold')
    await shop.report(pay(gold.at))
    const before = await shop.balance()
    const silver = await shop.opened('plan', 'silver')
    await shop.inquire([pay(silver.at, { is_auth: true, is_voided: true })], silver.bought)
    expect(await shop.balance()).toEqual(before)
  })

  test('that finds a payment which was voided keeps the plan that the user has', async () => {
    const gold = await shop.opened('plan', 'gold')
    await shop.report(pay(gold.at))
    const before = await shop.balance()
    const silver = await shop.opened('plan', 'silver')
    await shop.inquire([pay(silver.at, { is_voided: true })], silver.bought)
    expect(await shop.balance()).toEqual(before)
  })

  test('about a refund is made until the refund is confirmed, and not after that', async () => {
    const { bought, at } = await shop.opened()
    const paid = pay(at)
    await shop.report(paid)
    const next = async () =>
      (await shop.admin.query('select next_inquiry_at from app.order_details where order_id = $1', [bought.id])).rows[0]
        .next_inquiry_at
    expect(await next()).toBeNull()
    const refunded = { ...paid, is_refunded: true, refunded_amount_cents: 4900 }
    const { payment_id } = await shop.report(refunded)
    await shop.inquire([paid], bought)
    expect(await next()).not.toBeNull()
    await shop.inquire([refunded], bought)
    expect(await shop.statusOf(bought)).toMatchObject({ status: 'refunded' })
    expect(await next()).toBeNull()
    const { rows } = await shop.admin.query('select status, reason from payments where id = $1', [payment_id])
    expect(rows).toEqual([{ status: 'duplicate', reason: null }])
  })
})

describe('a plan', () => {
  test('that was replaced and bought again loses no period to a refund of the first order', async () => {
    const first = await shop.opened('plan', 'gold')
    const paid = pay(first.at)
    await shop.report(paid)
    await shop.report(pay((await shop.opened('plan', 'silver')).at))
    await shop.report(pay((await shop.opened('plan', 'gold')).at))
    const before = await shop.balance()
    await shop.report(child(paid, first.at, { is_refund: true, amount_cents: 10_000 }))
    expect((await shop.balance()).ends).toEqual(before.ends)
  })

  test.each([
    [0, 1],
    [1, 0],
  ])('bought twice ends now when order %i and then order %i are refunded', async (...sequence) => {
    const both = [await shop.opened('plan', 'gold'), await shop.opened('plan', 'gold')].map(({ at }) => ({
      at,
      paid: pay(at),
    }))
    for (const { paid } of both) await shop.report(paid)
    for (const n of sequence) {
      const { at, paid } = both[n] as (typeof both)[number]
      await shop.report(child(paid, at, { is_refund: true, amount_cents: 10_000 }))
    }
    await shop.admin.query('select app.return_lapsed_plans()')
    expect(await shop.balance()).toMatchObject({ plan: 'free', ends: null, owed: 0 })
  })

  test('that replaced another one stays when the order of the other one is refunded', async () => {
    const gold = await shop.opened('plan', 'gold')
    const paid = pay(gold.at)
    await shop.report(paid)
    const renewal = await shop.opened('plan', 'gold')
    await shop.report(pay((await shop.opened('plan', 'silver')).at))
    const before = await shop.balance()
    await shop.report(child(paid, gold.at, { is_refund: true, amount_cents: 10_000 }))
    expect(await shop.balance()).toMatchObject({ plan: 'silver', ends: before.ends, credits: 30 })
    // Ordered as a renewal, paid after another plan came: the plan is replaced, from now on.
    await shop.report(pay(renewal.at))
    const { rows } = await shop.admin.query(
      'select u.plan_id, u.plan_ends_at = o.paid_at + o.period as is_from_now from users u join orders o on o.id = $1 where u.id = $2',
      [renewal.bought.id, ana],
    )
    expect(rows).toEqual([{ plan_id: 'gold', is_from_now: true }])
  })
})

test('endless variants of a pending callback are not kept', async () => {
  const { at } = await shop.opened()
  const pending = pay(at, { pending: true, success: false })
  for (let n = 0; n < 30; n++) await shop.report({ ...pending, profile_id: n })
  const { rows } = await shop.admin.query('select count(*)::int as n from payments where order_id = $1', [at.reference])
  expect(rows).toEqual([{ n: 20 }])
})

test.each(['open_order', 'inquire_orders'])('a client cannot submit a run of %s', async (type) => {
  await expect(
    shop.client.query('select submit_run($1)', [JSON.stringify({ key: 'a', type, input: {} })]),
  ).rejects.toMatchObject({ code: expect.stringMatching(/^(PT4..|42501|42883)$/) })
})

test('a foreign user and anon read no order and no payment', async () => {
  const { at } = await shop.opened()
  await shop.report(pay(at))
  await shop.newUser()
  expect((await shop.client.query('select id from orders')).rows).toEqual([])
  expect((await shop.client.query('select id from payments')).rows).toEqual([])
})

test('export_my_data has the orders with their payments, and nothing of a callback', async () => {
  const { bought, at } = await shop.opened()
  await shop.report(pay(at))
  const { rows } = await shop.client.query('select export_my_data() as data')
  const { orders } = rows[0].data
  expect(orders).toHaveLength(1)
  expect(orders[0]).toMatchObject({ order: { id: bought.id, status: 'paid' }, billing: null })
  expect(orders[0].payments).toMatchObject([{ kind: 'payment', status: 'applied', amount_minor: 4900 }])
  expect(JSON.stringify(orders)).not.toContain('2346')
})

test.each(['orders', 'payments'])('no client writes %s', async (table) => {
  await shop.opened()
  const as = async (role: string, statement: string) => {
    await shop.client.query("select set_config('role', $1, false)", [role])
    return shop.client.query(statement)
  }
  for (const role of ['anon', 'authenticated', 'service_role']) {
    for (const statement of [
      `insert into ${table} default values`,
      `update ${table} set status = 'paid'`,
      `delete from ${table}`,
      `truncate ${table}`,
    ]) {
      await expect(as(role, statement), `${role}: ${statement}`).rejects.toMatchObject({ code: '42501' })
    }
  }
  await expect(as('anon', `select from ${table}`)).rejects.toMatchObject({ code: '42501' })
  await expect(as('authenticated', 'select from app.payment_callbacks')).rejects.toMatchObject({ code: '42501' })
  await expect(as('authenticated', "select sidecar.record_paymob_callback('{}')")).rejects.toMatchObject({
    code: '42501',
  })
  await expect(as('authenticated', 'select replay_callback(gen_random_uuid())')).rejects.toMatchObject({
    code: '42501',
  })
  await shop.client.query('reset role')
})

test('nothing personal is left after the deletion of a user, wherever callbacks were when it happened', async () => {
  const mark = `pii${Date.now()}`
  const personal = {
    billing_data: { first_name: mark },
    source_data: { pan: mark, type: 'card', sub_type: 'MasterCard' },
  }
  const tell = async (transaction: PaymobTransaction) => shop.report({ ...transaction, ...personal } as never)
  const token = (order_id: number, id: string) =>
    record(shop.admin, {
      ...{ type: 'TOKEN', hmac: id, body: JSON.stringify({ email: mark, order_id }), hints: {} },
      signed: { order_id: String(order_id), email: mark, masked_pan: mark, card_subtype: 'Visa' },
    })
  const paid = await shop.opened()
  await tell(pay(paid.at))
  await token(paid.at.id, 'a')
  await tell({ ...pay(paid.at), is_refund: true })
  // A token and a payment that came before the order was opened.
  const early = await shop.order('credit_pack', 'seven', mark)
  const earlyAt = { ...paid.at, id: paid.at.id + 777_000, reference: early.id }
  await token(earlyAt.id, 'b')
  await shop.open(early, earlyAt.id)
  // A payment of an order that is never opened.
  const never = await shop.order()
  await tell(pay({ ...paid.at, id: paid.at.id + 888_000, reference: never.id }))
  await shop.admin.query('delete from auth.users where id = $1', [ana])
  // Late ones.
  await tell(pay(paid.at))
  await token(paid.at.id, 'c')
  await tell(pay({ ...paid.at, id: paid.at.id + 999_000, reference: never.id }))
  const { rows: tables } = await shop.admin.query(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema in ('public', 'app', 'auth', 'worker', 'sidecar')`,
  )
  const found = []
  for (const { name } of tables) {
    const { rows } = await shop.admin.query(
      `select t.*, $2 as "table" from ${name} as t where to_jsonb(t)::text like $1`,
      [`%${mark}%`, name],
    )
    found.push(...rows)
  }
  expect(found).toEqual([])
})
