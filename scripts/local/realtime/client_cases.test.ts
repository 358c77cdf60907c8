import {
  postgresChangesFilter,
  RealtimeClient,
  type SupabaseClient,
  type SupabaseClientOptions,
} from '@supabase/supabase-js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Heard, listen, startTestRealtime, type TestRealtime } from '../../testing/realtime.ts'
import { until } from '../../testing/waiting.ts'

// Clients of realtime-js may do these things at any time.
let realtime: TestRealtime
let ana: string
let ben: string
let words = 0

beforeAll(async () => {
  realtime = await startTestRealtime()
  await realtime.db.query(`
    create table public.words (id integer primary key, owner_id uuid, word text);
    alter table public.words enable row level security;
    grant select on public.words to authenticated, anon;
    create policy select_own on public.words for select to authenticated, anon
      using (owner_id is not distinct from (select auth.uid()));
    create table public.boards (id integer primary key, word text);
    alter table public.boards replica identity full;
    grant select on public.boards to authenticated;
    alter publication supabase_realtime add table public.words, public.boards`)
})
afterAll(() => realtime?.stop())
beforeEach(() => {
  ana = crypto.randomUUID()
  ben = crypto.randomUUID()
})

const say = (owner: string | null, word: string) =>
  realtime.db.query('insert into public.words values ($1, $2, $3)', [++words, owner, word])

/** Says a word for each user. The channel hears the word of one user, and no word of others. */
async function hears({ changes }: Heard, owner: string | null): Promise<void> {
  const before = changes.length
  const word = crypto.randomUUID()
  for (const user of [ana, ben, null]) if (user !== owner) await say(user, 'another')
  await say(owner, word)
  await until('the word arrives', () => changes.some((change) => change.new['word'] === word))
  expect(changes.slice(before).map((change) => change.new['word'])).not.toContain('another')
}

/** A client whose token can change, and whose connection is made again at once. */
async function withTokens(...users: string[]) {
  const tokens = await Promise.all(users.map((user) => realtime.tokenOf(user)))
  let next = 0
  const options: SupabaseClientOptions<'public'> = {
    accessToken: async () => tokens[next] ?? null,
    realtime: { reconnectAfterMs: () => 20 },
  }
  return { client: realtime.client(undefined, options), change: () => void next++ }
}

const confirmed = ({ system }: Heard) => system.filter(({ status }) => status === 'ok').length

/** Loses the connection, as a network does. */
function lose(client: SupabaseClient): void {
  const { socketAdapter } = client.realtime as unknown as {
    socketAdapter: { getSocket(): { conn: WebSocket } }
  }
  socketAdapter.getSocket().conn.close(3999)
}

describe('the connection', () => {
  test('opens with the parameters of the client, closes, and opens again', async () => {
    const client = realtime.client(await realtime.tokenOf(ana), {
      realtime: { params: { log_level: 'info', eventsPerSecond: 10 }, logLevel: 'info' },
    })
    await hears(await listen(client, { table: 'words' }), ana)
    expect(client.realtime.connectionState()).toBe('open')
    await client.realtime.disconnect()
    expect(client.realtime.connectionState()).toBe('closed')
    await hears(await listen(client, { table: 'words' }), ana)
  })

  test('a lost connection is made again, and each channel joins again', async () => {
    const { client } = await withTokens(ana)
    const channels = [await listen(client, { table: 'words' }), await listen(client, { table: 'words' })]
    lose(client)
    await until('both are confirmed again', () => channels.every((heard) => confirmed(heard) === 2))
    for (const heard of channels) {
      expect(heard.statuses).toEqual(['SUBSCRIBED', 'CHANNEL_ERROR', 'SUBSCRIBED'])
      await hears(heard, ana)
    }
  })

  test('removeAllChannels leaves each channel and closes the connection', async () => {
    const { client } = await withTokens(ana)
    const channels = [await listen(client, { table: 'words' }), await listen(client, { table: 'words' })]
    expect(await client.removeAllChannels()).toEqual(['ok', 'ok'])
    expect([client.getChannels(), client.realtime.connectionState()]).toEqual([[], 'closed'])
    for (const { statuses } of channels) expect(statuses.at(-1)).toBe('CLOSED')
  })
})

describe('tokens', () => {
  test.each<[string, (client: SupabaseClient) => unknown]>([
    ['the next heartbeat', (client) => client.realtime.sendHeartbeat()],
    ['setAuth', (client) => client.realtime.setAuth()],
    ['a new connection', lose],
  ])('the callback has the token of another user: the server uses it after %s', async (_name, act) => {
    const { client, change } = await withTokens(ana, ben)
    const heard = await listen(client, { table: 'words' })
    await hears(heard, ana)
    change()
    act(client)
    await until('the server confirms again', () => confirmed(heard) === 2)
    await hears(heard, ben)
  })

  test('the same token, an API key and no token change nothing', async () => {
    const { client } = await withTokens(ana)
    const heard = await listen(client, { table: 'words' })
    await client.realtime.setAuth()
    await client.realtime.setAuth(realtime.keys.publishableKey)
    const { channelAdapter } = heard.channel as unknown as { channelAdapter: { push(...push: unknown[]): void } }
    for (const access_token of [null, 7, { token: 'x' }]) channelAdapter.push('access_token', { access_token })
    await hears(heard, ana)
    expect([heard.system.length, heard.statuses]).toEqual([1, ['SUBSCRIBED']])
  })

  test('after a sign-out, a client with the anonymous JWT hears what anonymous users may read', async () => {
    const { client } = await withTokens(ana)
    const heard = await listen(client, { table: 'words' })
    await client.realtime.setAuth(realtime.keys.anonKey)
    await until('the server confirms again', () => confirmed(heard) === 2)
    await hears(heard, null)
  })

  test('without a callback, later channels and connections use the token of setAuth', async () => {
    // supabase-js always has a callback.
    const client = new RealtimeClient(`${realtime.url.replace('http', 'ws')}/realtime/v1`, {
      params: { apikey: realtime.keys.publishableKey },
      reconnectAfterMs: () => 20,
    })
    await client.setAuth(await realtime.tokenOf(ana))
    const both = { realtime: client, channel: client.channel.bind(client) } as unknown as SupabaseClient
    const first = await listen(both, { table: 'words' }, { topic: 'first', hasToken: true })
    expect(await client.removeChannel(first.channel)).toBe('ok')
    const heard = await Promise.all(
      ['first', 'second'].map((topic) => listen(both, { table: 'words' }, { topic, hasToken: true })),
    )
    for (const one of heard) await hears(one, ana)
    lose(both)
    await until('both are confirmed again', () => heard.every((one) => confirmed(one) === 2))
    for (const one of heard) await hears(one, ana)
    await client.removeAllChannels()
  })

  test('if the callback fails, the subscription is anonymous', async () => {
    let calls = 0
    const accessToken = async () => {
      if (calls++ > 0) throw new Error('The session is gone.')
      return null
    }
    const client = realtime.client(undefined, { accessToken })
    await hears(await listen(client, { table: 'words' }), null)
  })
})

describe('channels', () => {
  test('may have any topic', async () => {
    const { client } = await withTokens(ana)
    const topics = ['public:words:id=eq.1', 'realtime:realtime:x', '*', 'a b/c?d=e&f#g', 'غرفة 🙂 "x"', 'phoenix']
    topics.push('__proto__', 'x'.repeat(1000))
    const channels = await Promise.all(topics.map((topic) => listen(client, { table: 'words' }, { topic })))
    expect(channels.map(({ system }) => system)).toEqual(
      topics.map((channel) => [expect.objectContaining({ channel, status: 'ok' })]),
    )
    await say(ana, 'hello')
    for (const heard of channels) expect((await heard.have(1))[0]?.new).toMatchObject({ word: 'hello' })
  })

  test('a second subscribe is ignored; a channel of the same topic after unsubscribe is a new one', async () => {
    const { client } = await withTokens(ana)
    const first = await listen(client, { table: 'words' }, { topic: 'same' })
    first.channel.subscribe()
    await hears(first, ana)
    expect(await first.channel.unsubscribe()).toBe('ok')
    const second = await listen(client, { table: 'words' }, { topic: 'same' })
    await hears(second, ana)
    expect([first.changes.length, first.statuses]).toEqual([1, ['SUBSCRIBED', 'CLOSED']])
  })

  test('httpSend is refused with the reason', async () => {
    const { client } = await withTokens(ana)
    await expect(client.channel('room').httpSend('move', { x: 1 })).rejects.toThrow('has no broadcast')
  })
})

describe('bindings', () => {
  test('each is confirmed as it was sent, because realtime-js leaves the channel otherwise', async () => {
    const { client } = await withTokens(ana)
    const forms = [
      {},
      { schema: '*' },
      { table: 'words', event: 'INSERT' },
      { table: 'words', filter: undefined },
      { table: 'words', filter: ' id=gt.0 , word=neq."a,b" ' },
      { table: 'words', filter: postgresChangesFilter().gt('id', 0) },
      { table: 'words', select: ['word'] },
    ]
    const channels = await Promise.all(forms.map((binding) => listen(client, [{ table: 'boards' }, binding])))
    await say(ana, 'hello')
    for (const heard of channels) {
      expect((await heard.have(1))[0]?.new).toMatchObject({ word: 'hello' })
      expect(heard.statuses).toEqual(['SUBSCRIBED'])
    }
  })

  const life = ['INSERT', 'UPDATE', 'DELETE']
  test('each receives the changes of its event, with and without a filter', async () => {
    const { client } = await withTokens(ana)
    const bindings = ['*', ...life].flatMap((event) =>
      [undefined, 'word=eq.yes', 'word=in.(yes,no)', 'id=lt.2', 'word=eq.no'].map((filter) => ({ event, filter })),
    )
    const heard = await Promise.all(
      bindings.map((binding) => listen(client, [{ table: 'boards', ...binding }, { table: 'words' }])),
    )
    await realtime.db.query(`
      insert into public.boards values (1, 'yes');
      update public.boards set word = 'yes';
      delete from public.boards`)
    await say(ana, 'end')
    for (const [at, { event, filter }] of bindings.entries()) {
      const { changes = [] } = heard[at] ?? {}
      await until('all are sent', () => changes.at(-1)?.table === 'words')
      const expected = filter === 'word=eq.no' ? [] : life.filter((one) => event === '*' || event === one)
      expect([event, filter, changes.slice(0, -1).map(({ eventType }) => eventType)]).toEqual([event, filter, expected])
    }
  })
})
