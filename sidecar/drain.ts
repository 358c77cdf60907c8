import type { Readable } from 'node:stream'

const tickMs = 500
const lastMs = 1000

/**
 * Reads the rest of a request and discards it, for at most 5 s and 32 MiB. After 32 MiB it stops reading, and returns a
 * second later.
 *
 * Closing a connection with unread bytes resets the connection, and a reset can destroy the answer before the client has
 * read it. A client that sends as fast as it can reads the answer only when it cannot send.
 *
 * The time is counted in ticks of this process, because a single timer would expire during a pause of the machine, in which
 * the client had no time to read.
 */
export async function drain(source: Readable, limits = { bytes: 32 * 2 ** 20, ms: 5000 }): Promise<void> {
  if (source.readableEnded || source.destroyed) return
  source.unpipe()
  const done = Promise.withResolvers<void>()
  let bytes = limits.bytes
  let ticks = Math.ceil(limits.ms / tickMs)
  const discard = (chunk: Buffer) => {
    bytes -= chunk.length
    if (bytes >= 0 || source.isPaused()) return
    source.pause()
    ticks = Math.min(ticks, Math.ceil(lastMs / tickMs))
  }
  const timer = setInterval(() => {
    ticks -= 1
    if (ticks <= 0) done.resolve()
  }, tickMs)
  source.on('data', discard).once('end', done.resolve).once('close', done.resolve).once('error', done.resolve)
  source.resume()
  await done.promise
  clearInterval(timer)
  source.off('data', discard)
}
