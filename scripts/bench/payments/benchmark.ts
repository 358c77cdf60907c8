import pg from 'pg'
import { readCallback } from '../../../sidecar/paymob/callback.ts'
import {
  makeTransaction,
  type PaymobOrder,
  type PaymobTransaction,
  signTransaction,
} from '../../local/paymob/callbacks.ts'
import { standInKeys } from '../../local/paymob/server.ts'
import { callbacksOf, openOrders, repeated } from '../../paymob/storm.ts'
import { databaseUrl, prepareDatabase } from '../../testing/cluster.ts'
import { startTestSidecar } from '../../testing/sidecar.ts'
import { atLeast, atMost, machine, median, type Report, say } from '../report.ts'
import { withStage } from '../stage.ts'

/** Requests at the same time: as many as a sale brings, and a few. */
const many = 50
const few = 10

/** Callbacks per connection before the first round. The first ones of a connection plan every statement. */
const warmUps = 30

/**
 * Measures the webhook against the health route of the same sidecar, and against the SQL function alone. Each callback pays
 * an order of its own: nothing costs more. The bar is for 50 connections. The report also has figures for 10 connections, and
 * for a mix of payments, refunds and repeated callbacks. Callbacks are signed and encoded before the clock starts, because
 * Paymob does that.
 */
export async function benchmarkPayments({ rounds, orders }: { rounds: number; orders: number }): Promise<Report> {
  const environment = machine()
  return await withStage(async ({ cluster }) => {
    await prepareDatabase(cluster, 'plinth')
    // One part pays by SQL alone, one over one connection, one over a few, and two over many.
    const mixed = Math.ceil(orders / 4)
    const count = rounds * (orders * 5 + mixed) + many * warmUps + warmUps
    const open = await openOrders(cluster, 'plinth', count)
    const sidecar = await startTestSidecar({
      databaseUrl: databaseUrl(cluster, 'plinth', 'sidecar'),
      // Nothing is uploaded.
      storePort: 1,
      env: { PAYMOB_HMAC_SECRET: standInKeys.hmacSecret, PAYMOB_RETURN_URL: 'https://app.example', LOG_LEVEL: 'warn' },
    })
    const client = new pg.Client(databaseUrl(cluster, 'plinth', 'sidecar'))
    await client.connect()
    try {
      const health: number[] = []
      const webhook: number[] = []
      const healthOfFew: number[] = []
      const webhookOfFew: number[] = []
      const alone: number[] = []
      const sql: number[] = []
      const mix: number[] = []
      const url = `${sidecar.url}/api/paymob/webhook`
      const headers = { 'content-type': 'application/json' }
      const post = ({ body, hmac }: Signed) => expectOk(fetch(`${url}?hmac=${hmac}`, { method: 'POST', headers, body }))
      const ask = () => expectOk(fetch(`${sidecar.url}/api/health`))
      // Named, because the sidecar prepares its statements, too.
      const callSql = (callback: string) =>
        client.query({ name: 'record', text: 'select sidecar.record_paymob_callback($1)', values: [callback] })
      const next = (number: number) => open.splice(0, number)
      const payments = (number: number) => next(number).map((one) => sign(makeTransaction(one)))
      await throughput(many, payments(many * warmUps), post)
      await p50(next(warmUps).map(asCallback), callSql)
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds} …`)
        const paid = payments(orders * 2)
        // The health route is fast: as many requests would take too short to measure.
        health.push(await throughput(many, [...paid, ...paid, ...paid], ask))
        webhook.push(await throughput(many, paid, post))
        healthOfFew.push(await throughput(few, [...paid, ...paid], ask))
        webhookOfFew.push(await throughput(few, payments(orders), post))
        sql.push(await p50(next(orders).map(asCallback), callSql))
        alone.push(await p50(payments(orders), post))
        const lives = next(mixed).flatMap(callbacksOf)
        mix.push(await throughput(few, repeated(lives, lives.length * 3).map(sign), post))
      }
      return {
        title: 'bench:payments',
        bars: [
          atLeast('webhook: requests per second, against the health route', median(webhook) / median(health), 0.5),
          atMost('webhook: p50, against the SQL function alone', median(alone) / median(sql), 3),
        ],
        figures: [
          { name: `health route, ${many} connections`, value: median(health), unit: '/s' },
          { name: `webhook, ${many} connections`, value: median(webhook), unit: '/s' },
          { name: `health route, ${few} connections`, value: median(healthOfFew), unit: '/s' },
          { name: `webhook, ${few} connections`, value: median(webhookOfFew), unit: '/s' },
          { name: `webhook, ${few} connections, a mix`, value: median(mix), unit: '/s' },
          { name: 'webhook, one connection: p50', value: median(alone), unit: 'ms' },
          { name: 'SQL function, one connection: p50', value: median(sql), unit: 'ms' },
        ],
        environment: { ...environment, rounds, orders },
      }
    } finally {
      await client.end()
      await sidecar.stop()
    }
  })
}

/** A callback as Paymob sends it. */
type Signed = { body: Buffer<ArrayBuffer>; hmac: string }

function sign(transaction: PaymobTransaction): Signed {
  return {
    body: Buffer.from(JSON.stringify({ type: 'TRANSACTION', obj: transaction })),
    hmac: signTransaction(transaction, standInKeys.hmacSecret),
  }
}

/** A payment as the sidecar hands it to SQL. */
function asCallback(one: PaymobOrder): string {
  const { body, hmac } = sign(makeTransaction(one))
  const { signed, hints } = readCallback(body)
  return JSON.stringify({ type: 'TRANSACTION', hmac, body: body.toString(), signed, hints })
}

async function expectOk(answer: Promise<Response>): Promise<void> {
  const response = await answer
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`The sidecar answered ${response.status}.`)
}

/** Requests per second over several connections. */
async function throughput<Item>(
  connections: number,
  items: Item[],
  work: (item: Item) => Promise<void>,
): Promise<number> {
  const start = performance.now()
  let next = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < items.length) await work(items[next++] as Item)
    }),
  )
  return (items.length * 1000) / (performance.now() - start)
}

async function p50<Item>(items: Item[], work: (item: Item) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (const item of items) {
    const start = performance.now()
    await work(item)
    times.push(performance.now() - start)
  }
  return median(times)
}
