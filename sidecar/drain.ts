import type { Readable } from 'node:stream'

/**
 * Takes what is still being sent and throws it away, until it ends, for 5 s and 32 MB at most.
 *
 * A connection that is closed while bytes lie unread is reset, and a reset takes with it the answer that the other side
 * has not read yet.
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
