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

const connections = 10

/** Callbacks per connection before the first round. The first ones of a connection plan every statement. */
const warmUps = 30

/**
 * Measures the webhook against the health route of the same sidecar, and against the SQL function alone. Each callback pays
 * an order of its own: nothing costs more. A mix of payments, refunds and repeated callbacks is measured, too. Callbacks are
 * signed and encoded before the clock starts, because Paymob does that.
 */
export async function benchmarkPayments({ rounds, orders }: { rounds: number; orders: number }): Promise<Report> {
  const environment = machine()
  return await withStage(async ({ cluster }) => {
    await prepareDatabase(cluster, 'plinth')
    // A third pays by SQL alone, a third one by one over HTTP, and a third in parallel.
    const mixed = Math.ceil(orders / 4)
    const count = rounds * (orders * 3 + mixed) + connections * warmUps + warmUps
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
      await throughput(payments(connections * warmUps), post)
      await p50(next(warmUps).map(asCallback), callSql)
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds} …`)
        const paid = payments(orders)
        // The health route is fast: as many requests would take too short to measure.
        health.push(await throughput([...paid, ...paid, ...paid], ask))
        webhook.push(await throughput(paid, post))
        sql.push(await p50(next(orders).map(asCallback), callSql))
        alone.push(await p50(payments(orders), post))
        const lives = next(mixed).flatMap(callbacksOf)
        mix.push(await throughput(repeated(lives, lives.length * 3).map(sign), post))
      }
      return {
        title: 'bench:payments',
        bars: [
          atLeast('webhook: requests per second, against the health route', median(webhook) / median(health), 0.5),
          atMost('webhook: p50, against the SQL function alone', median(alone) / median(sql), 3),
        ],
        figures: [
          { name: `health route, ${connections} connections`, value: median(health), unit: '/s' },
          { name: `webhook, ${connections} connections`, value: median(webhook), unit: '/s' },
          { name: `webhook, ${connections} connections, a mix`, value: median(mix), unit: '/s' },
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
async function throughput<Item>(items: Item[], work: (item: Item) => Promise<void>): Promise<number> {
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
