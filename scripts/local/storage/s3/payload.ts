import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { type Checksum, checksums } from './checksums.ts'
import { decodeChunks } from './chunks.ts'
import { S3Error } from './s3_error.ts'
import { type Claim, unsignedPayload } from './signature.ts'

/** The body of a request. Reading it throws at its end if it is not the body that the client signed. */
export type Payload = { bytes: Readable; length: number }

/** Opens the body of a request whose signature is right. `key` signs the chunks of the body. */
export function openPayload(
  body: AsyncIterable<Buffer>,
  claim: Claim,
  key: Buffer,
  headers: ReadonlyMap<string, string>,
): Payload {
  const isChunked = claim.payload.startsWith('STREAMING-')
  const length = readLength(headers.get(isChunked ? 'x-amz-decoded-content-length' : 'content-length'))
  const checks = Object.entries(checksums).flatMap(([name, start]) => {
    const value = headers.get(name)
    return start !== undefined && value !== undefined ? [expectChecksum(name, start(), () => value)] : []
  })
  let source = body
  if (isChunked) {
    if (!chunkedPayloads.has(claim.payload)) throw unknownPayload()
    const names = claim.payload.endsWith('-TRAILER') ? readTrailerNames(headers.get('x-amz-trailer')) : undefined
    const found = new Map<string, string>()
    for (const name of names ?? []) {
      const start = checksums[name]
      if (!start) throw new S3Error(400, 'InvalidRequest', `The trailer ${name} is unknown. Send a checksum.`)
      checks.push(expectChecksum(name, start(), () => found.get(name)))
    }
    source = decodeChunks(body, {
      signed: claim.payload.includes('HMAC-SHA256') ? { claim, key } : undefined,
      trailers: names,
      onTrailers: (values) => {
        for (const [name, value] of values) found.set(name, value)
      },
    })
  } else if (/^[0-9a-f]{64}$/.test(claim.payload)) {
    checks.push(expectHash(claim.payload))
  } else if (claim.payload !== unsignedPayload) throw unknownPayload()
  return { bytes: Readable.from(verify(source, length, checks), { objectMode: false }), length }
}

const chunkedPayloads = new Set([
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
])

/** A check that runs over the body and throws at its end. */
type Check = { update(chunk: Buffer): void; require(): void }

async function* verify(source: AsyncIterable<Buffer>, length: number, checks: Check[]): AsyncGenerator<Buffer> {
  let sent = 0
  for await (const chunk of source) {
    sent += chunk.length
    if (sent > length) break
    for (const check of checks) check.update(chunk)
    yield chunk
  }
  if (sent !== length) throw new S3Error(400, 'IncompleteBody', `The body does not have the announced ${length} bytes.`)
  for (const check of checks) check.require()
}

function expectChecksum(name: string, checksum: Checksum, expected: () => string | undefined): Check {
  return {
    update: checksum.update,
    require() {
      if (checksum.base64() !== expected()) throw new S3Error(400, 'BadDigest', `${name} is not that of the body.`)
    },
  }
}

function expectHash(expected: string): Check {
  const hash = createHash('sha256')
  return {
    update: (chunk) => void hash.update(chunk),
    require() {
      if (hash.digest('hex') === expected) return
      throw new S3Error(400, 'XAmzContentSHA256Mismatch', 'x-amz-content-sha256 is not the hash of the body.')
    },
  }
}

function readLength(value: string | undefined): number {
  if (value !== undefined && /^\d{1,15}$/.test(value)) return Number(value)
  throw new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
}

function readTrailerNames(header: string | undefined): string[] {
  return (header ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim().toLowerCase()]))
}

function unknownPayload(): S3Error {
  return new S3Error(
    400,
    'InvalidArgument',
    'x-amz-content-sha256 must be the hash of the body, UNSIGNED-PAYLOAD or a STREAMING-… value that this server knows.',
  )
}
