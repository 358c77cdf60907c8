import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { beforeEach, describe, expect, test } from 'vitest'
import { spacesEnv } from '../../scripts/local/services.ts'
import { createDb, type Db } from '../../worker/shared/db.ts'
import { createLogger } from '../../worker/shared/log.ts'
import { createSpaces } from '../../worker/shared/object_store.ts'
import { parseConfig } from '../config.ts'
import { buildServer } from '../server.ts'
import { readCallback, transactionFields } from './callback.ts'

const secret = 'plinth-test-secret'
const read = (name: string) => readFileSync(join(import.meta.dirname, 'cases', name))
const approved = read('1_approved.json')
const { hmac } = JSON.parse(read('signatures.json').toString()).cases['1_approved'] as { hmac: string }

const lines: string[] = []
const calls: { name: string; args: Record<string, unknown> }[] = []
let answer: () => unknown
beforeEach(() => {
  lines.splice(0)
  calls.splice(0)
  answer = () => ({ payment_id: 'p1', status: 'applied', reason: null })
})
// Stands for Postgres; db/tests/90_payments has the function itself.
const recorder: Db = {
  call: async (name, args = {}) => {
    calls.push({ name, args })
    return [{ record_paymob_callbacks: [answer()] }] as never
  },
}
const start = (
  db: Db,
  change: { paymobSecrets?: string[]; paymobReturnUrl?: string; paymobBodyTimeoutMs?: number } = {},
) =>
  buildServer({
    db,
    store: createSpaces(parseConfig({ DATABASE_URL: 'postgres://h/d', ASSETS_CDN_URL: 'http://h', ...spacesEnv(1) })),
    logger: createLogger('sidecar', 'info', { write: (line) => void lines.push(line) }),
    corsOrigins: [],
    cdnUrl: 'http://127.0.0.1:1/bucket',
    uploadsAtOnce: 1,
    uploadTimeoutMs: 1000,
    jwtSecret: undefined,
    paymobSecrets: [secret, 'the secret before'],
    paymobReturnUrl: 'https://app.example/paid?tab=orders',
    ...change,
  })
const server = start(recorder)
const send = (payload: Buffer | string, query: string | Record<string, string> = { hmac }, to = server) =>
  to.inject({
    method: 'POST',
    url: '/api/paymob/webhook',
    headers: { 'content-type': 'application/json' },
    payload,
    query,
  })

test('hands a signed callback to SQL as it came, and answers after the commit', async () => {
  const response = await send(approved)
  expect([response.statusCode, response.json()]).toEqual([200, { status: 'applied' }])
  expect(calls).toHaveLength(1)
  expect(calls[0]?.name).toBe('sidecar.record_paymob_callbacks')
  const [{ body, signed, hints, ...rest }] = JSON.parse(String(calls[0]?.args['callbacks']))
  expect(rest).toEqual({ type: 'TRANSACTION', hmac })
  expect(body).toBe(approved.toString())
  expect(Object.keys(signed)).toEqual(transactionFields)
  expect(signed).toMatchObject({
    id: '2556706',
    'order.id': '4778239',
    success: 'true',
    has_parent_transaction: 'false',
  })
  expect(hints).toMatchObject({
    merchant_order_id: 'plinth-order-1',
    is_refund: 'false',
    txn_response_code: 'APPROVED',
  })
})

test('accepts the secret before while the secret is rotated', async () => {
  const text = transactionFields.map((field) => readCallback(approved).signed?.[field]).join('')
  const old = createHmac('sha512', 'the secret before').update(text).digest('hex')
  expect((await send(approved, { hmac: old })).statusCode).toBe(200)
})

test('a TOKEN is handed on without its token', async () => {
  const obj = { token: 'tok_s3cret', masked_pan: 'xxxx-2346', email: 'a@example.com', id: 7, order_id: 4778239 }
  const payload = JSON.stringify({ type: 'TOKEN', obj })
  const signed = createHmac('sha512', secret).update('a@example.com7xxxx-23464778239tok_s3cret').digest('hex')
  expect((await send(payload, { hmac: signed })).statusCode).toBe(200)
  const sent = String(calls[0]?.args['callbacks'])
  expect(JSON.parse(sent)[0]).toMatchObject({ type: 'TOKEN', signed: { masked_pan: 'xxxx-2346' } })
  expect(sent + lines.join('')).not.toContain('tok_s3cret')
})

test('other types are answered and logged, and not stored', async () => {
  const response = await send('{"type": "SUBSCRIPTION", "obj": {}}', {})
  expect([response.statusCode, response.json()]).toEqual([200, { status: 'ignored' }])
  expect(calls).toEqual([])
  expect(lines.join('')).toContain('SUBSCRIPTION')
})

describe('refuses', () => {
  test.each([
    ['no signature', 401, approved, {}],
    ['another signature', 401, approved, { hmac: '0'.repeat(128) }],
    ['a signature twice', 401, approved, `hmac=${hmac}&hmac=${hmac}`],
    ['upper case', 401, approved, { hmac: hmac.toUpperCase() }],
    ['another amount', 401, approved.toString().replace('"amount_cents": 100', '"amount_cents": 1'), { hmac }],
    ['no JSON', 400, 'paid', { hmac }],
    ['nothing', 400, '', { hmac }],
    ['more than 64 KiB', 413, `{"type": "TRANSACTION", "x": "${'x'.repeat(65_536)}"}`, { hmac }],
  ])('%s with %i', async (_what, status, payload, query) => {
    const response = await send(payload, query)
    expect(response.statusCode).toBe(status)
    expect(response.json()).toMatchObject({ code: `PT${status}`, details: expect.stringMatching(/^[a-z_]+$/) })
    expect(calls).toEqual([])
  })

  test('and does not say what a signature would have to be', async () => {
    const bodies = await Promise.all(
      [{}, { hmac: '0'.repeat(128) }, { hmac: 'x' }].map(async (query) => (await send(approved, query)).body),
    )
    expect(new Set(bodies).size).toBe(1)
    expect(bodies[0] + lines.join('')).not.toContain(hmac.slice(0, 20))
  })
})

describe('asks Paymob to send the callback again', () => {
  test('while the database is away', async () => {
    // Nothing listens on port 1.
    const away = start(createDb(new pg.Pool({ connectionString: 'postgres://sidecar@127.0.0.1:1/postgres' })))
    const response = await send(approved, { hmac }, away)
    expect(response.statusCode).toBe(503)
    expect(response.headers['retry-after']).toBe('5')
    expect(response.json()).toMatchObject({ details: 'database_unavailable' })
  })

  test('if the function fails, and logs the reason', async () => {
    answer = () => {
      throw new Error('sidecar.record_paymob_callback failed: canceling statement due to statement timeout')
    }
    expect((await send(approved)).statusCode).toBe(503)
    expect(lines.join('')).toContain('statement timeout')
  })
})

test('a flood of accepted requests fills no log', async () => {
  const startedAt = performance.now()
  for (let n = 0; n < 50; n++) {
    expect((await send(approved)).statusCode).toBe(200)
    expect((await server.inject('/api/paymob/return')).statusCode).toBe(303)
  }
  const read = (message: string) => lines.filter((line) => line.includes(message))
  // One line a second, and the first one, of each kind.
  const most = 3 + (performance.now() - startedAt) / 1000
  expect(read('Callback was recorded').length).toBeLessThan(most)
  expect(read('Request was answered').length).toBeLessThan(2 * most)
})

test('a body that does not come ends the connection', async () => {
  const impatient = start(recorder, { paymobBodyTimeoutMs: 50 })
  await impatient.listen({ port: 0, host: '127.0.0.1' })
  const { port } = impatient.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.write(`POST /api/paymob/webhook?hmac=${hmac} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{`)
  socket.resume()
  await once(socket, 'close')
  const whole = await fetch(`http://127.0.0.1:${port}/api/paymob/webhook?hmac=${hmac}`, {
    method: 'POST',
    body: new Uint8Array(approved),
  })
  expect(whole.status).toBe(200)
  await impatient.close()
})

test('without a secret the routes do not exist', async () => {
  const closed = start(recorder, { paymobSecrets: [] })
  expect((await send(approved, { hmac }, closed)).statusCode).toBe(404)
  expect((await closed.inject('/api/paymob/return')).statusCode).toBe(404)
})

describe('the customer returns', () => {
  const { signed = {} } = readCallback(approved)
  const sign = (values: Record<string, string>) =>
    createHmac('sha512', secret)
      .update(transactionFields.map((field) => values[field]).join(''))
      .digest('hex')
  const visit = async (
    values: Record<string, string>,
    names: Record<string, string> = {},
    encode: (text: string) => string = encodeURIComponent,
  ) => {
    const pairs = Object.entries({ ...values, merchant_order_id: 'plinth-order-1', hmac: sign(values) })
    const query = pairs.map(([name, value]) => `${names[name] ?? name}=${encode(value)}`).join('&')
    const response = await server.inject(`/api/paymob/return?${query}`)
    expect(response.statusCode).toBe(303)
    expect(calls).toEqual([])
    return Object.fromEntries(new URL(String(response.headers.location)).searchParams)
  }
  const named = { 'order.id': 'order' }

  test.each([
    ['paid', {}],
    ['declined', { success: 'false' }],
    ['declined', { error_occured: 'true' }],
    ['pending', { pending: 'true', success: 'false' }],
  ])('%s: %j', async (outcome, change) => {
    expect(await visit({ ...signed, ...change }, named)).toEqual({ tab: 'orders', outcome, order: 'plinth-order-1' })
  })

  test('with other names of the fields', async () => {
    const other = {
      'order.id': 'order_id',
      'source_data.pan': 'source_data_pan',
      'source_data.type': 'source_data_type',
    }
    expect(await visit(signed, other)).toMatchObject({ outcome: 'paid' })
  })

  test.each([
    ['escaped', encodeURIComponent],
    ['raw', (text: string) => text],
  ])('with a zone in created_at, %s', async (_what, encode) => {
    const created_at = '2020-03-25T18:39:44.719228+04:00'
    expect(await visit({ ...signed, created_at }, named, encode)).toMatchObject({ outcome: 'paid' })
  })

  test('a forged visit shows no outcome and no order', async () => {
    const query = new URLSearchParams({ ...signed, order: '1', success: 'true', hmac, merchant_order_id: 'x' })
    for (const url of [`/api/paymob/return?${query}`, '/api/paymob/return', '/api/paymob/return?%zz=%zz&hmac=']) {
      const response = await server.inject(url)
      expect(response.headers.location).toBe('https://app.example/paid?tab=orders&outcome=unknown')
    }
  })
})
