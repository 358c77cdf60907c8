import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import pg from 'pg'
import type { PaymobOrder } from '../local/paymob/callbacks.ts'
import { standInKeys } from '../local/paymob/server.ts'
import { tokenForEmail } from '../local/user.ts'

/** The balance and plan of a user, which `paymob:send` prints before and after. */
export type Account = {
  credits: number
  credits_owed: number
  plan_id: string
  plan_ends_at: string | null
}

export type Buyer = {
  /** Orders an item and waits until Paymob, or its stand-in, has opened the order. */
  order(kind: string, item: string): Promise<PaymobOrder>
  account(): Promise<Account>
  /** The status of each of these orders, and the status of each report about them. */
  orders(references: string[]): Promise<{ id: string; status: string; payments: string[] }[]>
}

/** Acts as a user of the local stack who buys something. `env` is the env file of the stack. */
export async function createBuyer(env: Record<string, string>, email: string): Promise<Buyer> {
  const token = await tokenForEmail(env, email)
  const user = createClient(env['SUPABASE_URL'] ?? '', env['SUPABASE_ANON_KEY'] ?? '', {
    accessToken: async () => token,
  })
  const billing = { first_name: 'Ana', last_name: 'Costa', email, phone: '+201000000000' }
  return {
    async order(kind, item_id) {
      const request = { kind, item_id, billing, idempotency_key: crypto.randomUUID() }
      const { data } = await user.rpc('create_order', request).single<{ id: string }>().throwOnError()
      for (let n = 0; n < 300; n++) {
        const { data: row } = await user
          .from('orders')
          .select('status, error, amount_minor, currency')
          .eq('id', data.id)
          .single<{ status: string; error: string | null; amount_minor: number; currency: string }>()
          .throwOnError()
        if (row.status === 'failed') throw new Error(`The order was not opened: ${row.error}`)
        if (row.status !== 'created') return readPaymobOrder(env, data.id, row)
        await sleep(100)
      }
      throw new Error('The order was not opened within 30 seconds. Look into the log of the worker.')
    },
    async account() {
      const columns = 'credits, credits_owed, plan_id, plan_ends_at'
      return (await user.from('users').select(columns).single<Account>().throwOnError()).data
    },
    async orders(references) {
      const { data } = await user
        .from('orders')
        .select('id, status, payments(kind, status, reason)')
        .in('id', references)
        .order('created_at')
        .throwOnError()
      return data.map(({ id, status, payments }) => ({
        id: String(id),
        status: String(status),
        payments: payments.map(({ kind, status, reason }) => `${kind} ${status}${reason ? ` (${reason})` : ''}`),
      }))
    },
  }
}

/** Reads Paymob's id of an order and the account, which clients cannot read. */
async function readPaymobOrder(
  env: Record<string, string>,
  reference: string,
  { amount_minor, currency }: { amount_minor: number; currency: string },
): Promise<PaymobOrder> {
  const client = new pg.Client(env['DATABASE_URL'])
  await client.connect()
  try {
    const { rows } = await client.query<{ id: string; integration: string; owner: string }>(
      `select m.paymob_order_id as id, s.paymob_integration_ids[1] as integration, s.paymob_owner_id as owner
       from app.paymob_orders as m cross join app.settings as s
       where m.order_id = $1 order by m.created_at desc limit 1`,
      [reference],
    )
    return {
      id: Number(rows[0]?.id),
      reference,
      amount: amount_minor,
      currency,
      integrationId: Number(rows[0]?.integration ?? standInKeys.integrationId),
      owner: Number(rows[0]?.owner ?? standInKeys.owner),
    }
  } finally {
    await client.end()
  }
}
