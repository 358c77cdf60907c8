import { validateHeaderValue } from 'node:http'
import { StorageError } from '../errors.ts'
import type { Range } from '../files.ts'
import type { Opened } from '../types.ts'
import type { Answer } from './answer.ts'
import { isUnchanged, requireUnchanged } from './conditions.ts'
import { S3Error } from './s3_error.ts'
import type { S3Context, S3Request } from './s3_request.ts'

/** Parameters of the URL that replace headers of the answer. */
const replaceable = [
  'content-type',
  'content-disposition',
  'cache-control',
  'content-encoding',
  'content-language',
  'expires',
]

/** Answers GET and HEAD of an object: the whole object, or the range that the request asks for. */
export async function getObject({ objects }: S3Context, request: S3Request): Promise<Answer> {
  const { caller, target, method, headers } = request
  // An object may be replaced between the read of its row and the read of its file.
  for (let attempt = 1; ; attempt++) {
    const { row, read } = await objects.open(caller, target.bucket, target.key)
    const { eTag = '', size = 0, mimetype, cacheControl } = row.metadata ?? {}
    const modifiedAt = new Date(row.metadata?.lastModified ?? row.updated_at)
    requireUnchanged(headers, { eTag, modifiedAt })
    const answer = {
      etag: eTag,
      'last-modified': modifiedAt.toUTCString(),
      ...(cacheControl && { 'cache-control': cacheControl }),
      ...writeUserMetadata(row.user_metadata),
    }
    if (isUnchanged(headers, { eTag, modifiedAt })) return { status: 304, headers: answer }
    const range = readRange(headers.get('range'), size)
    const whole = {
      ...answer,
      'accept-ranges': 'bytes',
      'content-type': mimetype ?? 'application/octet-stream',
      'content-length': String(range ? range.last - range.first + 1 : size),
      ...(range && { 'content-range': `bytes ${range.first}-${range.last}/${size}` }),
      ...readReplacements(target.query),
    }
    const status = range ? 206 : 200
    if (method === 'HEAD') return { status, headers: whole }
    const body = await readBytes(read, range)
    if (body !== undefined) return { status, headers: whole, body }
    if (attempt === 3) throw new StorageError(404, 'NoSuchKey', 'Object not found')
  }
}

async function readBytes(read: Opened['read'], range: Range | undefined) {
  try {
    return await read(range)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'NoSuchKey') return undefined
    throw error
  }
}

/** Reads a header such as `bytes=0-9`, `bytes=10-` or `bytes=-5`. Like S3, this server ignores a header with several ranges. */
function readRange(header: string | undefined, size: number): Range | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return undefined
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (from !== '' && to !== '' && Number(to) < first) return undefined
  if (first > last) throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable')
  return { first, last }
}

function readReplacements(query: ReadonlyMap<string, string>): Record<string, string> {
  const found = replaceable.flatMap((name) => {
    const value = query.get(`response-${name}`)
    return value === undefined ? [] : [[name, value] as const]
  })
  for (const [name, value] of found) {
    try {
      validateHeaderValue(name, value)
    } catch (cause) {
      throw new S3Error(400, 'InvalidArgument', `response-${name} is not the value of a header.`, { cause })
    }
  }
  return Object.fromEntries(found)
}

const metadataPrefix = 'x-amz-meta-'

function writeUserMetadata(metadata: Record<string, unknown> | null): Record<string, string> {
  const headers = Object.entries(metadata ?? {}).flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    // Other ways than S3 store names and values that no header can have.
    return /^[\w-]{1,100}$/.test(name) && /^[\x20-\x7e]*$/.test(text) ? [[`${metadataPrefix}${name}`, text]] : []
  })
  return Object.fromEntries(headers)
}

/** Returns the metadata that a client sends with an object. */
export function readUserMetadata(headers: ReadonlyMap<string, string>): Record<string, string> {
  const found = [...headers].filter(([name]) => name.startsWith(metadataPrefix))
  const size = found.reduce((sum, [name, value]) => sum + name.length - metadataPrefix.length + value.length, 0)
  if (size > 2048) throw new S3Error(400, 'MetadataTooLarge', 'The metadata of an object has at most 2 KiB.')
  return Object.fromEntries(found.map(([name, value]) => [name.slice(metadataPrefix.length), value]))
}
