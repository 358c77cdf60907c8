import pg from 'pg'
import { readCallback } from '../../../sidecar/paymob/callback.ts'
import {
  makeTransaction,
  type PaymobOrder,
  type PaymobTransaction,
  signTransaction,
} from '../../local/paymob/callbacks.ts'
import { standInKeys } from '../../local/paymob/server.ts'
import { openOrders } from '../../paymob/storm.ts'
import { databaseUrl, prepareDatabase } from '../../testing/cluster.ts'
import { startTestSidecar } from '../../testing/sidecar.ts'
import { atLeast, atMost, machine, median, type Report, say } from '../report.ts'
import { withStage } from '../stage.ts'

const connections = 10

/** Callbacks per connection before the first round. The first ones of a connection plan every statement. */
const warmUps = 10

/**
 * Measures the webhook against the health route of the same sidecar, and against the SQL function alone. Each callback pays
 * an order of its own.
 */
export async function benchmarkPayments({ rounds, orders }: { rounds: number; orders: number }): Promise<Report> {
  const environment = machine()
  return await withStage(async ({ cluster }) => {
    await prepareDatabase(cluster, 'plinth')
    // A third pays by SQL alone, a third one by one over HTTP, and a third in parallel.
    const open = await openOrders(cluster, 'plinth', rounds * orders * 3 + connections * warmUps + warmUps)
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
      const post = (one: PaymobOrder) => deliver(`${sidecar.url}/api/paymob/webhook`, makeTransaction(one))
      const callSql = (one: PaymobOrder) =>
        client.query('select sidecar.record_paymob_callback($1)', [asCallback(makeTransaction(one))])
      await throughput(open.splice(0, connections * warmUps), post)
      await p50(open.splice(0, warmUps), callSql)
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds} …`)
        const [first, second, third] = [open.splice(0, orders), open.splice(0, orders), open.splice(0, orders)]
        health.push(await throughput(third, () => expectOk(fetch(`${sidecar.url}/api/health`))))
        webhook.push(await throughput(third, post))
        sql.push(await p50(first, callSql))
        alone.push(await p50(second, post))
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

function asCallback(transaction: PaymobTransaction): string {
  const body = JSON.stringify({ type: 'TRANSACTION', obj: transaction })
  const { signed, hints } = readCallback(Buffer.from(body))
  const hmac = signTransaction(transaction, standInKeys.hmacSecret)
  return JSON.stringify({ type: 'TRANSACTION', hmac, body, signed, hints })
}

async function deliver(url: string, transaction: PaymobTransaction): Promise<void> {
  const body = JSON.stringify({ type: 'TRANSACTION', obj: transaction })
  await expectOk(fetch(`${url}?hmac=${signTransaction(transaction, standInKeys.hmacSecret)}`, { method: 'POST', body }))
}

async function expectOk(answer: Promise<Response>): Promise<void> {
  const response = await answer
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`The sidecar answered ${response.status}.`)
}

/** Requests per second over several connections. */
async function throughput(items: PaymobOrder[], work: (item: PaymobOrder) => Promise<void>): Promise<number> {
  const start = performance.now()
  let next = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < items.length) await work(items[next++] as PaymobOrder)
    }),
  )
  return (items.length * 1000) / (performance.now() - start)
}

async function p50(items: PaymobOrder[], work: (item: PaymobOrder) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (const item of items) {
    const start = performance.now()
    await work(item)
    times.push(performance.now() - start)
  }
  return median(times)
}
