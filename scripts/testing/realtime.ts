import {
  createClient,
  type RealtimeChannel,
  type SupabaseClient,
  type SupabaseClientOptions,
} from '@supabase/supabase-js'
import type pg from 'pg'
import { inject } from 'vitest'
import { startGateway } from '../local/gateway/gateway.ts'
import { type LocalKeys, localKeys, signUserJwt } from '../local/keys.ts'
import { freePort } from '../local/ports.ts'
import { type Realtime, type RealtimeOptions, startRealtime } from '../local/realtime/server.ts'
import { createDatabase, type TestDatabase } from './database.ts'
import { until } from './waiting.ts'

/** A local Realtime server on a database of its own, behind the local gateway. */
export type TestRealtime = {
  /** The gateway, and the server itself. */
  url: string
  ownUrl(): string
  keys: LocalKeys
  database: TestDatabase
  db: pg.Client
  log: string[]
  /** Returns the token of a user, which expires after some seconds. */
  tokenOf(userId: string, claims?: Record<string, unknown>): Promise<string>
  /** A client of supabase-js: anonymous, or with a token. */
  client(token?: string, options?: SupabaseClientOptions<'public'>): SupabaseClient
  /** Stops the server and starts it again on the same port. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startTestRealtime(options: Partial<RealtimeOptions> = {}): Promise<TestRealtime> {
  const database = await createDatabase()
  const db = await database.connect()
  const keys = await localKeys(inject('cluster').secrets)
  const log: string[] = []
  const port = await freePort()
  const start = () =>
    startRealtime({
      port,
      databaseUrl: database.url('supabase_realtime_admin'),
      keys,
      say: (line) => log.push(line),
      ...options,
    })
  let realtime: Realtime = await start()
  const gatewayPort = await freePort()
  const url = `http://127.0.0.1:${gatewayPort}`
  const gateway = await startGateway({ port: gatewayPort, keys, postgrestPort: 9, sidecarPort: 9, realtimePort: port })
  const clients: SupabaseClient[] = []
  return {
    url,
    ownUrl: () => `ws://127.0.0.1:${port}`,
    keys,
    database,
    db,
    log,
    tokenOf: (sub, claims = {}) =>
      signUserJwt(
        { sub, role: 'authenticated', aud: 'authenticated', exp: Math.floor(Date.now() / 1000) + 3600, ...claims },
        keys,
      ),
    client: (token, more) => {
      const client = createClient(url, keys.publishableKey, {
        ...(token !== undefined && { accessToken: async () => token }),
        ...more,
      })
      clients.push(client)
      return client
    },
    restart: async () => {
      await realtime.close()
      realtime = await start()
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.removeAllChannels()))
      await gateway.close()
      await realtime.close()
      await database.drop()
    },
  }
}

/** The messages that a channel has received. */
export type Heard = {
  channel: RealtimeChannel
  changes: Change[]
  statuses: string[]
  errors: string[]
  system: { extension: string; status: string; message: string }[]
  /** Resolves when there are so many changes. */
  have(count: number): Promise<Change[]>
}

export type Change = {
  eventType: string
  schema: string
  table: string
  new: Record<string, unknown>
  old: Record<string, unknown>
  errors: string[] | null
  commit_timestamp: string
}

type Binding = {
  event?: string
  schema?: string
  table?: string
  filter?: string | { build(): string } | undefined
  select?: string[]
}

/** Subscribes to changes. Resolves when the server has confirmed the subscription, or refused it. */
export async function listen(
  client: SupabaseClient,
  bindings: Binding | Binding[],
  options: { topic?: string; config?: object; hasToken?: boolean } = {},
): Promise<Heard> {
  const channel = client.channel(options.topic ?? crypto.randomUUID(), {
    config: { ...options.config },
  })
  const heard: Heard = {
    channel,
    changes: [],
    statuses: [],
    errors: [],
    system: [],
    have: async (count) => {
      await until(`${count} changes arrive`, () => heard.changes.length >= count)
      return heard.changes
    },
  }
  for (const binding of [bindings].flat())
    channel.on('postgres_changes' as never, { event: '*', schema: 'public', ...binding } as never, (change: unknown) =>
      heard.changes.push(change as Change),
    )
  channel.on('system', {}, (message) => heard.system.push(message as Heard['system'][number]))
  // Without this, a join that is sent at once has no token yet.
  if (!options.hasToken) await client.realtime.setAuth()
  channel.subscribe((status, error) => {
    heard.statuses.push(status)
    if (error) heard.errors.push(error.message)
  })
  await until('the server answers the join', () => heard.system.length > 0 || heard.errors.length > 0)
  return heard
}
