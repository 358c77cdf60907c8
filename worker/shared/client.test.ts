import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../../scripts/testing/faulty_database.ts'
import { createDb, createPing, openPool } from './db.ts'

// Pools of worker and sidecar, on a real Postgres behind a proxy, and on a server that refuses logins.
type Line = { msg: string; reason?: string; code?: string }

let database: TestDatabase
let operator: pg.Client
let lines: Line[]
const pools: pg.Pool[] = []

beforeAll(async () => {
  database = await createDatabase()
  operator = await database.connect()
})
beforeEach(() => {
  lines = []
})
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.end())))
afterAll(() => database.drop())

function open(url: string, more: { max?: number; queryTimeoutMs?: number } = {}): pg.Pool {
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const pool = openPool({ url, name: 'test', max: 4, logger, ...more })
  pools.push(pool)
  return pool
}

const repeat = <Result>(times: number, work: () => Promise<Result>) => Promise.all(Array.from({ length: times }, work))

describe('connections whose packets are dropped', () => {
  let faulty: FaultyDatabase
  beforeAll(async () => {
    faulty = await startFaultyDatabase(inject('cluster').port)
  })
  afterAll(() => faulty.stop())

  test('after one query without an answer, no query waits a second time', async () => {
    const pool = open(faulty.through(database.url('worker')), { queryTimeoutMs: 1000 })
    await repeat(4, () => pool.query('select pg_sleep(0.05)'))
    expect(pool.idleCount).toBe(4)
    faulty.freeze()
    await expect(pool.query('select 1')).rejects.toThrow('Query read timeout')
    // A query on a connection that is still frozen would fail.
    await repeat(4, () => pool.query('select 1'))
  })

  test('a connection without an answer is not used again when its holder releases it without an error', async () => {
    const pool = open(faulty.through(database.url('worker')), { max: 1, queryTimeoutMs: 1000 })
    const client = await pool.connect()
    faulty.freeze()
    await expect(client.query('select 1')).rejects.toThrow('Query read timeout')
    client.release()
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a holder that only listens hears of the silence by an error', async () => {
    const pool = open(faulty.through(database.url('worker')), { queryTimeoutMs: 1000 })
    const listener = await pool.connect()
    await listener.query('listen something')
    const other = await pool.connect()
    const error = new Promise((resolve) => listener.once('error', resolve))
    faulty.freeze()
    await expect(other.query('select 1')).rejects.toThrow('Query read timeout')
    expect(await error).toMatchObject({ message: 'Another connection got no answer' })
    other.release()
    listener.release()
  })

  test('a connection in the middle of a slow query may finish it', async () => {
    const pool = open(faulty.through(database.url('worker')))
    const [slow, silent] = [await pool.connect(), await pool.connect()]
    const answer = slow.query('select pg_sleep(0.5), 1 as one')
    await expect(silent.query({ text: 'select pg_sleep(5)', query_timeout: 200 } as pg.QueryConfig)).rejects.toThrow()
    expect((await answer).rows).toMatchObject([{ one: 1 }])
    slow.release()
    silent.release()
  })

  test('a connection that has answered since stays open', async () => {
    const pool = open(faulty.through(database.url('worker')))
    const [lively, silent] = [await pool.connect(), await pool.connect()]
    const failed = silent.query({ text: 'select pg_sleep(5)', query_timeout: 1000 } as pg.QueryConfig)
    await lively.query('select 1')
    await expect(failed).rejects.toThrow('Query read timeout')
    expect((await lively.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    lively.release()
    silent.release()
  })

  test('a call can have a time limit of its own', async () => {
    const db = createDb(open(faulty.through(database.url('worker')), { queryTimeoutMs: 60_000 }))
    await db.call('worker.ping')
    faulty.freeze()
    await expect(db.call('worker.ping', {}, { timeoutMs: 200 })).rejects.toThrow(
      'worker.ping failed: Query read timeout',
    )
    const hasty = createDb(open(faulty.through(database.url('worker')), { queryTimeoutMs: 60_000 }), { timeoutMs: 200 })
    await hasty.call('worker.ping')
    faulty.freeze()
    await expect(hasty.call('worker.ping')).rejects.toThrow('Query read timeout')
  })
})

describe('a server that refuses the login', () => {
  test('ten callers try once in 2 s, fail at once with the reason, and it is logged once', async () => {
    let startups = 0
    const fields = [`SFATAL`, `VFATAL`, `C28P01`, `Mpassword authentication failed for user "worker"`, '']
    const body = Buffer.from(fields.map((field) => `${field}\0`).join(''))
    const header = Buffer.from('E\0\0\0\0')
    header.writeInt32BE(body.length + 4, 1)
    const server = createServer((socket) => {
      startups += 1
      socket.on('error', () => {})
      socket.once('data', () => socket.end(Buffer.concat([header, body])))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const db = createDb(open(`postgres://worker:wrong@127.0.0.1:${port}/postgres`))
    const ping = createPing(db, 'worker.ping')
    try {
      for (const end = Date.now() + 2000; Date.now() < end; await sleep(20)) {
        const results = await Promise.allSettled(Array.from({ length: 10 }, () => db.call('worker.ping')))
        for (const result of results) {
          expect(result).toMatchObject({
            reason: { message: expect.stringContaining('password authentication failed') },
          })
        }
        expect(await ping()).toBe('The database refuses the login.')
      }
    } finally {
      server.close()
    }
    // Connections that began together may all be refused before the first refusal arrives.
    expect(startups).toBeLessThanOrEqual(4)
    expect(lines).toMatchObject([{ msg: 'Database cannot be reached', code: '28P01' }])
  })
})

describe('a statement that a migration made invalid', () => {
  const define = async (type: string, body: string) =>
    operator.query(`
      drop function if exists worker.shape();
      create function worker.shape() returns ${type} language sql as $$ ${body} $$;
      grant execute on function worker.shape() to worker`)

  test('is prepared again by all connections, and no caller notices', async () => {
    await define('table (a integer)', 'select 1')
    const db = createDb(open(database.url('worker')))
    await repeat(8, () => db.call('worker.shape'))
    for (const type of ['integer, b text', 'integer, b text, c date', 'text']) {
      await define(`table (a ${type})`, `select null::${type.replaceAll(/, \w /g, ', null::')}`)
      const results = await repeat(8, () => db.call('worker.shape'))
      expect(results.map(([row]) => Object.keys(row ?? {}).length)).toEqual(Array(8).fill(type.split(',').length))
    }
  })

  test('is prepared again after a pooler has forgotten it', async () => {
    const client = await database.connect('worker')
    const db = createDb(client as unknown as pg.Pool)
    await db.call('worker.ping')
    await client.query('deallocate all')
    expect(await db.call('worker.ping')).toEqual([{ ping: true }])
  })

  test('closes a connection that its holder releases without the error', async () => {
    const pool = open(database.url('worker'), { max: 1 })
    const query = { name: 'one', text: 'select 1 as one' }
    const client = await pool.connect()
    await client.query(query)
    await client.query('deallocate all')
    await expect(client.query(query)).rejects.toThrow('does not exist')
    client.release()
    expect((await pool.query(query)).rows).toEqual([{ one: 1 }])
  })

  test('other errors with the same code are not repeated', async () => {
    await operator.query(`
      create sequence worker.calls;
      grant usage on sequence worker.calls to worker;
      create function worker.refuse() returns void language plpgsql as $$
        begin perform nextval('worker.calls'); raise exception 'no' using errcode = '0A000'; end $$;
      grant execute on function worker.refuse() to worker`)
    await expect(createDb(open(database.url('worker'))).call('worker.refuse')).rejects.toThrow('no')
    expect((await operator.query('select last_value from worker.calls')).rows).toEqual([{ last_value: '1' }])
  })
})

test.each(['worker', 'sidecar'] as const)('Postgres ends a query of the %s whose client is gone', async (role) => {
  const pool = open(database.url(role), { max: 1 })
  const late = pool.query({ text: 'select pg_sleep(25)', query_timeout: 100 } as pg.QueryConfig)
  await expect(late).rejects.toThrow('Query read timeout')
  const query = 'select from pg_stat_activity where usename = $1 and query like $2'
  await expect.poll(async () => (await operator.query(query, [role, '%pg_sleep(25)%'])).rowCount).toBe(0)
})

test('a connection to a read-only server is not used again, because a failover may have moved the primary', async () => {
  const pool = open(database.url('worker'), { max: 1 })
  const client = await pool.connect()
  await client.query('set default_transaction_read_only = on')
  await expect(client.query('select worker.ping()')).rejects.toThrow('read-only')
  client.release()
  expect((await pool.query('show default_transaction_read_only')).rows).toEqual([
    { default_transaction_read_only: 'off' },
  ])
})

test.each(['worker', 'sidecar'] as const)('the ping of the %s fails while the database is read-only', async (role) => {
  const ping = createPing(createDb(open(database.url(role), { max: 1 })), `${role}.ping`)
  expect(await ping()).toBeUndefined()
  await operator.query(`alter database ${database.name} set default_transaction_read_only = on`)
  const readOnly = createPing(createDb(open(database.url(role), { max: 1 })), `${role}.ping`)
  expect(await readOnly()).toBe('The database is read-only.')
  await operator.query(`alter database ${database.name} reset default_transaction_read_only`)
})
