import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { listen, startTestRealtime, type TestRealtime } from '../../testing/realtime.ts'
import { until } from '../../testing/waiting.ts'
import { openHome } from '../home.ts'
import { localKeys, signUserJwt } from '../keys.ts'
import { freePort } from '../ports.ts'
import { adminConfig, startPostgres } from '../postgres.ts'
import { prepareSupabaseShim } from '../supabase_shim.ts'
import { startRealtime } from './server.ts'

const table = `
  create table public.items (id bigint generated always as identity primary key, owner_id uuid not null, note text);
  alter table public.items enable row level security;
  grant select on public.items to authenticated;
  create policy select_own on public.items for select to authenticated using (owner_id = (select auth.uid()));
  alter publication supabase_realtime add table public.items`

let realtime: TestRealtime
const ana = crypto.randomUUID()

beforeAll(async () => {
  realtime = await startTestRealtime({ unreadBytes: 2 * 1024 * 1024 })
  await realtime.db.query(table)
})
afterAll(() => realtime?.stop())

const insert = (owner = ana) =>
  realtime.db.query('insert into public.items (owner_id) values ($1) returning id::int', [owner])

/** Opens a socket without realtime-js. */
async function open(path = `/realtime/v1/websocket?apikey=${realtime.keys.anonKey}&vsn=2.0.0`, url = realtime.url) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`)
  socket.setMaxListeners(100)
  const messages: unknown[][] = []
  socket.on('message', (data) => messages.push(JSON.parse(String(data))))
  socket.on('error', () => {})
  await until('the socket opens or is refused', () => socket.readyState !== WebSocket.CONNECTING)
  const join = (topic: string, payload: object, ref = '1') =>
    socket.send(JSON.stringify([ref, ref, topic, 'phx_join', payload]))
  return { socket, messages, join }
}

async function joinPayload(user = ana) {
  return {
    access_token: await realtime.tokenOf(user),
    config: { postgres_changes: [{ event: '*', schema: 'public', table: 'items' }] },
  }
}

/** The server still serves others. */
async function works(): Promise<void> {
  const heard = await listen(realtime.client(await realtime.tokenOf(ana)), { table: 'items', event: 'INSERT' })
  const { rows } = await insert()
  await until('the row arrives', () => heard.changes.some((change) => change.new['id'] === rows[0].id))
  await heard.channel.unsubscribe()
}

describe('attacks', () => {
  test('10,000 joins of a socket: it keeps 100 channels, then it is closed', async () => {
    const { socket, messages, join } = await open()
    const payload = await joinPayload()
    for (let n = 0; n < 10_000; n++) join(`realtime:${n}`, payload, String(n))
    await until('the socket is closed', () => socket.readyState === WebSocket.CLOSED)
    const reasons = messages.map(
      ([, , , , payload]) => (payload as { response?: { reason?: string } }).response?.reason,
    )
    expect(reasons).toContain('ChannelRateLimitReached: Too many channels')
    expect(reasons).toContain('ClientJoinRateLimitReached: Too many joins per second')
    await works()
  })

  test('a message over 5 MB ends its socket', async () => {
    const { socket } = await open()
    socket.send('x'.repeat(5_000_001))
    await until('the socket is closed', () => socket.readyState === WebSocket.CLOSED)
    await works()
  })

  test('malformed messages get no answer, and the socket stays', async () => {
    const { socket, messages } = await open()
    const bad: (string | Buffer)[] = [
      '{',
      'null',
      '[]',
      '[1,2]',
      '{"topic":"phoenix"}',
      '["1","1",{},"phx_join",{}]',
      '["1","1","phoenix",null,{}]',
      '[null,null,"realtime:x","phx_join",null,1]',
      Buffer.from([]),
      Buffer.from([0]),
      Buffer.from([3, 255, 255, 255, 255, 0, 0]),
      Buffer.from([9, 1, 1, 1, 1]),
    ]
    for (const message of bad) socket.send(message)
    socket.send('[null,"7","phoenix","heartbeat",{}]')
    await until('the heartbeat is answered', () => messages.length > 0)
    expect(messages).toEqual([[null, '7', 'phoenix', 'phx_reply', { status: 'ok', response: {} }]])
    socket.close()
  })

  test.each(['//', '/websocket/', '/api'])('an upgrade to %s is refused, and the server goes on', async (path) => {
    const socket = new WebSocket(`${realtime.ownUrl()}${path}`)
    socket.on('error', () => {})
    await until('the socket is closed', () => socket.readyState === WebSocket.CLOSED)
    await works()
  })

  test('a late leave of an earlier channel does not end the present one of the same topic', async () => {
    const { socket, messages, join } = await open()
    join('realtime:a', await joinPayload(), '2')
    await until('the join is answered', () => messages.length > 0)
    socket.send(JSON.stringify(['1', '3', 'realtime:a', 'phx_leave', {}]))
    socket.send(JSON.stringify(['2', '4', 'realtime:a', 'phx_leave', {}]))
    await until('the channel is closed', () => messages.some(([, , , event]) => event === 'phx_close'))
    expect(messages.map(([ref, , , event]) => [ref, event]).filter(([, event]) => event !== 'system')).toEqual([
      ['2', 'phx_reply'],
      ['2', 'phx_reply'],
      ['2', 'phx_close'],
    ])
    socket.close()
  })

  test('a client cannot fill the log, and deep JSON ends its socket only', async () => {
    const [long, deep] = [await open(), await open()]
    const bindings = (filter: string) => [{ event: '*', schema: 'public', table: 'items', filter }]
    const config = { postgres_changes: bindings(`note=foo.${'x\n'.repeat(1_000_000)}`) }
    long.join('realtime:x', { access_token: await realtime.tokenOf(ana), config })
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const { access_token } = await joinPayload()
    deep.socket.send(
      `["1","1","realtime:x","phx_join",{"access_token":"${access_token}","config":{"postgres_changes":[{"x":${nested}}]}}]`,
    )
    await until('the filter is refused', () => long.messages.some(([, , , event]) => event === 'system'))
    await until('the deep one is closed', () => deep.socket.readyState === WebSocket.CLOSED)
    expect(realtime.log.filter((line) => line.length > 1100)).toEqual([])
    expect(realtime.log.find((line) => line.includes('note=foo') || line.includes('["foo"'))).not.toContain('\n')
    await works()
    long.socket.close()
  })

  test.each<[string, unknown, string]>([
    ['no topic', 'realtime:', 'TopicNameRequired: You must provide a topic name'],
    ['another topic', 'room:1', 'unmatched topic'],
  ])('a join of %s is refused', async (_name, topic, reason) => {
    const { socket, messages, join } = await open()
    join(String(topic), {})
    await until('the join is answered', () => messages.length > 0)
    expect(messages[0]?.[4]).toEqual({ status: 'error', response: { reason } })
    socket.close()
  })

  test.each([
    null,
    1,
    'x',
    {},
    [null],
    [{}],
    [{ schema: 1 }],
    [{ table: {} }],
    [{ schema: 'public', table: 'items', filter: 7 }],
    [{ schema: 'public', table: 'items', select: 'note' }],
    [{ schema: 'public', table: `items"; drop table public.items; --` }],
    [{ schema: 'public', table: 'items', filter: `note=eq.'; drop table public.items; --` }],
    [{ schema: 'public', table: 'items', filter: `note=like.'); drop table public.items; --` }],
    [{ schema: 'public', table: 'items', filter: `note=in.(","};'$$,a)` }],
    [{ schema: 'public', table: 'items', filter: 'note"=eq.1' }],
  ])('bindings %j do no harm', async (bindings) => {
    const { socket, messages, join } = await open()
    join('realtime:x', { access_token: await realtime.tokenOf(ana), config: { postgres_changes: bindings } })
    await until('the join is answered', () => messages.length > 0)
    await insert()
    await works()
    socket.close()
  })

  test('a role, a claim and an id that contain SQL are values', async () => {
    const nasty = `x'; drop table public.items; --`
    const { socket, messages, join } = await open()
    const config = { postgres_changes: [{ event: '*', schema: 'public', table: 'items' }] }
    join('realtime:a', { access_token: await realtime.tokenOf(ana, { role: nasty }), config })
    join('realtime:b', { access_token: await realtime.tokenOf(nasty, { note: nasty }), config }, '2')
    await until('both are answered', () => messages.filter(([, , , event]) => event === 'system').length === 2)
    await works()
    socket.close()
  })

  test.each(['supabase_admin', 'postgres', 'supabase_realtime_admin', 'worker', 'pg_read_all_data'])(
    'a token of role %s, signed with the secret, sees nothing',
    async (role) => {
      const token = await realtime.tokenOf(ana, { role })
      const heard = await listen(realtime.client(token), { table: 'items', event: 'INSERT' })
      await works()
      expect(heard.changes.filter(({ errors }) => !errors)).toEqual([])
    },
  )

  test.each([
    ['without a key', '/realtime/v1/websocket?vsn=2.0.0'],
    ['with another key', '/realtime/v1/websocket?apikey=sb_publishable_x&vsn=2.0.0'],
  ])('a socket %s is refused', async (_name, path) => {
    const { socket } = await open(path)
    await until('the socket is closed', () => socket.readyState === WebSocket.CLOSED)
  })

  test('another version of the protocol is refused', async () => {
    const { socket } = await open(`/realtime/v1/websocket?apikey=${realtime.keys.anonKey}&vsn=3.0.0`)
    await until('the socket is closed', () => socket.readyState === WebSocket.CLOSED)
  })

  test('a client that sends nothing is dropped; one with heartbeats stays', async () => {
    const strict = await startTestRealtime({ silenceMs: 1500 })
    const path = `/realtime/v1/websocket?apikey=${strict.keys.anonKey}&vsn=2.0.0`
    const [quiet, alive] = [await open(path, strict.url), await open(path, strict.url)]
    const beat = setInterval(() => alive.socket.send('[null,"1","phoenix","heartbeat",{}]'), 300)
    await until('the quiet one is closed', () => quiet.socket.readyState === WebSocket.CLOSED)
    expect(alive.socket.readyState).toBe(WebSocket.OPEN)
    clearInterval(beat)
    alive.socket.close()
    await strict.stop()
  })

  test('a client that does not read is dropped, and delays nobody', async () => {
    const { hostname, port } = new URL(realtime.url)
    const slow = connect(Number(port), hostname)
    slow.on('error', () => {})
    slow.write(
      `GET /realtime/v1/websocket?apikey=${realtime.keys.anonKey}&vsn=2.0.0 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n` +
        'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    )
    await once(slow, 'data')
    const text = Buffer.from(JSON.stringify(['1', '1', 'realtime:slow', 'phx_join', await joinPayload()]))
    // A masked frame with a mask of zeros.
    slow.write(Buffer.concat([Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 255, 0, 0, 0, 0]), text]))
    await once(slow, 'data')
    slow.pause()
    const heard = await listen(realtime.client(await realtime.tokenOf(ana)), { table: 'items', event: 'INSERT' })
    const isDropped = () => realtime.log.some((line) => line.includes('does not read its messages'))
    // The kernel's buffers of both connections fill first.
    const heardRows = () => heard.changes.filter((change) => change.new['note']).length
    for (let rows = 10; !isDropped() && rows <= 1000; rows += 10) {
      await realtime.db.query(
        `insert into public.items (owner_id, note) select $1, repeat('x', 100000) from generate_series(1, 10)`,
        [ana],
      )
      await until('the other one has all rows', () => heardRows() === rows)
    }
    expect(isDropped()).toBe(true)
    slow.resume()
    await until('the slow one is closed', () => slow.destroyed || slow.readableEnded)
  })
})

test('a slow policy delays other changes by seconds once, and its table is then left out for a time', async () => {
  await realtime.db.query(`
    create table public.snails (id integer primary key);
    alter table public.snails enable row level security;
    grant select on public.snails to authenticated;
    create policy select_slowly on public.snails for select to authenticated using (pg_sleep(1) is not null);
    alter publication supabase_realtime add table public.snails`)
  const strangers = Array.from({ length: 10 }, () => crypto.randomUUID())
  for (const user of strangers) await listen(realtime.client(await realtime.tokenOf(user)), { table: 'snails' })
  const heard = await listen(realtime.client(await realtime.tokenOf(ana)), { table: 'items', event: 'INSERT' })
  for (let count = 1; count <= 3; count++) {
    await realtime.db.query('insert into public.snails select $1 * 10 + n from generate_series(1, 5) as n', [count])
    await insert()
    // All checks of one batch would take 50 seconds.
    await until('the other change arrives', () => heard.changes.length === count, 45)
  }
  // A second time if the machine took more than 30 s for the rest.
  expect(realtime.log.filter((line) => line.includes('too slow'))).toContain(
    'Realtime sends no changes that need the policies of public.snails for 30 s, because this check is too slow.',
  )
  await realtime.db.query('drop table public.snails')
})

test('a policy that waits for a lock delays other changes by seconds, and works again after the lock', async () => {
  await realtime.db.query(`
    create table public.doors (id integer primary key);
    create table public.guests (id integer primary key);
    alter table public.guests enable row level security;
    grant select on public.guests, public.doors to authenticated;
    create policy select_by_doors on public.guests for select to authenticated
      using (not exists (select from public.doors));
    alter publication supabase_realtime add table public.guests`)
  const bindings = [{ table: 'guests' }, { table: 'items', event: 'INSERT' }]
  const heard = await listen(realtime.client(await realtime.tokenOf(ana)), bindings)
  const locker = await realtime.database.connect()
  await locker.query('begin; lock table public.doors')
  await realtime.db.query('insert into public.guests values (1)')
  await insert()
  await until('the other change arrives', () => heard.changes.length === 1)
  await locker.query('commit')
  await locker.end()
  let id = 1
  await until('the table is heard again', async () => {
    await realtime.db.query('insert into public.guests values ($1)', [++id])
    return heard.changes.some(({ table }) => table === 'guests')
  })
  expect(heard.changes[0]?.table).toBe('items')
  expect(realtime.log.join()).toContain('canceling statement due to lock timeout')
  expect(realtime.log.filter((line) => line.includes('too slow') && line.includes('guests'))).toEqual([])
  await realtime.db.query('drop table public.guests, public.doors')
})

describe('restarts', () => {
  test('the server restarts: clients join again, and each confirmed subscription misses nothing', async () => {
    const client = realtime.client(await realtime.tokenOf(ana))
    const heard = await listen(client, { table: 'items', event: 'INSERT' })
    await realtime.restart()
    await until(
      'the client has joined again',
      () => heard.statuses.filter((status) => status === 'SUBSCRIBED').length >= 2,
    )
    const { rows } = await insert()
    await until('the row arrives', () => heard.changes.some((change) => change.new['id'] === rows[0].id))
    expect(heard.statuses).toContain('CHANNEL_ERROR')
  })

  test('Postgres stops at once while changes are read; clients join again, and miss nothing after Postgres is back', async () => {
    const home = mkdtempSync(join(tmpdir(), 'plinth-realtime-'))
    const secrets = openHome(home)
    const keys = await localKeys(secrets)
    const port = await freePort()
    const options = { home, port, adminPassword: secrets.adminPassword, settings: { fsync: 'off' } }
    let postgres = await startPostgres(options, () => {})
    const admin = adminConfig(options, 'postgres')
    await prepareSupabaseShim(admin)
    const run = async (text: string, values: unknown[] = []) => {
      const client = new pg.Client(admin)
      await client.connect()
      const result = await client.query(text, values)
      await client.end()
      return result.rows
    }
    await run(`alter role supabase_realtime_admin password 'secret'`)
    await run(table)
    const server = await startRealtime({
      databaseUrl: `postgres://supabase_realtime_admin:secret@127.0.0.1:${port}/postgres`,
      keys,
      say: () => {},
    })
    let client: SupabaseClient | undefined
    try {
      const token = await signUserJwt(
        { sub: ana, role: 'authenticated', exp: Math.floor(Date.now() / 1000) + 3600 },
        keys,
      )
      const gateway = await import('../gateway/gateway.ts')
      const gatewayPort = await freePort()
      const gate = await gateway.startGateway({
        port: gatewayPort,
        keys,
        postgrestPort: 9,
        sidecarPort: 9,
        realtimePort: server.port,
      })
      client = createClient(`http://127.0.0.1:${gatewayPort}`, keys.publishableKey, { accessToken: async () => token })
      const heard = await listen(client, { table: 'items', event: 'INSERT' })
      await run('insert into public.items (owner_id) values ($1)', [ana])
      await heard.have(1)
      // A session that ignored the signal would be killed.
      await postgres.child.stop('SIGINT', 60_000)
      expect(await postgres.child.exited).toBe('exit code 0')
      // The client joins again while Postgres is down.
      await until('the subscription fails', () => heard.system.some(({ status }) => status === 'error'))
      postgres = await startPostgres(options, () => {})
      const confirmed = () => heard.system.filter(({ status }) => status === 'ok').length
      await until('the client has joined again', () => confirmed() >= 2)
      await run('insert into public.items (owner_id) values ($1)', [ana])
      await heard.have(2)
      expect(await run('select slot_name from pg_replication_slots where not temporary')).toEqual([])
      await gate.close()
    } finally {
      await client?.removeAllChannels()
      await server.close()
      await postgres.stop()
      rmSync(home, { recursive: true, force: true })
    }
  })

  test('a stopped server leaves no slot', async () => {
    const slots = async () =>
      (await realtime.db.query(`select from pg_replication_slots where database = current_database()`)).rowCount
    await works()
    expect(await slots()).toBe(1)
    await realtime.restart()
    await until('the slot is gone', async () => (await slots()) === 0)
  })
})

test('20 writers and 5 readers: each reader has each of its rows once, in the order of the commits', async () => {
  const users = Array.from({ length: 5 }, () => crypto.randomUUID())
  const readers = await Promise.all(
    users.map(async (user) =>
      listen(realtime.client(await realtime.tokenOf(user)), { table: 'items', event: 'INSERT' }),
    ),
  )
  await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const writer = await realtime.database.connect()
      for (let n = 0; n < 100; n++)
        await writer.query('insert into public.items (owner_id, note) values ($1, $2)', [
          users[(at + n) % users.length],
          `${at}:${n}`,
        ])
      await writer.end()
    }),
  )
  for (const [at, reader] of readers.entries()) {
    const changes = await reader.have(400)
    expect(changes.every((change) => change.new['owner_id'] === users[at])).toBe(true)
    expect(new Set(changes.map((change) => change.new['note'])).size).toBe(400)
    for (let writer = 0; writer < 20; writer++) {
      const own = changes
        .map((change) => String(change.new['note']).split(':').map(Number))
        .filter(([w]) => w === writer)
      expect(own.map(([, n]) => n)).toEqual(own.map(([, n]) => n).toSorted((a = 0, b = 0) => a - b))
    }
  }
})
