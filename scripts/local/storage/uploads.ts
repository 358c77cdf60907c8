import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { FormError, type Part, readBoundary, readForm } from '../../../sidecar/form.ts'
import { invalidRequest, StorageError, tooLarge } from './errors.ts'
import { parseUserMetadata, readUserMetadata } from './requests.ts'
import type { PutOptions } from './types.ts'

/** The file of a request, and the fields of the request that describe the file. */
export type Upload = { body: Readable; options: Omit<PutOptions, 'upsert' | 'ownerId'> }

/** The most bytes of a field, of which the metadata is the largest. */
const fieldBytes = 2 ** 20

/** Reads the file of a request: the whole body, or the first file of a form. */
export async function readUpload(request: FastifyRequest): Promise<Upload> {
  const type = request.headers['content-type'] ?? 'application/octet-stream'
  const xRobotsTag = readRobotsTag(request.headers['x-robots-tag'])
  if (/^multipart\/form-data/i.test(type)) {
    const boundary = readBoundary(type)
    if (boundary === undefined) throw invalidRequest('The content type of the form names no boundary.')
    const upload = await readFormUpload(request, boundary)
    return { ...upload, options: { ...upload.options, xRobotsTag } }
  }
  const length = request.headers['content-length']
  return {
    body: readWhole(request.raw),
    options: {
      contentType: type,
      cacheControl: request.headers['cache-control'] ?? 'no-cache',
      length: length === undefined ? undefined : Number(length),
      userMetadata: readUserMetadata(request.headers['x-metadata']),
      xRobotsTag,
    },
  }
}

async function readFormUpload(request: FastifyRequest, boundary: string): Promise<Upload> {
  const form = readForm(request.raw, boundary)
  const fields = new Map<string, string>()
  for (;;) {
    const { done, value: part } = await form.next().catch(refuseForm)
    if (done || !part) throw invalidRequest('No content provided')
    if (!part.hasFileName) {
      fields.set(part.name ?? '', await readField(part))
      continue
    }
    const seconds = fields.get('cacheControl')
    const metadata = fields.get('metadata') ?? fields.get('userMetadata')
    return {
      body: Readable.from(readFile(part, form), { objectMode: false }),
      options: {
        contentType: fields.get('contentType') || part.contentType || 'application/octet-stream',
        cacheControl: seconds ? `max-age=${seconds}` : 'no-cache',
        userMetadata: metadata === undefined ? undefined : parseUserMetadata(metadata),
      },
    }
  }
}

async function readField(part: Part): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of part.bytes) {
    size += chunk.length
    if (size > fieldBytes) throw tooLarge('user_metadata')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Yields the bytes of a file, and ends when the form has ended, so that a form that breaks off later stores nothing. */
async function* readFile(part: Part, form: AsyncGenerator<Part>): AsyncGenerator<Buffer> {
  try {
    yield* part.bytes
    for await (const _ of form);
  } catch (error) {
    refuseForm(error)
  }
}

function refuseForm(error: unknown): never {
  if (error instanceof FormError) throw invalidRequest(`The form is broken: ${error.message}.`)
  throw interrupted(error)
}

function readWhole(raw: Readable): Readable {
  async function* chunks() {
    try {
      yield* raw as AsyncIterable<Buffer>
    } catch (error) {
      throw interrupted(error)
    }
  }
  return Readable.from(chunks(), { objectMode: false })
}

const interrupted = (cause: unknown) =>
  cause instanceof StorageError ? cause : new StorageError(499, 'Aborted', 'The upload was interrupted.', { cause })

/** Allows what search engines know, without line breaks and other controls. */
function readRobotsTag(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const rule =
    '(?:[a-z-]+:\\s*)?(?:all|none|noindex|nofollow|noarchive|nosnippet|notranslate|noimageindex|indexifembedded|' +
    'max-snippet:\\s*-?\\d+|max-video-preview:\\s*-?\\d+|max-image-preview:\\s*(?:none|standard|large)|' +
    'unavailable_after:\\s*[\\w:+, -]+)'
  if (typeof header === 'string' && new RegExp(`^${rule}(?:\\s*,\\s*${rule})*$`, 'i').test(header)) return header
  throw new StorageError(400, 'InvalidRequest', `Invalid X-Robots-Tag header: "${String(header).slice(0, 100)}"`, {
    error: 'invalid_x_robots_tag',
  })
}
