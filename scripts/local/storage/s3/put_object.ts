import { StorageError } from '../errors.ts'
import { type Answer, xmlAnswer } from './answer.ts'
import { isUnchanged, preconditionFailed, requireUnchanged } from './conditions.ts'
import { readUserMetadata } from './get_object.ts'
import { S3Error } from './s3_error.ts'
import type { S3Context, S3Request } from './s3_request.ts'

const defaultType = 'application/octet-stream'

/** Stores an object, in place of an earlier one unless `If-None-Match: *` forbids that. */
export async function putObject({ objects }: S3Context, { caller, target, headers, open }: S3Request): Promise<Answer> {
  const isNew = readIfNoneMatch(headers)
  const { bytes, length } = open()
  const put = {
    contentType: headers.get('content-type') ?? defaultType,
    cacheControl: headers.get('cache-control'),
    upsert: !isNew,
    length,
    userMetadata: readUserMetadata(headers),
  }
  try {
    // As at Supabase Storage, an empty object whose key ends with a slash marks an empty folder.
    const key = target.key.endsWith('/') && length === 0 ? `${target.key}.emptyFolderPlaceholder` : target.key
    const { etag } = await objects.put(caller, target.bucket, key, bytes, put)
    return { status: 200, headers: { etag, 'content-length': '0' } }
  } catch (error) {
    if (isNew && error instanceof StorageError && error.code === 'KeyAlreadyExists') throw preconditionFailed()
    throw error
  } finally {
    bytes.destroy()
  }
}

function readIfNoneMatch(headers: ReadonlyMap<string, string>): boolean {
  const condition = headers.get('if-none-match')
  if (headers.has('if-match') || (condition !== undefined && condition.trim() !== '*')) {
    throw new S3Error(501, 'NotImplemented', 'The only condition of an upload can be If-None-Match: *.')
  }
  return condition !== undefined
}

/** Copies an object. The caller needs the right to read the source. */
export async function copyObject({ objects }: S3Context, { caller, target, headers }: S3Request): Promise<Answer> {
  const from = readSource(headers.get('x-amz-copy-source') ?? '')
  const isReplaced = headers.get('x-amz-metadata-directive') === 'REPLACE'
  const source = await objects.find(caller, from.bucket, from.name)
  const state = {
    eTag: source.metadata?.eTag ?? '',
    modifiedAt: new Date(source.metadata?.lastModified ?? source.updated_at),
  }
  requireUnchanged(headers, state, 'x-amz-copy-source-')
  if (isUnchanged(headers, state, 'x-amz-copy-source-')) throw preconditionFailed()
  const row = await objects.copy(
    caller,
    from,
    { bucket: target.bucket, name: target.key },
    {
      upsert: true,
      ...(isReplaced && {
        contentType: headers.get('content-type') ?? defaultType,
        cacheControl: headers.get('cache-control'),
        userMetadata: readUserMetadata(headers),
      }),
    },
  )
  return xmlAnswer('CopyObjectResult', {
    ETag: row.metadata?.eTag ?? '',
    LastModified: row.metadata?.lastModified ?? row.updated_at.toISOString(),
  })
}

/** Reads `bucket/key` or `/bucket/key`, escaped as in a URL. */
function readSource(source: string): { bucket: string; name: string } {
  const [, bucket, key, version] = /^\/?([^/?]+)\/([^?]+)(\?.*)?$/.exec(source) ?? []
  try {
    if (bucket !== undefined && key !== undefined && version === undefined) {
      return { bucket: decodeURIComponent(bucket), name: decodeURIComponent(key) }
    }
  } catch {
    // Falls through to the error below.
  }
  throw new S3Error(400, 'InvalidArgument', 'x-amz-copy-source must be bucket/key, escaped as in a URL.')
}
