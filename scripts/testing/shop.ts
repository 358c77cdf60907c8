import type { Client } from 'pg'
import { readCallback } from '../../sidecar/paymob/callback.ts'
import {
  makeTransaction,
  nextId,
  type PaymobOrder,
  type PaymobTransaction,
  signTransaction,
} from '../local/paymob/callbacks.ts'
import { createDatabase, type TestDatabase } from './database.ts'
import { announceVersions, claimSteps, completed, exchangeSteps } from './steps.ts'

export type Order = { id: string; status: string; amount_minor: number; refunded_minor: number; run_id: string }
export type Payment = { payment_id: string; status: string; reason: string | null }
export type Balance = { credits: number; owed: number; plan: string; ends: Date | null }
/** A callback, in the form in which SQL gets it. */
export type Recorded = { type: string; hmac: string; body: string; signed: object; hints: object }

export const paymobSecret = 'plinth-test-secret'
export const paymobAccount = { integrationId: 6741, owner: 4705 }
export const billing = { first_name: 'Ana', last_name: 'Costa', email: 'ana@example.com', phone: '+201000000000' }

/** A database with things for sale, and the parts of the worker and the sidecar that orders need. */
export type Shop = Awaited<ReturnType<typeof openShop>>

/** Opens a shop on a database of its own. */
export async function openShop() {
  const database: TestDatabase = await createDatabase()
  const [admin, client] = await Promise.all([database.connect(), database.connect()])
  const worker = crypto.randomUUID()
  let user = ''
  await announceVersions(admin, worker)
  await admin.query(
    'update app.settings set paymob_integration_ids = $1, paymob_owner_id = $2, orders_per_hour = 10000',
    [[paymobAccount.integrationId], paymobAccount.owner],
  )
  await admin.query(`
    insert into plans (id, name, price_minor, credits_per_period) values
      ('gold', 'Gold', 10000, 100), ('silver', 'Silver', 5000, 30);
    insert into credit_packs (id, name, credits, price_minor) values ('seven', 'Seven', 7, 4900);
  `)

  /** Creates a user without credits, who then orders. */
  async function newUser(): Promise<string> {
    user = crypto.randomUUID()
    await admin.query('insert into auth.users (id, email) values ($1, $2)', [user, `${user}@example.com`])
    // The credits of the free period would be in the way of counting.
    await admin.query(
      'select app.adjust_credits($1, -u.credits, $2, $3) from users u where u.id = $1 and u.credits > 0',
      [user, 'Begin without credits', 'begin'],
    )
    await client.query(
      `select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false)`,
      [JSON.stringify({ sub: user, role: 'authenticated' })],
    )
    return user
  }

  const order = async (kind = 'credit_pack', item = 'seven', key: string = crypto.randomUUID()): Promise<Order> =>
    (await client.query('select * from create_order($1, $2, $3, $4)', [kind, item, billing, key])).rows[0]

  /** Claims the step that opens an order. The returned function hands in its result, as the worker does. */
  async function claimOpening({ id, amount_minor, run_id }: Order, paymobId = nextId()) {
    const steps = await claimSteps(admin, worker)
    const step = steps.find((one) => String(one.run_id) === String(run_id))
    if (!step) throw new Error('The step of the order was not claimed.')
    await admin.query('select worker.read_order($1, $2)', [step.id, step.fence])
    const output = { paymob_order_id: paymobId, checkout_url: 'https://accept.paymob.com/unifiedcheckout/?x' }
    return async (by: Client = admin): Promise<PaymobOrder> => {
      await exchangeSteps(by, worker, [completed(step, output)])
      return { id: paymobId, reference: id, amount: amount_minor, currency: 'EGP', ...paymobAccount }
    }
  }
  const open = async (bought: Order, paymobId?: number) => (await claimOpening(bought, paymobId))()

  /** Runs the schedule. The returned function hands in these transactions as the answer of Paymob. */
  async function claimInquiry(transactions: PaymobTransaction[], { id }: Order) {
    await admin.query('update app.order_details set next_inquiry_at = now() where order_id = $1', [id])
    await admin.query('select app.inquire_orders()')
    const steps = await claimSteps(admin, worker)
    const texts = transactions.map((one) => {
      const { signed = {}, hints } = readCallback(Buffer.from(JSON.stringify({ type: 'TRANSACTION', obj: one })))
      const { merchant_order_id, ...rest } = hints
      return { ...signed, ...rest, 'order.merchant_order_id': merchant_order_id ?? '' }
    })
    return async (by: Client = admin): Promise<void> => {
      for (const step of steps) {
        const { orders } = step.input as { orders: { order_id: string }[] }
        const answers = orders.map(({ order_id }) => ({ order_id, transactions: order_id === id ? texts : [] }))
        await exchangeSteps(by, worker, [completed(step, { orders: answers })])
      }
    }
  }
  const inquire = async (transactions: PaymobTransaction[], of: Order) => (await claimInquiry(transactions, of))()

  return {
    database,
    admin,
    /** Acts as the last new user. */
    client,
    worker,
    newUser,
    order,
    open,
    claimOpening,
    async opened(kind?: string, item?: string) {
      const bought = await order(kind, item)
      return { bought, at: await open(bought) }
    },
    report: (transaction: PaymobTransaction, by: Client = admin) => record(by, asCallback(transaction)),
    inquire,
    claimInquiry,
    async statusOf({ id }: Order): Promise<{ status: string; refunded_minor: number }> {
      return (await admin.query('select status, refunded_minor from orders where id = $1', [id])).rows[0]
    },
    async balance(of = user): Promise<Balance> {
      const { rows } = await admin.query(
        'select credits, credits_owed as owed, plan_id as plan, plan_ends_at as ends from users where id = $1',
        [of],
      )
      return rows[0]
    },
  }
}

export const pay = (at: PaymobOrder, change: Partial<PaymobTransaction> = {}) => makeTransaction(at, change)
export const child = (of: PaymobTransaction, at: PaymobOrder, change: Partial<PaymobTransaction>) =>
  makeTransaction(at, { has_parent_transaction: true, parent_transaction: of.id, ...change })

/** A callback as the sidecar hands it to SQL. */
export function asCallback(transaction: PaymobTransaction): Recorded {
  const body = JSON.stringify({ type: 'TRANSACTION', obj: transaction })
  const { signed = {}, hints } = readCallback(Buffer.from(body))
  return { type: 'TRANSACTION', hmac: signTransaction(transaction, paymobSecret), body, signed, hints }
}

/** Calls the function of the sidecar. */
export async function record(by: Client, callback: unknown): Promise<Payment> {
  const { rows } = await by.query('select sidecar.record_paymob_callback($1) as payment', [JSON.stringify(callback)])
  return rows[0].payment
}
