import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Checks } from './checks.ts'
import { publish } from './publish.ts'
import { type Change, openStream, type Stream } from './stream.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Tables } from './tables.ts'

/** Reads changes from Postgres and publishes them, while there are subscriptions. */
export type Feed = {
  /** Starts reading changes unless it already reads. Resolves when the changes of new transactions arrive. */
  start(): Promise<void>
  /** Stops reading some time after the last subscription has ended. */
  stopIfIdle(): void
  close(): Promise<void>
}

export type FeedOptions = {
  connection: pg.ClientConfig
  subscriptions: Subscriptions
  tables: Tables
  checks: Checks
  /** The connection to Postgres is lost, so changes may be lost. */
  onLost(): void
  say(line: string): void
}

/** How many changes are checked at a time, and how many wait before the stream is paused. */
const batchSize = 500
const maxWaiting = 5000
const maxWaitingBytes = 32 * 1024 * 1024
const idleMs = 30_000

/** Creates the feed, which reads the changes of the publication and sends them to their subscribers, in commit order. */
export function createFeed(options: FeedOptions): Feed {
  const { subscriptions, tables, say } = options
  const waiting: Change[] = []
  let waitingBytes = 0
  let stream: Promise<Stream> | undefined
  let isBusy = false
  let isPaused = false
  let idle: NodeJS.Timeout | undefined

  async function stop(): Promise<void> {
    const ending = stream
    stream = undefined
    isPaused = false
    waiting.length = 0
    waitingBytes = 0
    await (await ending?.catch(() => undefined))?.stop()
  }

  function lose(error: Error): void {
    say(`Realtime lost the changes of Postgres, so its clients connect again: ${error.message}`)
    void stop()
    options.onLost()
  }

  function start(): Promise<void> {
    clearTimeout(idle)
    idle = undefined
    if (!stream) {
      const opening = openStream({
        connection: options.connection,
        publication: 'local_realtime',
        slot: `local_realtime_${crypto.randomUUID().replaceAll('-', '')}`,
        onRelation: ({ id }) => tables.forget(id),
        onChange: (change) => {
          if (stream === opening) take(change)
        },
        onEnd: (error) => {
          if (stream === opening) lose(error)
        },
      })
      stream = opening
      opening.catch(() => {
        if (stream === opening) stream = undefined
      })
    }
    return stream.then(() => {})
  }

  function take(change: Change): void {
    if (subscriptions.of(change.relation.id).size === 0) return
    waiting.push(change)
    waitingBytes += change.bytes
    if (!isPaused && (waiting.length > maxWaiting || waitingBytes > maxWaitingBytes)) void pause()
    void work()
  }

  async function pause(): Promise<void> {
    isPaused = true
    ;(await stream)?.pause()
  }

  async function work(): Promise<void> {
    if (isBusy) return
    isBusy = true
    try {
      // Waits one turn, so that a batch has all changes of a transaction.
      await sleep(0)
      while (waiting.length > 0) {
        const reading = stream
        const batch = takeBatch()
        await publish(batch, options)
        if (isPaused && stream === reading && waiting.length < maxWaiting / 2 && waitingBytes < maxWaitingBytes / 2) {
          isPaused = false
          ;(await stream)?.resume()
        }
      }
    } catch (error) {
      lose(error as Error)
    } finally {
      isBusy = false
    }
    if (waiting.length > 0) void work()
  }

  /** The next changes: many small ones or few large ones. */
  function takeBatch(): Change[] {
    let bytes = 0
    let count = 0
    while (count < waiting.length && count < batchSize && bytes < maxWaitingBytes / 8)
      bytes += waiting[count++]?.bytes ?? 0
    waitingBytes -= bytes
    return waiting.splice(0, count)
  }

  return {
    start,
    stopIfIdle() {
      if (subscriptions.size > 0 || idle !== undefined) return
      idle = setTimeout(() => {
        idle = undefined
        if (subscriptions.size === 0) void stop()
      }, idleMs).unref()
    },
    async close() {
      clearTimeout(idle)
      await stop()
    },
  }
}
