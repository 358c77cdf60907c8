import { afterAll, beforeAll, expect, test } from 'vitest'
import { nextId, type PaymobOrder } from '../../../scripts/local/paymob/callbacks.ts'
import { connectAsSuperuser, type PlanWatch, statistics, watchPlans } from '../../../scripts/testing/plans.ts'
import { asCallback, billing, child, openShop, pay, paymobAccount, type Shop } from '../../../scripts/testing/shop.ts'

// One order among 100,000: every statement of the module finds its rows by an index, with any statistics.
let shop: Shop
let ana: string
/** A session that has planned every statement when there were orders but no reports. */
let early: PlanWatch
const size = 100_000
const tables = [
  'public.orders',
  'public.payments',
  'app.order_details',
  'app.order_fulfilments',
  'app.order_refunds',
  'app.payment_callbacks',
  'app.paymob_orders',
  'app.plan_notices',
  'public.users',
  'public.credit_grants',
]

beforeAll(async () => {
  shop = await openShop()
  // Autovacuum would gather statistics while a test measures without them.
  for (const table of tables) await shop.admin.query(`alter table ${table} set (autovacuum_enabled = off)`)
  await shop.admin.query(`analyze ${tables}`)
  ana = await shop.newUser()
  const filler = await connectAsSuperuser(shop.database)
  // Without triggers and foreign keys: the rows are only in the way.
  await filler.query(`
    set session_replication_role = replica;
    create temporary table many as
      select n, gen_random_uuid() as order_id, gen_random_uuid() as payment_id, gen_random_uuid() as user_id
      from generate_series(1, ${size}) as n;
    insert into users (id, plan_ends_at) select user_id, now() + n * interval '1 hour' from many;
    insert into orders (id, user_id, kind, item_id, item_name, amount_minor, currency, credits, status, paid_at, run_id)
      select order_id, user_id, 'credit_pack', 'seven', 'Seven', 4900, 'EGP', 7, 'paid', now(), -n from many;
    insert into app.order_details (order_id, user_id, idempotency_key, request_hash, next_inquiry_at)
      select order_id, user_id, 'k', '', now() + interval '1 day' from many;
    insert into app.paymob_orders select n, order_id, now() from many`)
  await filler.query('analyze orders, users, app.paymob_orders')
  early = await watchPlans(shop.database)
  await runEverything(early)
  await filler.query(`
    insert into app.order_fulfilments (order_id, transaction_id, created_at) select order_id, n, now() from many;
    insert into app.order_refunds select n, order_id, 1, now() from many;
    insert into payments (id, order_id, user_id, source, kind, status, transaction_id)
      select payment_id, order_id, user_id, 'callback', 'payment', 'applied', n from many;
    insert into app.payment_callbacks
      select payment_id, 'h' || n, sha256(n::text::bytea), n, order_id, '{}', '{}', '{}', 1, now() from many;
    insert into credit_grants (user_id, source, amount, reference) select user_id, 'pack', 7, order_id::text from many;
    insert into app.plan_notices select user_id, now() from many`)
  await filler.end()
})
afterAll(async () => {
  await early.client.end()
  await shop.database.drop()
})

// The first test, because gathering statistics lets every session plan its statements again.
test('with plans of a time without reports', { timeout: 60_000 }, async () => {
  expect(await runEverything(early)).toEqual({})
})

test.each(statistics)('with %s', async (_what, gather) => {
  await gather(shop.database, tables)
  const watch = await watchPlans(shop.database)
  expect(await runEverything(watch)).toEqual({})
  await watch.client.end()
})

/** Runs every statement of the module, and returns the scans that read too much. */
async function runEverything({ client, faults, scans }: PlanWatch): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {}
  const step = async (name: string, work: () => Promise<unknown>) => {
    await work()
    expect(scans(), name).toBeGreaterThan(0)
    const slow = faults()
    if (slow.length > 0) found[name] = slow
  }
  const asUser = async (work: () => Promise<unknown>) => {
    const claims = JSON.stringify({ sub: ana, role: 'authenticated' })
    await client.query(
      `select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false)`,
      [claims],
    )
    await work()
    await client.query('reset role')
  }
  const report = (...args: Parameters<typeof pay>) => shop.report(pay(...args), client)
  const unknown: PaymobOrder = {
    id: nextId(),
    reference: crypto.randomUUID(),
    amount: 1,
    currency: 'EGP',
    ...paymobAccount,
  }

  const key = crypto.randomUUID()
  const create = () => client.query('select create_order($1, $2, $3, $4)', ['credit_pack', 'seven', billing, key])
  await step('create_order', () => asUser(create))
  await step('create_order again', () => asUser(create))
  await step('an opening', async () => {
    await (await shop.claimOpening(await shop.order()))(client)
  })
  // The first report: no table of reports has a row yet when a session plans these statements before the others.
  const several = [await shop.opened(), await shop.opened()]
  await step('several callbacks', () =>
    client.query('select sidecar.record_paymob_callbacks($1)', [
      JSON.stringify(several.map(({ at }) => asCallback(pay(at)))),
    ]),
  )
  const [first, second] = [await shop.opened(), await shop.opened()]
  const paid = pay(first.at)
  await step('a payment', () => shop.report(paid, client))
  await step('a repeated payment', () => shop.report(paid, client))
  await step('another payment', () => report(first.at))
  await step('a refund', () => shop.report(child(paid, first.at, { is_refund: true, amount_cents: 700 }), client))
  await step('a declined payment', () => report(second.at, { success: false }))
  await step('an unknown order', () => report(unknown))
  const asked = await shop.opened()
  await shop.admin.query('update app.order_details set next_inquiry_at = now() where order_id = $1', [asked.bought.id])
  await step('inquire_orders', () => client.query('select app.inquire_orders()'))
  const other = await shop.opened()
  const inquiry = await shop.claimInquiry([pay(other.at)], other.bought)
  await step('an inquiry', () => inquiry(client))
  const { rows } = await shop.admin.query('select id from payments where order_id = $1 limit 1', [first.bought.id])
  await step('replay_callback', () => client.query('select replay_callback($1)', [rows[0].id]))
  await step('return_lapsed_plans', () => client.query('select app.return_lapsed_plans()'))
  await step('the list of a user', () =>
    asUser(async () => {
      await client.query('select id, status from orders order by created_at desc limit 20')
      await client.query('select id, status from payments order by created_at desc limit 20')
    }),
  )
  await step('export_my_data', () => client.query('select * from app.export_orders($1)', [ana]))
  await step('ops.suspicious_payments', () =>
    client.query('select * from ops.suspicious_payments order by created_at desc limit 20'),
  )
  await step('the deletion of a user', () => client.query('delete from auth.users where id = $1', [ana]))
  ana = await shop.newUser()
  return found
}
