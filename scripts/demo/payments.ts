import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import pg from 'pg'
import type { Database, Order, ServiceDatabase } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

/** Buys a pack of credits on the checkout page of Paymob's stand-in, spends a part, and gets the money back. */
export async function buyCredits({ url, anonKey, env, tokenFor, step }: Stage): Promise<void> {
  const standIn = env['PAYMOB_STAND_IN_URL']
  if (standIn === undefined) {
    step('This stack uses the real Paymob, which takes money: this act is skipped')
    return
  }
  const email = `emil-${crypto.randomUUID().slice(0, 8)}@example.com`
  const token = await tokenFor(email)
  const emil = createClient<Database>(url, anonKey, { accessToken: async () => token })
  const service = createClient<ServiceDatabase>(url, env['SUPABASE_SERVICE_ROLE_KEY'] ?? '')
  const operator = new pg.Client({ connectionString: env['DATABASE_URL'] })
  await operator.connect()
  const account = async () =>
    (await emil.from('users').select('id, credits, credits_owed').single().throwOnError()).data
  try {
    const { id: user_id, credits: before } = await account()
    const billing = { first_name: 'Emil', last_name: 'Berg', email, phone: '+201000000000' }
    const request = { kind: 'credit_pack' as const, item_id: 'small', billing, idempotency_key: 'demo' }
    const ordered = await timed(() => emil.rpc('create_order', request).throwOnError())
    const { id, amount_minor, currency, credits } = ordered.value.data
    const price = `${(Number(amount_minor) / 100).toFixed(2)} ${currency}`
    step(`Emil orders ${credits} credits for ${price}`, ordered.ms)
    const reached = (status: string) => timed(() => watch(emil, id, status))
    const opened = await reached('opened')
    step('The worker opens the order at Paymob: it has a checkout page', opened.ms)

    const page = await (await fetch(String(opened.value.checkout_url))).text()
    const action = /action="([^"]*\/pay)"/.exec(page)?.[1]
    const paid = await timed(async () => {
      const returned = await fetch(`${standIn}${action}`, { method: 'POST' })
      await reached('paid')
      return returned.text()
    })
    must(paid.value.includes('Outcome: paid'), 'the customer did not return from the checkout page')
    must((await account()).credits === before + Number(credits), 'the credits are missing')
    step(`He pays there, Paymob calls the webhook, and he has ${before + Number(credits)} credits`, paid.ms)

    const spent = before + 10
    const adjust = { user_id, amount: -spent, reason: 'Twenty portraits.', idempotency_key: 'demo' }
    await service.rpc('adjust_credits', adjust).throwOnError()
    step(`He spends ${spent}`)
    const { rows } = await operator.query('select paymob_order_id from app.paymob_orders where order_id = $1', [id])
    const refunded = await timed(async () => {
      await fetch(`${standIn}/stand-in/orders/${rows[0].paymob_order_id}/refund`, { method: 'POST' })
      await reached('refunded')
    })
    const end = await account()
    must(end.credits === 0 && end.credits_owed === 10, 'the refund left other credits')
    step(`The shop refunds the whole order: ${end.credits} credits, and a debt of ${end.credits_owed}`, refunded.ms)
  } finally {
    await operator.query('delete from auth.users where email = $1', [email])
    await operator.end()
  }
}

/** Polls the order until it has a status. */
async function watch(emil: ReturnType<typeof createClient<Database>>, id: Order['id'], status: string): Promise<Order> {
  for (const end = Date.now() + 30_000; ; await sleep(50)) {
    const { data } = await emil.from('orders').select('*').eq('id', id).single().throwOnError()
    if (data.status === status) return data
    must(data.status !== 'failed' && Date.now() < end, `the order is ${data.status}, not ${status}: ${data.error}`)
  }
}
