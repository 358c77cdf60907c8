import { createClient, postgresChangesFilter } from '@supabase/supabase-js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Heard, listen, startTestRealtime, type TestRealtime } from '../../testing/realtime.ts'
import { until } from '../../testing/waiting.ts'

let realtime: TestRealtime
let ana: string
let bob: string

beforeAll(async () => {
  realtime = await startTestRealtime({ tablesMs: 300 })
  await realtime.db.query(`
    create table public.notes (
      id bigint generated always as identity primary key,
      owner_id uuid not null,
      title text,
      stars integer,
      is_done boolean not null default false,
      price numeric(8, 2),
      body text,
      doc json,
      secret text default 'hidden'
    );
    alter table public.notes enable row level security;
    grant select (id, owner_id, title, stars, is_done, price, body, doc) on public.notes to authenticated;
    grant select (id, title, is_done) on public.notes to anon;
    create policy select_own on public.notes for select to authenticated using (owner_id = (select auth.uid()));
    create policy select_done on public.notes for select to anon using (is_done);

    create table public.logs (id integer primary key, line text);
    grant select on public.logs to authenticated;
    create table public.marks (id integer primary key, line text);
    alter table public.marks replica identity full;
    grant select on public.marks to authenticated;
    create table public.keyless (line text);
    alter table public.keyless replica identity full;
    grant select on public.keyless to authenticated;
    create table public.unpublished (id integer primary key);
    alter publication supabase_realtime add table public.notes, public.logs, public.marks, public.keyless;
  `)
})
afterAll(() => realtime?.stop())
beforeEach(() => {
  ana = crypto.randomUUID()
  bob = crypto.randomUUID()
})

async function as(user: string, bindings: Parameters<typeof listen>[1], options?: Parameters<typeof listen>[2]) {
  return listen(realtime.client(await realtime.tokenOf(user)), bindings, options)
}

async function insert(owner: string, values: { title?: string; stars?: number; price?: string; body?: string } = {}) {
  const { title = 'note', stars = 1, price = null, body = null } = values
  const { rows } = await realtime.db.query(
    'insert into public.notes (owner_id, title, stars, price, body) values ($1, $2, $3, $4, $5) returning id::int',
    [owner, title, stars, price, body],
  )
  return rows[0].id as number
}

/** Waits for a change that is committed after all others, and returns the others that have arrived. */
async function heardAll(heard: Heard, owner: string): Promise<Heard['changes']> {
  const id = await insert(owner, { title: 'last', stars: 99 })
  await until('the last change arrives', () => heard.changes.some((change) => change.new['id'] === id))
  return heard.changes.filter((change) => change.new['id'] !== id)
}

describe('changes', () => {
  test('an insert has the columns that the role may select, with their types', async () => {
    const heard = await as(ana, { table: 'notes' })
    const id = await insert(ana, { title: 'first', stars: 3, price: '1.50' })
    const [change] = await heard.have(1)
    expect(change).toEqual({
      eventType: 'INSERT',
      schema: 'public',
      table: 'notes',
      commit_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      errors: null,
      new: { id, owner_id: ana, title: 'first', stars: 3, is_done: false, price: 1.5, body: null, doc: null },
      old: {},
    })
    expect(Date.parse(change?.commit_timestamp ?? '')).toBeGreaterThan(Date.now() - 60_000)
  })

  test('an update has the whole row and the old key; a delete has the old key only', async () => {
    const id = await insert(ana)
    const heard = await as(ana, { table: 'notes' })
    await realtime.db.query(`update public.notes set title = 'second' where id = $1`, [id])
    await realtime.db.query('delete from public.notes where id = $1', [id])
    // The row is gone when the update is checked, unless the update was checked before.
    await until('the delete arrives', () => heard.changes.at(-1)?.eventType === 'DELETE')
    expect(heard.changes.at(-1)).toMatchObject({ new: {}, old: { id }, errors: null })
    expect(heard.changes.at(-1)?.old).toEqual({ id })
  })

  test('an update names the old key', async () => {
    const id = await insert(ana)
    const heard = await as(ana, { table: 'notes', event: 'UPDATE' })
    await realtime.db.query(`update public.notes set title = 'second' where id = $1`, [id])
    const [change] = await heard.have(1)
    expect(change).toMatchObject({ eventType: 'UPDATE', new: { id, title: 'second', stars: 1 }, old: { id } })
    expect(change?.old).toEqual({ id })
  })

  test.each(['INSERT', 'UPDATE', 'DELETE'])('a binding to %s hears nothing else', async (event) => {
    const heard = await as(ana, [{ table: 'logs', event }, { table: 'notes' }])
    await realtime.db.query(`insert into public.logs values (1, 'a')`)
    await realtime.db.query(`update public.logs set line = 'b' where id = 1`)
    await realtime.db.query('delete from public.logs where id = 1')
    expect((await heardAll(heard, ana)).map(({ eventType }) => eventType)).toEqual([event])
  })

  test('a long text that did not change is absent', async () => {
    const body = Array.from({ length: 300 }, () => crypto.randomUUID()).join('')
    const id = await insert(ana, { body })
    const heard = await as(ana, { table: 'notes', event: 'UPDATE' })
    await realtime.db.query('update public.notes set stars = 5 where id = $1', [id])
    const [change] = await heard.have(1)
    expect(change?.new).toMatchObject({ id, stars: 5 })
    expect(change?.new).not.toHaveProperty('body')
  })

  test('without policies, the full replica identity is in old', async () => {
    const heard = await as(ana, { table: 'marks' })
    await realtime.db.query(`insert into public.marks values (1, 'a')`)
    await realtime.db.query(`update public.marks set line = 'b'`)
    await realtime.db.query('delete from public.marks')
    const changes = await heard.have(3)
    expect(changes.map((change) => change.old)).toEqual([{}, { id: 1, line: 'a' }, { id: 1, line: 'b' }])
  })

  test('a schema without a table, and *, stand for all published tables', async () => {
    const heard = await as(ana, [{}, { schema: '*' }])
    expect(heard.system[0]?.message).toBe('Subscribed to PostgreSQL')
    await realtime.db.query(`insert into public.logs values (2, 'all')`)
    const changes = await heard.have(2)
    expect(changes.map(({ table }) => table)).toEqual(['logs', 'logs'])
  })

  test('changes come in the order of their commits, also those of one transaction', async () => {
    const heard = await as(ana, { table: 'notes' })
    await realtime.db.query(
      `insert into public.notes (owner_id, title, stars) select $1, 'n', n from generate_series(1, 700) as n`,
      [ana],
    )
    for (let stars = 701; stars <= 730; stars++) await insert(ana, { stars })
    const changes = await heard.have(730)
    expect(changes.map((change) => change.new['stars'])).toEqual(Array.from({ length: 730 }, (_, at) => at + 1))
  })

  test('a rolled back change is sent to nobody', async () => {
    const heard = await as(ana, { table: 'notes' })
    await realtime.db.query('begin')
    await insert(ana, { title: 'never' })
    await realtime.db.query('rollback')
    expect(await heardAll(heard, ana)).toEqual([])
  })

  test('select limits the columns, and keeps the key', async () => {
    const heard = await as(ana, { table: 'notes', select: ['title'] })
    const id = await insert(ana, { title: 'short' })
    expect((await heard.have(1))[0]?.new).toEqual({ id, title: 'short' })
  })

  test('a change of more than 1 MiB has only its small values, and error 413', async () => {
    const heard = await as(ana, { table: 'notes' })
    const id = await insert(ana, { body: 'x'.repeat(1024 * 1024) })
    expect((await heard.have(1))[0]).toMatchObject({ errors: ['Error 413: Payload Too Large'], new: { id } })
    expect(heard.changes[0]?.new).not.toHaveProperty('body')
  })

  test('a table without a key is announced with error 400', async () => {
    const heard = await as(ana, { table: 'keyless' })
    await realtime.db.query(`insert into public.keyless values ('a')`)
    expect((await heard.have(1))[0]).toMatchObject({
      eventType: 'INSERT',
      errors: ['Error 400: Bad Request, no primary key'],
      new: {},
    })
  })

  test('a table that is published later can be subscribed to, and its changes arrive', async () => {
    const before = await as(ana, { table: 'unpublished' })
    expect(before.system[0]?.status).toBe('error')
    await realtime.db.query(`
      grant select on public.unpublished to authenticated;
      alter publication supabase_realtime add table public.unpublished`)
    const heard = await as(ana, { table: 'unpublished' })
    await realtime.db.query('insert into public.unpublished values (7)')
    expect((await heard.have(1))[0]?.new).toEqual({ id: 7 })
    await realtime.db.query('alter publication supabase_realtime drop table public.unpublished')
  })

  test('a table that is dropped and made again, or made later, is subscribed to', async () => {
    const make = `
      create table public.marbles (id integer primary key);
      grant select on public.marbles to authenticated;
      alter publication supabase_realtime add table public.marbles`
    await realtime.db.query(make)
    const heard = await as(ana, { table: 'marbles' })
    await realtime.db.query('drop table public.marbles')
    await until('the server says so', () => heard.system.at(-1)?.status === 'error')
    const later = await as(ana, { table: 'stones' })
    await realtime.db.query(make.replaceAll('marbles', 'stones'))
    await until('the server subscribes to the other table', () => later.system.at(-1)?.status === 'ok')
    await realtime.db.query(make)
    await until('the server subscribes again', () => heard.system.at(-1)?.status === 'ok')
    await realtime.db.query('insert into public.marbles values (7)')
    expect((await heard.have(1))[0]?.new).toEqual({ id: 7 })
    expect(heard.system.map(({ status }) => status)).toEqual(['ok', 'error', 'ok'])
    await realtime.db.query('drop table public.marbles, public.stones')
  })

  test('a column list and a row filter of the publication change nothing, as on hosted Supabase', async () => {
    await realtime.db.query(`
      alter publication supabase_realtime drop table public.logs;
      alter publication supabase_realtime add table public.logs (id) where (id > 1000)`)
    const heard = await as(ana, { table: 'logs' })
    await realtime.db.query(`insert into public.logs values (3, 'whole')`)
    expect((await heard.have(1))[0]?.new).toEqual({ id: 3, line: 'whole' })
    await realtime.db.query(`
      alter publication supabase_realtime drop table public.logs;
      alter publication supabase_realtime add table public.logs`)
  })
})

describe('visibility', () => {
  test('two users each hear exactly their own rows', async () => {
    const [hers, his] = await Promise.all([as(ana, { table: 'notes' }), as(bob, { table: 'notes' })])
    for (let n = 0; n < 20; n++) await insert(n % 2 === 0 ? ana : bob, { stars: n })
    expect((await heardAll(hers, ana)).map((change) => change.new['stars'])).toEqual([
      0, 2, 4, 6, 8, 10, 12, 14, 16, 18,
    ])
    expect((await heardAll(his, bob)).map((change) => change.new['stars'])).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
  })

  test('anon hears what anon may select, with the columns of anon', async () => {
    const heard = await listen(realtime.client(), { table: 'notes', event: 'UPDATE' })
    const id = await insert(ana)
    const hers = await as(ana, { table: 'notes', event: 'UPDATE' })
    await realtime.db.query('update public.notes set stars = 2 where id = $1', [id])
    await hers.have(1)
    await realtime.db.query('update public.notes set is_done = true where id = $1', [id])
    expect((await heard.have(1)).map((change) => change.new)).toEqual([{ id, title: 'note', is_done: true }])
  })

  test('the secret key hears every row with every column', async () => {
    await realtime.db.query('grant select on public.notes to service_role')
    const client = createClient(realtime.url, realtime.keys.secretKey)
    const heard = await listen(client, { table: 'notes' })
    const id = await insert(ana)
    expect((await heard.have(1))[0]?.new).toMatchObject({ id, owner_id: ana, secret: 'hidden' })
    await client.removeAllChannels()
  })

  test('a row that is no longer visible is not sent; one that becomes visible is', async () => {
    const id = await insert(ana)
    const [hers, his] = await Promise.all(
      [ana, bob].map((user) =>
        as(user, [
          { table: 'notes', event: 'UPDATE' },
          { table: 'notes', filter: 'stars=eq.99' },
        ]),
      ),
    )
    if (!hers || !his) throw new Error('Both listen.')
    await realtime.db.query('update public.notes set owner_id = $1 where id = $2', [bob, id])
    expect((await his.have(1))[0]?.new).toMatchObject({ id, owner_id: bob })
    expect(await heardAll(hers, ana)).toEqual([])
  })

  test('a delete reaches everybody without a filter, with the key only', async () => {
    const id = await insert(ana)
    const [his, anons, filtered, byKey] = await Promise.all([
      as(bob, { table: 'notes' }),
      listen(realtime.client(), { table: 'notes' }),
      as(ana, { table: 'notes', event: 'DELETE', filter: `owner_id=eq.${ana}` }),
      as(bob, { table: 'notes', filter: `id=eq.${id}` }),
    ])
    await realtime.db.query('delete from public.notes where id = $1', [id])
    for (const heard of [his, anons, byKey]) expect((await heard.have(1))[0]?.old).toEqual({ id })
    expect(filtered.changes).toEqual([])
  })

  test('a role that may not select the key hears of inserts as error 401', async () => {
    await realtime.db.query('create role realtime_guest; grant realtime_guest to authenticator')
    const token = await realtime.tokenOf(ana, { role: 'realtime_guest' })
    const heard = await listen(realtime.client(token), { table: 'notes' })
    await insert(ana)
    expect((await heard.have(1))[0]).toMatchObject({ errors: ['Error 401: Unauthorized'], new: {}, old: {} })
    await realtime.db.query('revoke realtime_guest from authenticator; drop role realtime_guest')
  })

  test('a revoked grant and a dropped policy count at once', async () => {
    const heard = await as(ana, { table: 'notes' })
    await realtime.db.query('revoke select (stars) on public.notes from authenticated')
    const first = await insert(ana)
    await heard.have(1)
    await realtime.db.query('grant select (stars) on public.notes to authenticated')
    const second = await insert(ana)
    const changes = await heard.have(2)
    expect(changes[0]?.new).toMatchObject({ id: first })
    expect(changes[0]?.new).not.toHaveProperty('stars')
    expect(changes[1]?.new).toMatchObject({ id: second, stars: 1 })
  })

  test('a policy that raises hides the row, and nothing else', async () => {
    await realtime.db.query(`
      create table public.traps (id integer primary key);
      alter table public.traps enable row level security;
      grant select on public.traps to authenticated;
      create policy select_trap on public.traps for select to authenticated using (1 / (id - 13) <> 0);
      alter publication supabase_realtime add table public.traps`)
    const heard = await as(ana, [{ table: 'traps' }, { table: 'notes' }])
    await realtime.db.query('insert into public.traps values (13)')
    await insert(ana, { title: 'after' })
    const id = await insert(ana, { title: 'after' })
    await until('the later rows arrive', () => heard.changes.some((change) => change.new['id'] === id))
    expect(heard.changes.map(({ table }) => table)).toEqual(['notes', 'notes'])
    expect(realtime.log.join('\n')).toContain('division by zero')
    await realtime.db.query('drop table public.traps')
  })
})

describe('tokens', () => {
  test('after a token of another user, only rows of the new user are sent', async () => {
    const heard = await as(ana, { table: 'notes' })
    await insert(ana, { title: 'hers' })
    await heard.have(1)
    await heard.channel.socket.setAuth(await realtime.tokenOf(bob))
    await until('the server confirms again', () => heard.system.length === 2)
    await insert(ana, { title: 'hers' })
    await insert(bob, { title: 'his' })
    const changes = await heard.have(2)
    expect(changes.map((change) => change.new['title'])).toEqual(['hers', 'his'])
  })

  test('a new token of the same user loses nothing', async () => {
    const heard = await as(ana, { table: 'notes' })
    const token = await realtime.tokenOf(ana, { session_id: 'second' })
    for (let stars = 1; stars <= 60; stars++) {
      if (stars === 30) void heard.channel.socket.setAuth(token)
      await insert(ana, { stars })
    }
    expect((await heard.have(60)).map((change) => change.new['stars'])).toEqual(
      Array.from({ length: 60 }, (_, at) => at + 1),
    )
  })

  test('an expired token ends the channel', async () => {
    const join = async (seconds: number) => {
      const token = await realtime.tokenOf(ana, { exp: Math.floor(Date.now() / 1000) + seconds })
      return listen(realtime.client(token), { table: 'notes' })
    }
    // On a busy machine, the token may expire before the server reads the join.
    let heard = await join(2)
    for (let seconds = 5; heard.errors.length > 0 && seconds <= 45; seconds *= 3) heard = await join(seconds)
    await until('the channel ends', () => heard.statuses.includes('CLOSED'))
    expect(heard.system.at(-1)).toMatchObject({
      extension: 'system',
      status: 'error',
      message: expect.stringMatching(/^Token has expired \d+ seconds ago$/),
    })
  })

  test.each<[string, () => Promise<string>, string]>([
    [
      'expired',
      () => realtime.tokenOf(ana, { exp: Math.floor(Date.now() / 1000) - 10 }),
      'InvalidJWTToken: Token has expired 1',
    ],
    ['no JWT', async () => 'potato', 'MalformedJWT: The token provided is not a valid JWT'],
    [
      'forged',
      async () => `${(await realtime.tokenOf(ana)).slice(0, -20)}AAAAAAAAAAAAAAAAAAAA`,
      'JwtSignatureError: Failed to validate JWT signature',
    ],
    [
      'unsigned',
      async () =>
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(`{"role":"service_role","exp":9999999999}`).toString('base64url')}.`,
      'JwtSignerError: Failed to generate JWT signer, check your JWT secret or JWKS configuration',
    ],
    [
      'without a role',
      () => realtime.tokenOf(ana, { role: undefined }),
      'InvalidJWTToken: Fields `role` and `exp` are required in JWT',
    ],
  ])('a join with a token that is %s is refused', async (_name, makeToken, reason) => {
    const heard = await listen(realtime.client(await makeToken()), { table: 'notes' })
    expect(heard.statuses[0]).toBe('CHANNEL_ERROR')
    expect(heard.errors[0]).toContain(reason)
  })

  test.each(['potato', ''])('a refresh with "%s" closes the channel', async (token) => {
    const heard = await as(ana, { table: 'notes' })
    // setAuth would not send an empty token.
    const { channelAdapter } = heard.channel as unknown as {
      channelAdapter: { push(event: string, payload: object): void }
    }
    channelAdapter.push('access_token', { access_token: token })
    await until('the channel ends', () => heard.statuses.includes('CLOSED'))
    expect(heard.system.at(-1)?.message).toBe('The token provided is not a valid JWT')
  })
})

describe('channels', () => {
  test('several bindings of a channel each hear their own changes', async () => {
    const channel = realtime.client(await realtime.tokenOf(ana)).channel('several')
    const heard: [string, unknown][] = []
    let isReady = false
    await channel.socket.setAuth()
    channel
      .on(
        'postgres_changes',
        { event: 'INSERT', schema: 'public', table: 'notes', filter: 'stars=gt.5' },
        ({ new: row }) => heard.push(['many', row['stars']]),
      )
      .on('postgres_changes', { event: '*', schema: 'public', table: 'notes', filter: 'stars=lte.5' }, (change) =>
        heard.push(['few', (change.new as { stars: number }).stars]),
      )
      .on('system', {}, () => {
        isReady = true
      })
      .subscribe()
    await until('the server confirms', () => isReady)
    await insert(ana, { stars: 9 })
    await insert(ana, { stars: 2 })
    await until('both arrive', () => heard.length === 2)
    expect(heard).toEqual([
      ['many', 9],
      ['few', 2],
    ])
  })

  test('several channels of a socket are independent, and a channel that is left hears nothing more', async () => {
    const client = realtime.client(await realtime.tokenOf(ana))
    const first = await listen(client, { table: 'notes' })
    const second = await listen(client, { table: 'notes' })
    expect(client.getChannels()).toHaveLength(2)
    await insert(ana, { stars: 1 })
    await Promise.all([first.have(1), second.have(1)])
    expect(await client.removeChannel(first.channel)).toBe('ok')
    expect(first.statuses.at(-1)).toBe('CLOSED')
    await insert(ana, { stars: 2 })
    await second.have(2)
    expect(first.changes).toHaveLength(1)
  })

  test('version 1.0.0 of the protocol', async () => {
    const heard = await listen(
      realtime.client(await realtime.tokenOf(ana), { realtime: { params: { vsn: '1.0.0' }, vsn: '1.0.0' } }),
      { table: 'notes' },
    )
    const id = await insert(ana)
    expect((await heard.have(1))[0]?.new).toMatchObject({ id })
  })

  test('heartbeats are answered', async () => {
    const beats: string[] = []
    const client = realtime.client(await realtime.tokenOf(ana), {
      realtime: { heartbeatIntervalMs: 200, heartbeatCallback: (status) => void beats.push(status) },
    })
    await listen(client, { table: 'notes' })
    await until('three heartbeats are answered', () => beats.filter((status) => status === 'ok').length >= 3)
  })

  test('broadcast and presence are refused with a sentence, and a channel without changes can be joined', async () => {
    const client = realtime.client(await realtime.tokenOf(ana))
    await client.realtime.setAuth()
    const statuses: string[] = []
    const channel = client.channel('plain', { config: { broadcast: { ack: true } } })
    channel.subscribe((status) => statuses.push(status))
    await until('the join is answered', () => statuses.length > 0)
    expect(statuses).toEqual(['SUBSCRIBED'])
    expect(await channel.send({ type: 'broadcast', event: 'x', payload: {} })).toBe('error')
    expect(await channel.track({ online: true })).toBe('error')

    const errors: string[] = []
    for (const config of [{ presence: { enabled: true } }, { private: true }])
      client
        .channel(crypto.randomUUID(), { config })
        .subscribe((_status, error) => void (error && errors.push(error.message)))
    await until('both are refused', () => errors.length >= 2)
    expect(errors).toEqual([
      'NotImplemented: The local Realtime server has no presence, only postgres_changes. Try this on hosted Supabase.',
      'NotImplemented: The local Realtime server has no private channels, only postgres_changes. Try this on hosted Supabase.',
    ])
  })

  test('a broadcast without acknowledgement looks sent, so the channel hears once that it was not', async () => {
    const client = realtime.client(await realtime.tokenOf(ana))
    await client.realtime.setAuth()
    const heard: { status: string; message: string }[] = []
    const channel = client.channel('cursors').on('system', {}, (message) => heard.push(message))
    await new Promise<void>((joined) => void channel.subscribe(() => joined()))
    for (const x of [1, 2]) expect(await channel.send({ type: 'broadcast', event: 'move', payload: { x } })).toBe('ok')
    await until('the channel hears of the refusal', () => heard.length > 0)
    // The answer comes after what was sent before.
    expect(await channel.track({ online: true })).toBe('error')
    expect(heard).toEqual([
      expect.objectContaining({
        status: 'error',
        message:
          'NotImplemented: The local Realtime server has no broadcast, only postgres_changes. Try this on hosted Supabase.',
      }),
    ])
  })

  test('a channel that waits hears of a refusal in its status', async () => {
    const heard = await as(ana, { table: 'nope' }, { config: { postgres_changes_options: { wait: true } } })
    expect(heard.statuses[0]).toBe('CHANNEL_ERROR')
    expect(heard.errors[0]).toContain('RealtimeDisabledForConfiguration: Unable to subscribe to changes')
  })

  test('the HTTP API for broadcasts says that the server has no broadcast', async () => {
    const response = await fetch(`${realtime.url}/realtime/v1/api/broadcast`, {
      method: 'POST',
      headers: { apikey: realtime.keys.anonKey, 'content-type': 'application/json' },
      body: '{"messages":[]}',
    })
    expect([response.status, await response.json()]).toEqual([
      501,
      { message: 'The local Realtime server has no broadcast. Try this on hosted Supabase.' },
    ])
  })
})

describe('filters', () => {
  const rows = [
    { title: 'alpha', stars: 1, price: '0.50' },
    { title: 'beta, gamma', stars: 2, price: '1.00' },
    { title: 'Gamma', stars: 10, price: '10.00' },
  ]
  test.each<[string, number[]]>([
    ['stars=eq.2', [2]],
    ['stars=neq.2', [1, 10]],
    ['stars=lt.2', [1]],
    ['stars=lte.2', [1, 2]],
    ['stars=gt.2', [10]],
    ['stars=gte.2', [2, 10]],
    ['stars=in.(1,10,77)', [1, 10]],
    ['stars=not.in.(1,10)', [2]],
    ['title=eq.alpha', [1]],
    ['title=in.("beta, gamma",Gamma)', [2, 10]],
    ['title=lt.beta', [1, 10]],
    ['title=like.%amma%', [2, 10]],
    ['title=not.like.a\\\\', [1, 2, 10]],
    ['doc=is.null', [1, 2, 10]],
    ['title=ilike.gam%', [10]],
    ['title=not.ilike.gam%', [1, 2]],
    ['title=match.^[A-Z]', [10]],
    ['title=imatch.^g', [10]],
    ['price=eq.1', [2]],
    ['price=gt.0.75', [2, 10]],
    ['price=in.(0.5,10.0)', [1, 10]],
    ['body=is.null', [1, 2, 10]],
    ['is_done=is.true', []],
    ['is_done=not.is.true', [1, 2, 10]],
    ['is_done=eq.false', [1, 2, 10]],
    ['title=isdistinct.alpha', [2, 10]],
    ['body=eq.x', []],
    ['body=neq.x', []],
    ['body=isdistinct.x', [1, 2, 10]],
    ['stars=gt.1,stars=lt.10', [2]],
    ['stars=gt.1, title=like.G%', [10]],
    [postgresChangesFilter().eq('title', 'beta, gamma').gt('stars', 1).build(), [2]],
  ])('%s', async (filter, expected) => {
    const heard = await as(ana, [
      { table: 'notes', filter },
      { table: 'notes', filter: 'stars=eq.99' },
    ])
    expect(heard.system[0]?.status).toBe('ok')
    for (const row of rows) await insert(ana, row)
    expect((await heardAll(heard, ana)).filter((c) => c.new['stars'] !== 99).map((c) => c.new['stars'])).toEqual(
      expected,
    )
  })

  test('a filter excludes rows before the policies are checked', async () => {
    const heard = await as(ana, { table: 'notes', filter: `owner_id=eq.${bob}` })
    await insert(bob)
    await insert(ana)
    const everything = await as(ana, { table: 'notes' })
    await heardAll(everything, ana)
    expect(heard.changes).toEqual([])
  })

  test.each([
    ['stars=foo.1', 'Error parsing `filter` params: ["foo", "1"]'],
    ['undefined', 'Error parsing `filter` params: ["undefined"]'],
    ['stars=eq', 'Error parsing `filter` params: ["eq"]'],
    ['stars=in.1', 'Error parsing `filter` params: `in` filter value must be wrapped by parentheses'],
    ['stars=eq.1,', 'Error parsing `filter` params: filter must not contain empty segments (check for extra commas)'],
    [
      'stars=eq.many',
      'Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: [event: *, schema: public, table: notes, filters: [{"stars", "eq", "many", false}], select: nil]. Exception: ERROR 22P02 (invalid_text_representation) invalid input syntax for type integer: "many"',
    ],
    ['nope=eq.1', 'invalid column for filter nope'],
    ['secret=eq.hidden', 'invalid column for filter secret'],
    ['stars=like.1%', 'operator like requires a text-compatible column type, got integer'],
    ['title=match.(', 'invalid regular expression'],
    ['title=like.a\u0000b', 'ERROR 22021 (character_not_in_repertoire) invalid byte sequence'],
    ['title=like.a\\\\\\', 'LIKE pattern must not end with escape character'],
    ['doc=eq.{}', 'ERROR 42883 (undefined_function) operator does not exist: json = json'],
    ['stars=is.many', 'invalid value for is filter: must be null, true, false, or unknown'],
    ['stars=is.true', 'is true filter requires a boolean column, got integer'],
    [`stars=in.(${Array.from({ length: 101 }, (_, n) => n)})`, 'too many values for `in` filter. Maximum 100'],
  ])('%s is refused', async (filter, message) => {
    const heard = await as(ana, { table: 'notes', filter })
    expect(heard.system[0]).toMatchObject({
      extension: 'postgres_changes',
      status: 'error',
      message: expect.stringContaining(message),
    })
  })

  test('a table that is not published, and a column that the role may not select, are refused', async () => {
    const [unpublished, hidden] = await Promise.all([
      as(ana, { table: 'unpublished' }),
      as(ana, { table: 'notes', select: ['secret'] }),
    ])
    expect(unpublished.system[0]?.message).toBe(
      'Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [event: *, schema: public, table: unpublished, filters: [], select: nil]',
    )
    expect(hidden.system[0]?.message).toContain('invalid column for select secret')
  })
})
