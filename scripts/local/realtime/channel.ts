import { setTimeout as sleep } from 'node:timers/promises'
import type { Checks } from './checks.ts'
import type { Feed } from './feed.ts'
import { ParameterError } from './parameters.ts'
import { isObject } from './protocol.ts'
import { prepareBindings } from './subscribe.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'
import type { Tables } from './tables.ts'
import { type Claims, expired, readToken, type SigningKeys, TokenError } from './tokens.ts'

/** The parts of the server that all channels share. */
export type Context = {
  keys: SigningKeys
  subscriptions: Subscriptions
  /** The channels that are joined. */
  channels: Set<Channel>
  tables: Tables
  checks: Checks
  feed: Feed
  say(line: string): void
}

/** The connection of a channel, as the channel sees it. */
export type Port = {
  /** The JWT of the client's API key. */
  apiToken: string
  topic: string
  push(event: string, payload: Record<string, unknown>): void
  reply(ref: string | null, status: 'ok' | 'error', response: Record<string, unknown>): void
  deliver(ids: number[], data: string): void
  /** Tells the client that the channel is closed, and forgets the channel. */
  close(): void
  /** Forgets a channel whose join was refused. */
  forget(): void
}

/** A topic that a client has joined, with its subscriptions. */
export type Channel = {
  /** Joins the channel, and replies. */
  join(ref: string | null, parameters: Record<string, unknown>): Promise<void>
  /** Uses another token from now on. */
  refresh(token: unknown): Promise<void>
  /** Tells the client, once, that this server does not have what the client sent: realtime-js reports only 'ok'. */
  refuseMessage(feature: string): void
  /** Subscribes again if the ids of the published tables have changed since the last subscription. */
  follow(published: string): void
  /** Ends the subscriptions. */
  end(): void
}

/** How long the reply to a join waits until its changes are read. */
const joinWaitMs = 5000

/** After this time, a subscription that failed because of Postgres is tried again. */
const retryMs = 5000

/** Creates a channel, whose subscriptions read the changes of tables. */
export function createChannel(port: Port, context: Context): Channel {
  const { subscriptions, channels, tables, feed } = context
  const name = port.topic.replace(/^realtime:/, '')
  /** Each binding has the number by which the client recognises its changes. */
  let bindings: { id: number; given: unknown }[] = []
  let active: Subscription[] = []
  let token = ''
  let current: Claims | undefined
  /** The last refusal, and the last error of Postgres: a repetition is not reported. */
  let refused: string | undefined
  let failed: string | undefined
  /** The ids of the published tables at the last subscription. */
  let known: string | undefined
  let expiry: NodeJS.Timeout | undefined
  let retry: NodeJS.Timeout | undefined
  let isEnded = false
  let isRefused = false
  /** Counts the attempts to subscribe: only the last may succeed. */
  let attempt = 0

  function system(extension: 'system' | 'postgres_changes', status: 'ok' | 'error', message: string): void {
    if (!isEnded) port.push('system', { extension, status, message, channel: name })
  }

  /** Sends the reason to the client, and closes the channel, as Realtime does. */
  function shutDown(message: string): void {
    system('system', 'error', message)
    if (!isEnded) port.close()
  }

  function watchExpiry({ expiresAt }: Claims): void {
    clearTimeout(expiry)
    // A longer timeout would fire at once.
    const wait = Math.min(Math.max(0, expiresAt - Date.now()), 86_400_000)
    expiry = setTimeout(() => {
      if (Date.now() >= expiresAt) shutDown(expired(expiresAt).message)
      else watchExpiry({ expiresAt } as Claims)
    }, wait).unref()
  }

  function unsubscribe(): void {
    for (const subscription of active) subscriptions.remove(subscription)
    active = []
    feed.stopIfIdle()
  }

  /** Subscribes as these claims, in place of earlier ones. Returns the message of a refusal; null if a later attempt began. */
  async function subscribe(claims: Claims): Promise<string | null | undefined> {
    const number = ++attempt
    const isLast = () => !isEnded && number === attempt
    clearTimeout(retry)
    current = claims
    try {
      const given = bindings.map((binding) => binding.given)
      const published = await tables.list()
      known = idsOf(published)
      const prepared = await prepareBindings(given, claims.role, published, isLast, context)
      if (isLast()) await feed.start()
      if (!isLast()) {
        feed.stopIfIdle()
        return null
      }
      unsubscribe()
      active = prepared.map(({ parameters, tables }, at) => ({
        id: bindings[at]?.id ?? 0,
        receiver: port,
        event: parameters.event,
        select: parameters.select,
        tables,
        claims,
      }))
      for (const subscription of active) subscriptions.add(subscription)
      failed = undefined
      return undefined
    } catch (error) {
      if (!isLast()) return null
      unsubscribe()
      if (error instanceof ParameterError) return error.message
      retry = setTimeout(() => void subscribeAgain(), retryMs).unref()
      const { message } = error as Error
      if (message !== failed) context.say(`Realtime could not subscribe: ${message}`)
      failed = message
      return 'Realtime was unable to connect to the project database'
    }
  }

  async function subscribeAgain(): Promise<void> {
    if (!current) return
    const refusal = await subscribe(current)
    if (refusal === undefined || refusal !== refused) report(refusal)
  }

  async function join(ref: string | null, parameters: Record<string, unknown>): Promise<void> {
    const config = isObject(parameters['config']) ? parameters['config'] : {}
    const unbuilt = findUnbuilt(config)
    if (unbuilt) return refuse(ref, unbuilt)
    const sent = parameters['user_token'] ?? parameters['access_token']
    token = typeof sent === 'string' && !sent.startsWith('sb_') ? sent : port.apiToken
    let claims: Claims
    try {
      claims = await readToken(token, context.keys)
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      return refuse(ref, `${error.code}: ${error.message}`)
    }
    if (isEnded) return
    const wanted = Array.isArray(config['postgres_changes']) ? config['postgres_changes'].filter(isObject) : []
    bindings = wanted.map((given, at) => ({ id: at + 1, given }))
    watchExpiry(claims)
    const ok = () =>
      port.reply(ref, 'ok', { postgres_changes: bindings.map(({ id, given }) => ({ ...(given as object), id })) })
    if (bindings.length === 0) return ok()

    const subscribing = subscribe(claims)
    const { wait } = isObject(config['postgres_changes_options']) ? config['postgres_changes_options'] : {}
    const first = await Promise.race([subscribing, ...(wait === true ? [] : [sleep(joinWaitMs, 'late' as const)])])
    if (isEnded) return
    if (wait === true && first) return refuse(ref, `RealtimeDisabledForConfiguration: ${first}`)
    ok()
    report(first === 'late' ? await subscribing : first)
  }

  function refuse(ref: string | null, reason: string): void {
    if (isEnded) return
    port.reply(ref, 'error', { reason })
    port.forget()
  }

  function report(refusal: string | null | undefined): void {
    if (refusal === null) return
    refused = refusal
    if (refusal === undefined) {
      system('postgres_changes', 'ok', 'Subscribed to PostgreSQL')
    } else {
      system('postgres_changes', 'error', refusal)
      context.say(`Realtime: ${refusal.replaceAll(/\p{Cc}+/gu, ' ')}`)
    }
  }

  async function refresh(given: unknown): Promise<void> {
    if (typeof given !== 'string' || given.startsWith('sb_') || given === token) return
    token = given
    try {
      const claims = await readToken(given, context.keys)
      if (isEnded || token !== given) return
      watchExpiry(claims)
      // Changes the claims at once, so that no row of the previous caller is sent from now on.
      const isSameRole = active.every((subscription) => subscription.claims.role === claims.role)
      if (isSameRole) for (const subscription of active) subscription.claims = claims
      else unsubscribe()
      if (bindings.length > 0) report(await subscribe(claims))
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      shutDown(error.message)
    }
  }

  const channel: Channel = {
    join,
    refresh,
    refuseMessage(feature) {
      if (isRefused) return
      isRefused = true
      system('system', 'error', notBuilt(feature))
      context.say(`Realtime: ${notBuilt(feature)}`)
    },
    follow(published) {
      if (known !== undefined && known !== published) void subscribeAgain()
    },
    end() {
      isEnded = true
      channels.delete(channel)
      clearTimeout(expiry)
      clearTimeout(retry)
      unsubscribe()
    },
  }
  channels.add(channel)
  return channel
}

/** The ids of tables as a text, which changes when a table is added, dropped or made again. */
export function idsOf(published: { id: number }[]): string {
  return published.map(({ id }) => id).join()
}

/** Names the feature that a join asks for and this server does not have. The defaults of realtime-js ask for none. */
function findUnbuilt(config: Record<string, unknown>): string | undefined {
  const presence = isObject(config['presence']) ? config['presence'] : {}
  const broadcast = isObject(config['broadcast']) ? config['broadcast'] : {}
  if (presence['enabled'] === true) return notBuilt('presence')
  if (config['private'] === true) return notBuilt('private channels')
  if (broadcast['replay'] !== undefined || broadcast['replication_ready'] === true) return notBuilt('broadcast')
  return undefined
}

/** The message for a feature that the local server does not have. */
export function notBuilt(feature: string): string {
  return `NotImplemented: The local Realtime server has no ${feature}, only postgres_changes. Try this on hosted Supabase.`
}
