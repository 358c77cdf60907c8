import type { Readable } from 'node:stream'

/**
 * Reads the rest of a request and discards it, for at most 5 s and 32 MiB.
 *
 * Closing a connection with unread bytes resets it, and a reset can destroy the answer before the client has read it.
 */
export async function drain(source: Readable, limits = { bytes: 32 * 2 ** 20, ms: 5000 }): Promise<void> {
  if (source.readableEnded || source.destroyed) return
  source.unpipe()
  const done = Promise.withResolvers<void>()
  let rest = limits.bytes
  const take = (chunk: Buffer) => {
    rest -= chunk.length
    if (rest < 0) done.resolve()
  }
  const timer = setTimeout(done.resolve, limits.ms)
  source.on('data', take).once('end', done.resolve).once('close', done.resolve).once('error', done.resolve)
  source.resume()
  await done.promise
  clearTimeout(timer)
  source.off('data', take)
}
