import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { type Channel, type Context, createChannel, notBuilt } from './channel.ts'
import { decodeFrame, encodeChange, encodeFrame, type Frame, type Version } from './protocol.ts'

/** The limits of one socket. */
export type SocketLimits = {
  /** Channels of a socket, and joins of a socket in a second. */
  channels: number
  joinsPerSecond: number
  /** A client with more unread bytes before the next batch is disconnected. */
  unreadBytes: number
}

/** Serves a client's socket: decodes its messages and passes them to its channels. */
export function serveSocket(
  socket: WebSocket,
  { version, apiToken, stream }: { version: Version; apiToken: string; stream: Duplex },
  limits: SocketLimits,
  context: Context,
): void {
  const channels = new Map<string, { channel: Channel; joinRef: string | null }>()
  let joins = 0
  let second = 0

  function send(text: string): void {
    if (socket.readyState !== WebSocket.OPEN) return
    // All messages of a batch are sent in one write. A client is slow if the messages of earlier batches are still there.
    const isFirst = stream.writableCorked === 0
    if (socket.bufferedAmount > limits.unreadBytes * (isFirst ? 1 : 8)) {
      context.say('Realtime dropped a client that does not read its messages.')
      socket.terminate()
      return
    }
    if (isFirst) {
      stream.cork()
      process.nextTick(() => stream.uncork())
    }
    socket.send(text)
  }

  function sendFrame(frame: Frame): void {
    send(encodeFrame(version, frame))
  }

  function reply({ joinRef, ref, topic }: Frame, status: 'ok' | 'error', response: Record<string, unknown>): void {
    sendFrame({ joinRef, ref, topic, event: 'phx_reply', payload: { status, response } })
  }

  function endChannel(topic: string): void {
    channels.get(topic)?.channel.end()
    channels.delete(topic)
  }

  /** Why a join is refused before its channel exists. */
  function refusalOf(topic: string): string | undefined {
    if (!topic.startsWith('realtime:')) return 'unmatched topic'
    if (topic === 'realtime:') return 'TopicNameRequired: You must provide a topic name'
    if (channels.size >= limits.channels) return 'ChannelRateLimitReached: Too many channels'
    return undefined
  }

  function join(frame: Frame): void {
    const { topic, ref, joinRef } = frame
    const now = Math.floor(Date.now() / 1000)
    joins = now === second ? joins + 1 : 1
    second = now
    if (joins > limits.joinsPerSecond) {
      reply(frame, 'error', { reason: 'ClientJoinRateLimitReached: Too many joins per second' })
      socket.close(1008, 'Too many joins per second')
      return
    }
    // A client that joins again has forgotten the channel.
    const earlier = channels.get(topic)
    if (earlier) closeChannel(topic, earlier.joinRef)
    const reason = refusalOf(topic)
    if (reason !== undefined) {
      reply(frame, 'error', { reason })
      return
    }
    const channel = createChannel(
      {
        apiToken,
        topic,
        push: (event, payload) => sendFrame({ joinRef, ref: null, topic, event, payload }),
        reply: (to, status, response) => reply({ ...frame, ref: to }, status, response),
        deliver: (ids, data) => {
          if (channels.get(topic)?.channel === channel) send(encodeChange(version, topic, ids, data))
        },
        close: () => {
          if (channels.get(topic)?.channel === channel) closeChannel(topic, joinRef)
        },
        forget: () => {
          if (channels.get(topic)?.channel === channel) endChannel(topic)
        },
      },
      context,
    )
    channels.set(topic, { channel, joinRef })
    run(channel.join(ref, frame.payload))
  }

  function closeChannel(topic: string, joinRef: string | null): void {
    endChannel(topic)
    sendFrame({ joinRef, ref: joinRef, topic, event: 'phx_close', payload: {} })
  }

  /** An unexpected error of a channel closes the socket, so that the client connects again. */
  function run(work: Promise<void>): void {
    work.catch((error: Error) => {
      context.say(`Realtime failed: ${error.stack ?? error.message}`)
      socket.close(1011)
    })
  }

  function receive(frame: Frame): void {
    const { topic, event, payload, joinRef } = frame
    const found = channels.get(topic)
    if (topic === 'phoenix') {
      if (event === 'heartbeat') reply(frame, 'ok', {})
    } else if (event === 'phx_join') {
      join(frame)
    } else if (event === 'phx_leave') {
      // A late message of an earlier channel of this topic must not end the present one.
      const isOther = found !== undefined && joinRef !== null && joinRef !== found.joinRef
      if (isOther) return
      reply(frame, 'ok', {})
      if (found) closeChannel(topic, found.joinRef)
    } else if (!found) {
      reply(frame, 'error', { reason: 'unmatched topic' })
    } else if (event === 'access_token') {
      run(found.channel.refresh(payload['access_token']))
    } else if (event === 'broadcast' || event === 'presence') {
      reply(frame, 'error', { reason: notBuilt(event) })
      found.channel.refuseMessage(event)
    }
  }

  socket.on('message', (data: Buffer, isBinary) => {
    const frame = decodeFrame(version, data, isBinary)
    // Like Realtime, the server does not answer a malformed message.
    if (frame) receive(frame)
  })
  socket.on('close', () => {
    for (const topic of [...channels.keys()]) endChannel(topic)
  })
  // The socket closes itself after an error, such as a message that is too large.
  socket.on('error', () => {})
}
