import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import {
  makeTransaction,
  nextId,
  type PaymobOrder,
  type PaymobTransaction,
  sendCallback,
} from '../local/paymob/callbacks.ts'
import { standInKeys } from '../local/paymob/server.ts'
import {
  asAdmin,
  type Cluster,
  type ClusterInfo,
  databaseUrl,
  prepareDatabase,
  startCluster,
} from '../testing/cluster.ts'
import { startTestSidecar } from '../testing/sidecar.ts'
import { announceVersions, claimSteps, completed, exchangeSteps } from '../testing/steps.ts'

export type Sizes = { orders: number; callbacks: number; connections: number }

/**
 * Sends the callbacks of many orders, shuffled and repeated, to a sidecar whose database restarts in the middle. Then sends
 * each callback once and in order to a copy of the database, and compares both ledgers. Throws if they differ.
 */
export async function provePayments(sizes: Sizes, say: (line: string) => void): Promise<void> {
  const bin = process.env['PLINTH_POSTGRES_BIN']
  const cluster = await startCluster({ bin })
  try {
    await prepareDatabase(cluster, 'storm')
    const orders = await openOrders(cluster, 'storm', sizes.orders)
    await asAdmin(cluster, 'postgres', (admin) => admin.query('create database clean template storm owner postgres'))
    say(`${orders.length} orders are open, in two equal databases.`)

    const callbacks = orders.flatMap(callbacksOf)
    const storm = repeated(callbacks, sizes.callbacks)
    let acknowledged = 0
    let failed = 0
    let restarted: Promise<void> | undefined
    await withWebhook(cluster, 'storm', async (webhookUrl) => {
      await inParallel(storm, sizes.connections, async (transaction) => {
        // Paymob sends a callback again until the answer is 200.
        while (!(await isTaken(webhookUrl, transaction))) {
          failed++
          await sleep(50)
        }
        acknowledged++
        if (acknowledged === Math.floor(storm.length / 2)) restarted = restart(cluster)
      })
      await restarted
    })
    say(
      `${acknowledged} callbacks were acknowledged, ${callbacks.length} of them different, from ${sizes.connections} connections.`,
    )
    say(
      `The database restarted after ${Math.floor(storm.length / 2)}; ${failed} answers were not 200, and were sent again.`,
    )

    await withWebhook(cluster, 'clean', async (webhookUrl) => {
      for (const transaction of callbacks) {
        if (!(await isTaken(webhookUrl, transaction))) throw new Error('The clean pass was not acknowledged.')
      }
    })
    for (const [what, query] of Object.entries(ledgers)) {
      const [stormy, clean] = [await read(cluster, 'storm', query), await read(cluster, 'clean', query)]
      const differing = stormy.filter((row, n) => row !== clean[n])
      if (stormy.length !== clean.length || differing.length > 0) {
        throw new Error(`${what} differ: ${stormy.length} and ${clean.length} rows, for example ${differing[0]}`)
      }
      say(`${what}: ${stormy.length} rows are equal in both databases.`)
    }
    for (const database of ['storm', 'clean']) {
      const faults = await read(cluster, database, 'select f from ops.credit_faults as f')
      if (faults.length > 0) throw new Error(`ops.credit_faults of ${database}: ${faults[0]}`)
    }
    say('ops.credit_faults: empty in both databases.')
  } finally {
    await cluster.stop()
  }
}

/** The rows that must be equal. Times differ, so a plan is compared by how many hours it lasts. */
const ledgers = {
  'Orders (status, refunds)': 'select id, status, refunded_minor, paid_at is not null from orders order by id',
  'Fulfilments (transaction, grant)':
    'select order_id, transaction_id, grant_id is not null, period_to - period_from from app.order_fulfilments order by 1',
  'Refunds (transaction, amount)': 'select transaction_id, order_id, amount_minor from app.order_refunds order by 1',
  'Grants (amount, remaining, taken back)': `select user_id, source, reference, amount, remaining, taken_back, due
    from credit_grants where reference ~ '^[0-9a-f]{8}-' order by 1, 2, 3`,
  'Entries of credits': `select e.user_id, e.kind, g.reference, e.amount
    from credit_entries as e join credit_grants as g on g.id = e.grant_id
    where g.reference ~ '^[0-9a-f]{8}-' order by 1, 2, 3, 4`,
  'Balances and plans of users': `select u.id, u.credits, u.credits_owed, u.plan_id,
      round(extract(epoch from u.plan_ends_at - o.paid_at) / 3600)
    from users as u left join orders as o on o.user_id = u.id and o.kind = 'plan' order by u.id`,
  'Payments that were applied': `select transaction_id, kind, amount_minor
    from payments where status = 'applied' order by 1, 2`,
}

async function read(cluster: Cluster, database: string, query: string): Promise<string[]> {
  return connected(cluster, database, async (client) => {
    const { rows } = await client.query({ text: query, rowMode: 'array' })
    return rows.map((row) => JSON.stringify(row))
  })
}

async function connected<T>(
  cluster: ClusterInfo,
  database: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(databaseUrl(cluster, database))
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Opens this many orders: five for each user, one of them of a plan. */
export async function openOrders(cluster: ClusterInfo, database: string, count: number): Promise<PaymobOrder[]> {
  return connected(cluster, database, async (client) => {
    const { integrationId, owner } = standInKeys
    await client.query('update app.settings set paymob_integration_ids = $1, paymob_owner_id = $2', [
      [integrationId],
      owner,
    ])
    await client.query(`
      insert into plans (id, name, price_minor, credits_per_period) values ('gold', 'Gold', 10000, 100);
      insert into credit_packs (id, name, credits, price_minor) values ('seven', 'Seven', 7, 4900)`)
    const billing = { first_name: 'Ana', last_name: 'Costa', email: 'ana@example.com', phone: '+201000000000' }
    for (let n = 0; n < count; n++) {
      if (n % 5 === 0) {
        const id = crypto.randomUUID()
        await client.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
        await client.query("select set_config('request.jwt.claims', $1, false)", [
          JSON.stringify({ sub: id, role: 'authenticated' }),
        ])
      }
      const [kind, item] = n % 5 === 4 ? ['plan', 'gold'] : ['credit_pack', 'seven']
      await client.query('select create_order($1, $2, $3, $4)', [kind, item, billing, `order ${n}`])
    }
    const worker = crypto.randomUUID()
    await announceVersions(client, worker)
    for (;;) {
      const steps = await claimSteps(client, worker, 50)
      if (steps.length === 0) break
      const checkout_url = 'https://accept.paymob.com/unifiedcheckout/?x'
      await exchangeSteps(
        client,
        worker,
        steps.map((step) => completed(step, { paymob_order_id: nextId(), checkout_url })),
      )
    }
    const { rows } = await client.query<PaymobOrder>(
      `select m.paymob_order_id::float8 as id, o.id as reference, o.amount_minor as amount, o.currency
       from orders as o join app.paymob_orders as m on m.order_id = o.id where o.status = 'opened' order by o.created_at`,
    )
    if (rows.length !== count) throw new Error(`Only ${rows.length} of ${count} orders are open.`)
    return rows.map((row) => ({ ...row, integrationId, owner }))
  })
}

/** The callbacks of an order in the order in which they happen: eight lives, one after the other. */
export function callbacksOf(order: PaymobOrder, n: number): PaymobTransaction[] {
  const make = (change: Partial<PaymobTransaction> = {}) => makeTransaction(order, change)
  const paid = make()
  const child = (change: Partial<PaymobTransaction>) =>
    make({ has_parent_transaction: true, parent_transaction: paid.id, ...change })
  const refund = (amount_cents: number) => child({ is_refund: true, amount_cents })
  const authorised = make({ is_auth: true })
  const lives = [
    () => [paid],
    () => [make({ success: false }), paid],
    () => [make({ success: false, pending: true }), paid],
    () => [paid, refund(order.amount)],
    () => [paid, refund(1000), refund(1000)],
    () => [paid, child({ is_void: true })],
    () => [authorised, child({ is_capture: true, parent_transaction: authorised.id })],
    () => [make({ success: false }), authorised],
  ]
  // Not a multiple of five: each life meets packs and plans.
  const life = lives[n % lives.length] as () => PaymobTransaction[]
  const amountDiffers = make({ amount_cents: order.amount - 1 })
  return [...life(), amountDiffers]
}

/** Each callback one to ten times, shuffled, until there are `count`. */
export function repeated(callbacks: PaymobTransaction[], count: number): PaymobTransaction[] {
  const times = callbacks.map(() => 1)
  for (let sum = callbacks.length; sum < Math.min(count, callbacks.length * 10); ) {
    const place = Math.floor(Math.random() * times.length)
    if ((times[place] ?? 10) >= 10) continue
    times[place] = (times[place] ?? 0) + 1
    sum++
  }
  const all = callbacks.flatMap((one, n) => Array.from({ length: times[n] ?? 1 }, () => one))
  for (let n = all.length - 1; n > 0; n--) {
    const other = Math.floor(Math.random() * (n + 1))
    const [a, b] = [all[n], all[other]] as [PaymobTransaction, PaymobTransaction]
    all[n] = b
    all[other] = a
  }
  return all
}

async function isTaken(webhookUrl: string, transaction: PaymobTransaction): Promise<boolean> {
  const { status } = await sendCallback(webhookUrl, transaction, standInKeys.hmacSecret)
  if (status !== 200 && status !== 503) throw new Error(`The webhook answered ${status}.`)
  return status === 200
}

async function restart(cluster: Cluster): Promise<void> {
  await cluster.halt()
  await cluster.resume()
}

async function withWebhook(cluster: Cluster, database: string, work: (url: string) => Promise<void>): Promise<void> {
  const sidecar = await startTestSidecar({
    databaseUrl: databaseUrl(cluster, database, 'sidecar'),
    // Nothing is uploaded.
    storePort: 1,
    env: { PAYMOB_HMAC_SECRET: standInKeys.hmacSecret, PAYMOB_RETURN_URL: 'https://app.example', LOG_LEVEL: 'error' },
  })
  try {
    await work(`${sidecar.url}/api/paymob/webhook`)
  } finally {
    await sidecar.stop()
  }
}

async function inParallel<T>(items: T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < items.length) await work(items[next++] as T)
    }),
  )
}
