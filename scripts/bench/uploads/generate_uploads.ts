import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { inParallel } from '../../../worker/shared/in_parallel.ts'

/** Uploads of `bytes` each, this many at a time, until `count` are done. */
export type Order = { url: string; parallel: number; count: number; bytes: number }
/** The milliseconds of each upload, and of all of them together. */
export type Outcome = { times: number[]; total: number }

// The load as a process. Its parent sends orders, and receives an outcome for each.

const agent = new Agent({ keepAlive: true })
const chunk = randomBytes(64 * 1024)

async function upload({ url, bytes }: Order, caller: number): Promise<number> {
  const head = Buffer.from('--cut\r\nContent-Disposition: form-data; name="file"; filename="x.gif"\r\n\r\n')
  const tail = Buffer.from('\r\n--cut--\r\n')
  function* body() {
    yield head
    const first = Buffer.concat([Buffer.from('GIF89a'), randomBytes(100)])
    yield first
    for (let rest = bytes - first.length; rest > 0; rest -= chunk.length)
      yield rest < chunk.length ? chunk.subarray(0, rest) : chunk
    yield tail
  }
  const startedAt = performance.now()
  const asked = request(url, {
    agent,
    method: 'POST',
    headers: {
      'content-type': 'multipart/form-data; boundary=cut',
      'content-length': head.length + bytes + tail.length,
      // A caller may send few uploads at a time, so each has a caller of its own.
      'x-client-address': `10.0.${caller >> 8}.${caller & 255}`,
    },
  })
  const answered = once(asked, 'response')
  await pipeline(Readable.from(body(), { objectMode: false }), asked)
  const [response] = await answered
  const text = (await response.setEncoding('utf8').toArray()).join('')
  if (response.statusCode !== 201) throw new Error(`An upload was refused: ${text}`)
  return performance.now() - startedAt
}

process.on('message', async (order: Order) => {
  const startedAt = performance.now()
  const times: number[] = []
  const turns = Array.from({ length: order.count }, (_, caller) => caller)
  await inParallel(turns, order.parallel, undefined, async (caller) => {
    times.push(await upload(order, caller))
  })
  process.send?.({ times, total: performance.now() - startedAt } satisfies Outcome)
})
process.on('disconnect', () => process.exit())
