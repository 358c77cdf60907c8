import type { FastifyReply, FastifyRequest } from 'fastify'
import { notBuilt, StorageError } from './errors.ts'
import type { Range } from './files.ts'
import type { ObjectRow, Opened } from './types.ts'

/** Answers with an object: all of it, the range that the client asks for, or 304 if the client has it. */
export async function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  { row, read }: Opened,
  expires?: Date,
): Promise<FastifyReply> {
  refuseVersion(request)
  const { eTag = '', size = 0 } = row.metadata ?? {}
  reply.headers(describe(row))
  // The browser may keep an object of a signed URL until the URL expires.
  if (expires) reply.removeHeader('cache-control').header('expires', expires.toUTCString())
  if (isKnown(request, row)) return reply.code(304).send()
  const download = firstOf((request.query as Record<string, string | string[] | undefined>)['download'])
  if (download !== undefined) {
    const name = encodeURIComponent(download)
    reply.header(
      'content-disposition',
      download === '' ? 'attachment;' : `attachment; filename=${name}; filename*=UTF-8''${name}`,
    )
  }
  const { range: header, 'if-range': ifRange } = request.headers
  const range = header === undefined || (ifRange && ifRange !== eTag) ? undefined : readRange(header, size)
  // The file first, because an answer that has begun cannot become an error.
  const body = await read(range)
  if (range) {
    reply.code(206).headers({
      'content-range': `bytes ${range.first}-${range.last}/${size}`,
      'content-length': range.last - range.first + 1,
    })
  } else reply.header('content-length', size)
  return reply.send(body)
}

/** Answers a HEAD request. */
export function sendHead(request: FastifyRequest, reply: FastifyReply, row: ObjectRow): FastifyReply {
  refuseVersion(request)
  return reply
    .headers(describe(row))
    .header('content-length', row.metadata?.size ?? 0)
    .send()
}

/** Answers what Storage knows of an object, without the bytes. */
export function sendInfo(request: FastifyRequest, reply: FastifyReply, row: ObjectRow): FastifyReply {
  refuseVersion(request)
  return reply.send({
    id: row.id,
    name: row.name,
    version: row.version,
    bucket_id: row.bucket_id,
    size: row.metadata?.size ?? null,
    content_type: row.metadata?.mimetype ?? null,
    cache_control: row.metadata?.cacheControl ?? null,
    etag: row.metadata?.eTag ?? null,
    metadata: row.user_metadata,
    last_modified: row.updated_at,
    created_at: row.created_at,
  })
}

/** Returns the headers of an object. Nothing in it runs as a page of this origin. */
function describe({ metadata, updated_at }: ObjectRow): Record<string, string> {
  const type = metadata?.mimetype ?? 'application/octet-stream'
  const isHtml = type.toLowerCase().includes('text/html')
  return {
    'accept-ranges': 'bytes',
    // As in Storage, a page is shown as its source.
    'content-type': isHtml ? 'text/plain' : type,
    'x-content-type-options': 'nosniff',
    // SVG and other XML may have scripts.
    ...(/xml|html/i.test(type) && { 'content-security-policy': 'sandbox' }),
    etag: metadata?.eTag ?? '',
    'last-modified': new Date(metadata?.lastModified ?? updated_at).toUTCString(),
    'cache-control': metadata?.cacheControl ?? 'no-cache',
    'x-robots-tag': metadata?.xRobotsTag ?? 'none',
  }
}

function isKnown({ headers }: FastifyRequest, { metadata, updated_at }: ObjectRow): boolean {
  const known = headers['if-none-match']
  if (known !== undefined)
    return known.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === metadata?.eTag)
  const since = Date.parse(headers['if-modified-since'] ?? '')
  // The header has whole seconds.
  return Math.floor(Date.parse(String(metadata?.lastModified ?? updated_at)) / 1000) * 1000 <= since
}

/** Reads `bytes=0-99`, `bytes=100-` or `bytes=-100`. */
function readRange(header: string, size: number): Range {
  const [, start = '', end = ''] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? []
  const first = start === '' ? Math.max(size - Number(end), 0) : Number(start)
  const last = start === '' || end === '' ? size - 1 : Math.min(Number(end), size - 1)
  if ((start === '' && !(Number(end) > 0)) || first > last)
    throw new StorageError(416, 'InvalidRange', 'invalid range provided', { error: 'invalid_range', status: 416 })
  return { first, last }
}

function refuseVersion(request: FastifyRequest): void {
  if ((request.query as Record<string, unknown>)['versionId'] !== undefined) throw notBuilt('versions of objects')
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
