import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflateRaw, inflate as inflateZlib } from 'node:zlib'
import { Refusal } from './retry.ts'

/** The limit of a file, as it is stored and as it is read. */
export const fileMaxBytes = 8 * 2 ** 20

const inflaters = {
  gzip: promisify(gunzip),
  // Some programs write the bare format, without the header of zlib.
  deflate: (bytes: Buffer, options: { maxOutputLength: number }) =>
    promisify(hasZlibHeader(bytes) ? inflateZlib : inflateRaw)(bytes, options),
  br: promisify(brotliDecompress),
}

/**
 * Inflates a file by its `Content-Encoding`. The first bytes also show gzip, if the header is missing or names another encoding.
 * A file that is JSON already stays unchanged, because some stores inflate a file and still send the header.
 */
export async function inflate(file: Buffer, encodings = ''): Promise<Buffer> {
  let bytes = file
  // The last encoding was applied last.
  for (const name of encodings.toLowerCase().split(',').reverse()) {
    const encoding = name.trim().replace(/^x-/, '')
    // aws-chunked is how a client has sent the file to the store.
    if (encoding === '' || encoding === 'identity' || encoding === 'aws-chunked') continue
    if (!(encoding in inflaters)) {
      if (isJson(bytes) || isGzip(bytes)) continue
      throw new Refusal(
        `drama.json has the Content-Encoding "${encoding}". Store it as gzip, deflate, br or plain text.`,
      )
    }
    bytes = await inflateOnce(bytes, isGzip(bytes) ? 'gzip' : (encoding as keyof typeof inflaters))
  }
  return isGzip(bytes) ? inflateOnce(bytes, 'gzip') : bytes
}

async function inflateOnce(bytes: Buffer, encoding: keyof typeof inflaters): Promise<Buffer> {
  try {
    return await inflaters[encoding](bytes, { maxOutputLength: fileMaxBytes })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(cause)
    if (isJson(bytes)) return bytes
    if (encoding === 'gzip' && hasZlibHeader(bytes)) return inflateOnce(bytes, 'deflate')
    throw new Refusal(`drama.json cannot be inflated as ${encoding}: ${message}`, { cause })
  }
}

export function tooLarge(cause?: unknown): Refusal {
  return new Refusal(`drama.json has more than ${fileMaxBytes / 2 ** 20} MiB`, { cause })
}

const isGzip = (bytes: Buffer) => bytes[0] === 0x1f && bytes[1] === 0x8b
const hasZlibHeader = (bytes: Buffer) =>
  ((bytes[0] ?? 0) & 15) === 8 && bytes.length > 1 && bytes.readUInt16BE(0) % 31 === 0
const isJson = (bytes: Buffer) => /^\uFEFF?\s*\{/.test(bytes.toString('utf8', 0, 100))
