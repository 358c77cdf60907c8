import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { drain } from '../../../sidecar/drain.ts'

/** Detaches an upload from its connection: if a service answers early and stops reading, the client stays connected. */
export function detach(upload: IncomingMessage): PassThrough {
  const body = new PassThrough()
  body.on('error', () => {})
  upload.once('close', () => {
    if (!upload.complete) body.destroy(new Error('The client went away.'))
  })
  return upload.pipe(body)
}

/**
 * Sends an answer, then drains the rest of the request; see {@link drain}. Nothing more is forwarded, because a service
 * that has answered may close its connection, and a failed write there would end the answer, too.
 */
export function thenDrain(
  answer: AsyncIterable<unknown> | string[],
  upload: Readable,
  forwarded?: PassThrough,
): Readable {
  upload.unpipe()
  async function* parts() {
    yield* answer
    forwarded?.destroy()
    await drain(upload)
  }
  return Readable.from(parts(), { objectMode: false })
}
