import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../scripts/testing/database.ts'
import { someGif } from '../scripts/testing/sidecar.ts'
import { startTestStore, type TestStore } from '../scripts/testing/store.ts'
import { createDb } from '../worker/shared/db.ts'
import { createLogger } from '../worker/shared/log.ts'
import { buildServer } from './server.ts'

// One client address attacks, and the others are served: a real server on a real Postgres and a real S3 server.
let database: TestDatabase
let db: Client
let store: TestStore
let servers: FastifyInstance[]
const sockets: Socket[] = []

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  store = await startTestStore()
  const shared = {
    db: createDb(database.openPool({ connectionString: database.url('sidecar') })),
    store: store.store,
    logger: createLogger('sidecar', 'silent'),
    corsOrigins: [],
    cdnUrl: store.url,
    uploadsAtOnce: 200,
    uploadTimeoutMs: 1_800_000,
    jwtSecret: undefined,
  }
  // The first one does not end slow uploads while a busy machine runs these tests; the second one ends them after half a second.
  servers = [
    buildServer({ ...shared, pace: { graceMs: 600_000, bytesPerSecond: 1 } }),
    buildServer({ ...shared, pace: { graceMs: 500, bytesPerSecond: 100_000 } }),
  ]
  for (const server of servers) await server.listen({ host: '127.0.0.1', port: 0 })
})
beforeEach(async () => {
  await db.query('delete from app.rate_limits')
  await db.query('delete from app.asset_uploads')
  await db.query('delete from assets')
  await db.query(
    `update app.settings set client_address_header = 'x-client-address', asset_uploads_per_minute = 1200,
       unreferenced_bytes_max = 1000000000`,
  )
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})
afterAll(async () => {
  for (const server of servers) await server.close()
  await store.stop()
  await database.drop()
})

const portOf = (index: number) => (servers[index]?.addresses()[0] as { port: number } | undefined)?.port ?? 0

async function upload(address: string, bytes = someGif(), index = 0) {
  const body = new FormData()
  body.append('file', new Blob([bytes]), 'private name.gif')
  const headers = { 'x-client-address': address }
  const response = await fetch(`http://127.0.0.1:${portOf(index)}/api/assets`, { method: 'POST', body, headers })
  const answer = (await response.json()) as { details?: string; assetId?: string; url?: string }
  const retryAfter = Number(response.headers.get('retry-after'))
  return { status: response.status, slug: answer.details, retryAfter, ...answer }
}

/** Begins an upload and never ends it. Returns the status of the answer, when there is one. */
function begin(address: string, index = 0, length = 200_000): { socket: Socket; status: Promise<number> } {
  const socket = connect(portOf(index), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  socket.write(
    `POST /api/assets HTTP/1.1\r\nhost: x\r\nx-client-address: ${address}\r\ncontent-length: ${length}\r\n` +
      'content-type: multipart/form-data; boundary=cut\r\n\r\n' +
      '--cut\r\nContent-Disposition: form-data; name="file"; filename="x.gif"\r\n\r\nG',
  )
  const status = new Promise<number>((resolve) =>
    socket.once('data', (data) => resolve(Number(String(data).slice(9, 12)))),
  )
  return { socket, status }
}

const unitsOf = async (address: string) =>
  Number(
    (
      await db.query(
        `select greatest(0, extract(epoch from spent_until - clock_timestamp())) * 20 as units
         from app.rate_limits where key = $1`,
        [`address ${address}`],
      )
    ).rows[0]?.units,
  )

test('an address with 150 slow connections has a tenth of the places, and all others are served', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 150; n++) void begin('192.0.2.1').status.then((status) => statuses.push(status))
  await expect.poll(() => statuses.length).toBe(130)
  expect(new Set(statuses)).toEqual(new Set([429]))

  const own = await upload('192.0.2.1')
  expect([own.status, own.slug, own.retryAfter]).toEqual([429, 'too_many_uploads', 1])
  // The refused ones have cost nothing.
  expect(await unitsOf('192.0.2.1')).toBeLessThanOrEqual(20)
  const others = await Promise.all(Array.from({ length: 20 }, (_, n) => upload(`198.51.100.${n}`)))
  expect(others.map(({ status }) => status)).toEqual(Array(20).fill(201))

  for (const socket of sockets.splice(0)) socket.destroy()
  await expect.poll(async () => (await upload('192.0.2.1')).status).toBe(201)
})

test('an IPv6 network of size /48 has four times the places of a /64', async () => {
  const statuses: number[] = []
  for (let n = 0; n < 100; n++) void begin(`2001:db8:1:${n % 10}::1`).status.then((status) => statuses.push(status))
  await expect.poll(() => statuses.length).toBe(20)
  expect(new Set(statuses)).toEqual(new Set([429]))
  expect((await upload('2001:db8:1:99::1')).status).toBe(429)
  expect((await upload('2001:db8:2::1')).status).toBe(201)
})

test('without a header that names addresses, all places are everybody’s', async () => {
  await db.query('update app.settings set client_address_header = null')
  const answers = Array.from({ length: 30 }, () => begin('192.0.2.1').status)
  expect((await upload('192.0.2.1')).status).toBe(201)
  await expect(Promise.race([...answers, Promise.resolve('no answer')])).resolves.toBe('no answer')
})

test('refuses a client that sends too little, and accepts a client that sends enough', async () => {
  const slow = begin('192.0.2.1', 1)
  const steady = begin('192.0.2.2', 1, 20_000_000)
  const timer = setInterval(() => steady.socket.write(Buffer.alloc(20_000)), 50)
  expect(await slow.status).toBe(408)
  clearInterval(timer)
  await expect(Promise.race([steady.status, Promise.resolve('no answer')])).resolves.toBe('no answer')
})

describe('uploads cost their bytes', () => {
  test('an address cannot store more than 256 KiB for each of its units', async () => {
    await db.query('update app.settings set asset_uploads_per_minute = 20')
    const startedAt = performance.now()
    const answers = []
    for (let n = 0; n < 14; n++) answers.push(await upload('192.0.2.1', someGif(400_000)))
    const seconds = (performance.now() - startedAt) / 1000
    const accepted = answers.filter(({ status }) => status === 201).length
    // Each costs two units, and a unit comes back every three seconds.
    expect(accepted).toBeGreaterThanOrEqual(10)
    expect(accepted).toBeLessThanOrEqual((20 + seconds / 3) / 2)
    const refused = answers.filter(({ status }) => status !== 201)
    expect(refused.map(({ status, slug }) => [status, slug])).toEqual(Array(14 - accepted).fill([429, 'rate_limited']))
    expect(refused.every(({ retryAfter }) => retryAfter > 0)).toBe(true)
    expect((await upload('192.0.2.2')).status).toBe(201)
  })

  test('an upload of known bytes costs one unit', async () => {
    // A file of 1.5 MB costs 6 units, and 12 units come back in a minute.
    await db.query('update app.settings set asset_uploads_per_minute = 12')
    const bytes = someGif(1_500_000)
    const statusOf = async (address: string, sent?: typeof bytes) =>
      (await upload(address, sent ?? someGif(1_500_000))).status
    const statuses: number[] = [await statusOf('192.0.2.1', bytes)]
    for (let n = 0; n < 5; n++) statuses.push(await statusOf('192.0.2.2', bytes))
    expect(statuses).toEqual(Array(6).fill(201))
    statuses.splice(0)
    for (let n = 0; n < 3; n++) statuses.push(await statusOf('192.0.2.3'))
    expect(statuses).toEqual([201, 201, 429])
  })
})

test('an answer does not tell whether the bytes were known, or which name the first client sent', async () => {
  const bytes = someGif()
  const first = await upload('192.0.2.1', bytes)
  const second = await upload('192.0.2.2', bytes)
  expect(second).toEqual(first)
  expect(first).toMatchObject({ status: 201, url: `${store.url}/shared-assets/${first.assetId}/file.gif` })
  const { rows } = await db.query('select a.* from assets as a')
  expect(rows).toEqual([
    {
      id: first.assetId,
      name: 'file.gif',
      hash: expect.any(String),
      size_byte: 1000,
      mime_type: 'image/gif',
      file_path: first.url,
      object_key: `shared-assets/${first.assetId}/file.gif`,
      status: 'live',
    },
  ])
})

test('a full store refuses new bytes, and accepts known ones', async () => {
  const bytes = someGif(1000)
  await upload('192.0.2.1', bytes)
  await db.query('update app.settings set unreferenced_bytes_max = 1999')
  const refused = await upload('192.0.2.1')
  expect([refused.status, refused.slug, refused.retryAfter]).toEqual([503, 'store_full', 600])
  expect((await upload('192.0.2.1', bytes)).status).toBe(201)
  await db.query('update app.settings set unreferenced_bytes_max = 2000')
  expect((await upload('192.0.2.1')).status).toBe(201)
})
