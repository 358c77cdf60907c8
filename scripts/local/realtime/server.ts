import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type pg from 'pg'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Channel, type Context, idsOf } from './channel.ts'
import { createChecks } from './checks.ts'
import { createFeed } from './feed.ts'
import { readVersion } from './protocol.ts'
import { type SocketLimits, serveSocket } from './socket.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTables } from './tables.ts'
import { readToken, type SigningKeys, TokenError } from './tokens.ts'

export type RealtimeOptions = SocketOptions & {
  /** A free port by default. */
  port?: number
  /** The database, as role `supabase_realtime_admin`. */
  databaseUrl: string
  keys: SigningKeys
  /** Writes a line to the log of `npm start`. */
  say(line: string): void
}

type SocketOptions = Partial<SocketLimits> & {
  /** A client that sends nothing for this time is disconnected. Clients send a heartbeat every 25 s. */
  silenceMs?: number
  /** How often the published tables are compared with those that the channels know. */
  tablesMs?: number
}

export type Realtime = {
  port: number
  close(): Promise<void>
}

const maxLine = 1000

/** The settings of both sessions that decide how Postgres writes values. The database may have others. */
const textSettings = '-c timezone=UTC -c datestyle=ISO -c bytea_output=hex'

/** The largest message of a client, as in Supabase Realtime. */
const maxFrameBytes = 5_000_000

/**
 * Serves the changes of tables as Supabase Realtime does behind its gateway: for development and tests. Reads the WAL with
 * pgoutput, applies filters, and asks the policies as each subscriber whether a row may be sent. Broadcast and presence are
 * refused.
 */
export async function startRealtime(options: RealtimeOptions): Promise<Realtime> {
  const { keys } = options
  // A client decides how long some messages are.
  const say = (line: string) => options.say(line.length > maxLine ? `${line.slice(0, maxLine)}…` : line)
  const connection: pg.ClientConfig = { connectionString: options.databaseUrl, options: textSettings }
  const limits: SocketLimits = {
    channels: options.channels ?? 100,
    joinsPerSecond: options.joinsPerSecond ?? 200,
    unreadBytes: options.unreadBytes ?? 8 * 1024 * 1024,
  }
  const silenceMs = options.silenceMs ?? 60_000
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes })
  const checks = createChecks(connection, say)
  const tables = createTables((text, values) => checks.query(text, values))
  const subscriptions = createSubscriptions()
  const feed = createFeed({
    connection,
    subscriptions,
    tables,
    checks,
    say,
    // A client that connects again reads its rows again, and so misses no change.
    onLost: () => {
      for (const socket of sockets.clients) socket.close(1012, 'Realtime is restarting')
    },
  })
  const channels = new Set<Channel>()
  const context: Context = { keys, subscriptions, channels, tables, checks, feed, say }

  const server = createServer(answer)
  const lastHeard = new WeakMap<WebSocket, number>()
  server.on('upgrade', async (request, duplex, head) => {
    duplex.on('error', () => {})
    const url = URL.parse(request.url ?? '/', 'http://127.0.0.1')
    if (url?.pathname !== '/websocket') return refuse(duplex, 404, 'Not Found')
    const version = readVersion(url.searchParams.get('vsn'))
    // The gateway puts the key of the client there, as a JWT.
    const apiToken = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (version === undefined) return refuse(duplex, 403, 'The protocol version must be 1.0.0 or 2.0.0')
    if (apiToken === undefined) return refuse(duplex, 401, 'API key is missing')
    try {
      await readToken(apiToken, keys)
    } catch (error) {
      return refuse(duplex, 401, error instanceof TokenError ? error.message : 'The token provided is not a valid JWT')
    }
    sockets.handleUpgrade(request, duplex, head, (socket) => {
      const hear = () => void lastHeard.set(socket, performance.now())
      hear()
      socket.on('message', hear)
      serveSocket(socket, { version, apiToken, stream: duplex }, limits, context)
    })
  })
  const sweep = setInterval(() => {
    for (const socket of sockets.clients)
      if (performance.now() - (lastHeard.get(socket) ?? 0) > silenceMs) socket.terminate()
  }, silenceMs / 4).unref()
  const watch = setInterval(async () => {
    if (channels.size === 0) return
    // Without Postgres, the feed reports the error.
    const published = await tables.list().catch(() => undefined)
    if (published) for (const channel of channels) channel.follow(idsOf(published))
  }, options.tablesMs ?? 5000).unref()

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: options.port ?? 0 }, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      clearInterval(sweep)
      clearInterval(watch)
      for (const socket of sockets.clients) socket.terminate()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await feed.close()
      await checks.close()
      await closed
    },
  }
}

/** Answers a request that asks for no WebSocket. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const isBroadcast = request.url?.startsWith('/api/broadcast') === true
  const [status, message] = isBroadcast
    ? [501, 'The local Realtime server has no broadcast. Try this on hosted Supabase.']
    : [404, 'The local Realtime server serves only the WebSocket /realtime/v1/websocket.']
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }))
}

/** Refuses an upgrade, as Realtime does. */
function refuse(duplex: Duplex, status: number, error: string): void {
  const body = JSON.stringify({ error })
  duplex.end(
    `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
