import { createHash } from 'node:crypto'
import { S3Error } from './s3_error.ts'
import { type Claim, requireChunkSignature } from './signature.ts'

/** How the chunks of a body are checked. */
export type Chunking = {
  /** The claim whose key signs each chunk; undefined if chunks are not signed. */
  signed: { claim: Claim; key: Buffer } | undefined
  /** The names of the headers after the last chunk; undefined if the body ends with the last chunk. */
  trailers: readonly string[] | undefined
  /** Called with the headers after the last chunk. */
  onTrailers(values: ReadonlyMap<string, string>): void
}

const lineMaxBytes = 1024
const trailersMax = 8
const lineEnd = Buffer.from('\r\n')

/**
 * Decodes a body of content encoding `aws-chunked`, and verifies each chunk. The bytes of a chunk are passed on before its
 * signature is checked: the caller must discard all bytes if this function throws.
 */
export async function* decodeChunks(body: AsyncIterable<Buffer>, chunking: Chunking): AsyncGenerator<Buffer> {
  const reader = createReader(body)
  const { signed } = chunking
  let previous = signed?.claim.signature ?? ''
  for (;;) {
    const { size, signature } = parseChunkHeader(await reader.line(), signed !== undefined)
    const hash = createHash('sha256')
    for await (const piece of reader.bytes(size)) {
      if (signed) hash.update(piece)
      yield piece
    }
    if (signed) {
      requireChunkSignature('PAYLOAD', { ...signed, previous, given: signature, hash: hash.digest('hex') })
      previous = signature
    }
    if (size === 0) break
    if ((await reader.line()) !== '') throw incomplete('A chunk is longer than its header says.')
  }
  const values = await readTrailers(reader, chunking, previous)
  if (!(await reader.isAtEnd())) throw incomplete('The body goes on after its last chunk.')
  chunking.onTrailers(values)
}

function parseChunkHeader(line: string, isSigned: boolean): { size: number; signature: string } {
  const parts = (isSigned ? /^([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})$/ : /^([0-9a-fA-F]{1,8})$/).exec(line)
  if (!parts) {
    throw incomplete(`The header of a chunk must be <size>${isSigned ? ';chunk-signature=<signature>' : ''}.`)
  }
  return { size: Number.parseInt(parts[1] ?? '', 16), signature: parts[2] ?? '' }
}

async function readTrailers(
  reader: Reader,
  { signed, trailers }: Chunking,
  previous: string,
): Promise<Map<string, string>> {
  const values = new Map<string, string>()
  let signedText = ''
  for (;;) {
    const line = (await reader.line()).trimEnd()
    if (line === '') break
    const [, name = '', value = ''] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? []
    if (name === '' || values.size === trailersMax || values.has(name.toLowerCase())) {
      throw malformedTrailer('The headers after the last chunk are malformed.')
    }
    values.set(name.toLowerCase(), value)
    if (name.toLowerCase() !== trailerSignature) signedText += `${name.toLowerCase()}:${value}\n`
  }
  const expected = trailers === undefined ? [] : [...trailers, ...(signed ? [trailerSignature] : [])]
  if (values.size !== expected.length || expected.some((name) => !values.has(name))) {
    throw malformedTrailer('The headers after the last chunk are not the ones that x-amz-trailer names.')
  }
  if (signed && trailers !== undefined) {
    const hash = createHash('sha256').update(signedText).digest('hex')
    requireChunkSignature('TRAILER', { ...signed, previous, given: values.get(trailerSignature) ?? '', hash })
  }
  return values
}

const trailerSignature = 'x-amz-trailer-signature'

/** Reads lines and bytes from a body that arrives in pieces. */
type Reader = {
  /** Returns the next line without its end. */
  line(): Promise<string>
  /** Returns the next `size` bytes. */
  bytes(size: number): AsyncGenerator<Buffer>
  isAtEnd(): Promise<boolean>
}

function createReader(body: AsyncIterable<Buffer>): Reader {
  const pieces = body[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const next = async () => {
    const { done, value } = await pieces.next()
    if (done) throw incomplete('The body ends before its last chunk.')
    return value as Buffer
  }
  return {
    async line() {
      for (;;) {
        const end = rest.indexOf(lineEnd)
        if ((end === -1 ? rest.length : end) > lineMaxBytes) throw incomplete('The header of a chunk is too long.')
        if (end !== -1) {
          const line = rest.toString('latin1', 0, end)
          rest = rest.subarray(end + lineEnd.length)
          return line
        }
        rest = Buffer.concat([rest, await next()])
      }
    },
    async *bytes(size) {
      for (let left = size; left > 0; ) {
        if (rest.length === 0) rest = await next()
        const piece = rest.subarray(0, left)
        rest = rest.subarray(piece.length)
        left -= piece.length
        if (piece.length > 0) yield piece
      }
    },
    async isAtEnd() {
      while (rest.length === 0) {
        const { done, value } = await pieces.next()
        if (done) return true
        rest = value as Buffer
      }
      return false
    },
  }
}

function incomplete(message: string): S3Error {
  return new S3Error(400, 'IncompleteBody', message)
}

function malformedTrailer(message: string): S3Error {
  return new S3Error(400, 'MalformedTrailerError', message)
}
