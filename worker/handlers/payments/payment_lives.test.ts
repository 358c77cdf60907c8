import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type PaymobStandIn, standInKeys, startPaymob } from '../../../scripts/local/paymob/server.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { startTestSidecar, type TestSidecar } from '../../../scripts/testing/sidecar.ts'
import { until } from '../../../scripts/testing/waiting.ts'
import { createTestWorkers, type TestWorkers } from '../../../scripts/testing/workers.ts'

// Whole lives of orders: a client, PostgREST, a real worker and a real sidecar, with a stand-in for Paymob.
let database: TestDatabase
let admin: pg.Client
let api: Api
let paymob: PaymobStandIn
let sidecar: TestSidecar
let workers: TestWorkers
let ana: SupabaseClient
let user: { id: string; email: string }

type Order = { id: string; status: string; checkout_url: string | null; error: string | null }
const billing = { first_name: 'Ana', last_name: 'Costa', email: 'ana@example.com', phone: '+201000000000' }

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  await admin.query('update app.settings set paymob_integration_ids = $1, paymob_owner_id = $2', [
    [standInKeys.integrationId],
    standInKeys.owner,
  ])
  await admin.query("update job_types set backoff = '50 ms' where name in ('open_order', 'inquire_orders')")
  await admin.query("insert into credit_packs (id, name, credits, price_minor) values ('seven', 'Seven', 7, 4900)")
  api = await startApi(database)
  sidecar = await startTestSidecar({
    databaseUrl: database.url('sidecar'),
    // Nothing is uploaded here.
    storePort: 1,
    env: { PAYMOB_HMAC_SECRET: standInKeys.hmacSecret, PAYMOB_RETURN_URL: 'https://app.example/paid' },
  })
  paymob = await startPaymob()
  workers = createTestWorkers()
  await workers.start('payments', database.url('worker'), {
    program: [join(import.meta.dirname, '../../main.ts')],
    env: {
      WORKER_TYPES: 'open_order,inquire_orders',
      PAYMOB_SECRET_KEY: standInKeys.secretKey,
      PAYMOB_PUBLIC_KEY: standInKeys.publicKey,
      PAYMOB_API_KEY: standInKeys.apiKey,
      PAYMOB_BASE_URL: paymob.url,
      PAYMOB_NOTIFICATION_URL: `${sidecar.url}/api/paymob/webhook`,
      PAYMOB_REDIRECTION_URL: `${sidecar.url}/api/paymob/return`,
    },
  })
})
beforeEach(async () => {
  paymob.misbehave()
  user = { id: crypto.randomUUID(), email: `${crypto.randomUUID()}@example.com` }
  await admin.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  ana = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
})
afterAll(async () => {
  await workers.stop()
  await paymob.stop()
  await sidecar.stop()
  await api.stop()
  await database.drop()
  workers.remove()
})

async function order(change: object = {}): Promise<Order> {
  const args = { kind: 'credit_pack', item_id: 'seven', billing, idempotency_key: crypto.randomUUID(), ...change }
  return (await ana.rpc('create_order', args).single<Order>().throwOnError()).data
}
const read = async ({ id }: Order) =>
  (await ana.from('orders').select('*').eq('id', id).single<Order>().throwOnError()).data
async function reached(bought: Order, status: string): Promise<Order> {
  let now = bought
  await until(`the order is ${status}`, async () => {
    now = await read(bought)
    return now.status === status
  })
  return now
}
const credits = async () =>
  (await ana.from('users').select('credits').single<{ credits: number }>().throwOnError()).data.credits
const atPaymob = (bought: Order) =>
  [...paymob.orders.values()].filter(({ reference }) => reference.startsWith(bought.id))

test('a customer pays on the checkout page, and returns to the app with credits', async () => {
  const before = await credits()
  const opened = await reached(await order(), 'opened')
  const page = await fetch(String(opened.checkout_url))
  const action = /action="([^"]*\/pay)"/.exec(await page.text())?.[1]
  const paid = await fetch(`${paymob.url}${action}`, { method: 'POST', redirect: 'manual' })
  const returned = await fetch(String(paid.headers.get('location')), { redirect: 'manual' })
  expect(returned.headers.get('location')).toBe(`https://app.example/paid?outcome=paid&order=${opened.id}`)
  await reached(opened, 'paid')
  expect(await credits()).toBe(before + 7)
  const { data: payments } = await ana.from('payments').select('*').throwOnError()
  expect(payments).toMatchObject([{ status: 'applied', kind: 'payment', amount_minor: 4900, order_id: opened.id }])
  expect(JSON.stringify(payments)).not.toMatch(/2346|hmac/)
})

test('an answer of Paymob that is lost costs one more attempt, and only one order can be paid', async () => {
  paymob.misbehave({ kind: 'lost' }, { kind: 'unavailable' })
  const before = await credits()
  const opened = await reached(await order(), 'opened')
  const both = atPaymob(opened)
  expect(both.map(({ reference }) => reference)).toEqual([opened.id, `${opened.id}.3`])
  await paymob.act(Number(both[1]?.id), 'pay')
  await reached(opened, 'paid')
  expect(await credits()).toBe(before + 7)
})

test('an order that Paymob refuses fails with a sentence', async () => {
  paymob.misbehave({ kind: 'key_refused' })
  const refused = await reached(await order(), 'failed')
  expect(refused.error).toBe('Paymob refuses the key of this server. Tell the operator.')
})

test('an order whose callback was lost is paid by an inquiry', async () => {
  const before = await credits()
  const opened = await reached(await order(), 'opened')
  await paymob.act(Number(atPaymob(opened)[0]?.id), 'pay', { sends: false })
  await admin.query('update app.order_details set next_inquiry_at = now() where order_id = $1', [opened.id])
  await admin.query('select app.inquire_orders()')
  await reached(opened, 'paid')
  expect(await credits()).toBe(before + 7)
})

test('a refund in the dashboard takes the credits back', async () => {
  const before = await credits()
  const opened = await reached(await order(), 'opened')
  const id = Number(atPaymob(opened)[0]?.id)
  await paymob.act(id, 'pay')
  await reached(opened, 'paid')
  await paymob.act(id, 'refund', { amount: 2450 })
  await reached(opened, 'part_refunded')
  // floor(7 x 2450 / 4900) = 3
  expect(await credits()).toBe(before + 4)
})
