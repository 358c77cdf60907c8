import { asCaller, type Caller, server } from '../database.ts'
import { type Answer, xmlAnswer } from './answer.ts'
import { requireBucket } from './buckets.ts'
import { S3Error } from './s3_error.ts'
import type { S3Context, S3Request } from './s3_request.ts'
import { escapeUri } from './target.ts'

const pageMax = 1000

/** A row of a listing. */
type Found = { name: string; updated_at: Date | null; eTag: string | null; size: string | null }

/** A page: objects and folders in the order of their keys, and the key after which the next page begins. */
type Page = { objects: Found[]; folders: string[]; next: string | undefined }

/** Lists a bucket, in version 2 of the operation, or in version 1, which has markers in place of tokens. */
export async function listObjects(context: S3Context, { caller, target }: S3Request): Promise<Answer> {
  const { bucket, query } = target
  const isV2 = query.get('list-type') === '2'
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const limit = readLimit(query.get('max-keys'))
  const token = query.get('continuation-token')
  const after = isV2
    ? token === undefined
      ? query.get('start-after')
      : Buffer.from(token, 'base64url').toString()
    : query.get('marker')
  await requireBucket(context, server, bucket)
  const page = await findPage(context, caller, { bucket, prefix, delimiter, limit, after: after ?? '' })
  const encode = (text: string) =>
    query.get('encoding-type') === 'url' ? text.split('/').map(escapeUri).join('/') : text
  const { next } = page
  return xmlAnswer('ListBucketResult', {
    Name: bucket,
    Prefix: encode(prefix),
    ...(isV2
      ? {
          StartAfter: query.has('start-after') ? encode(query.get('start-after') ?? '') : undefined,
          ContinuationToken: token,
          NextContinuationToken: next === undefined ? undefined : Buffer.from(next).toString('base64url'),
          KeyCount: page.objects.length + page.folders.length,
        }
      : { Marker: encode(after ?? ''), NextMarker: next === undefined ? undefined : encode(next) }),
    MaxKeys: limit,
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    EncodingType: query.get('encoding-type'),
    IsTruncated: next !== undefined,
    Contents: page.objects.map(({ name, updated_at, eTag, size }) => ({
      Key: encode(name),
      LastModified: updated_at?.toISOString(),
      ETag: eTag ?? '',
      Size: Number(size ?? 0),
      StorageClass: 'STANDARD',
    })),
    CommonPrefixes: page.folders.map((folder) => ({ Prefix: encode(folder) })),
  })
}

/** Finds a page. Behind each folder it continues after all the folder's keys, so it reads few rows of a large folder. */
async function findPage(
  { pool }: S3Context,
  caller: Caller,
  {
    bucket,
    prefix,
    delimiter,
    limit,
    after,
  }: Record<'bucket' | 'prefix' | 'delimiter' | 'after', string> & {
    limit: number
  },
): Promise<Page> {
  return asCaller(pool, caller, 'storage.s3.object.list', async ({ query }) => {
    const page: Page = { objects: [], folders: [], next: undefined }
    let last = after
    for (;;) {
      // The page before may have ended with a folder.
      const folder = folderOf(last, prefix, delimiter)
      const from = folder === last && folder !== '' ? `${folder}\u{10ffff}` : last
      const rows = await query<Found>(
        `select name, updated_at, metadata ->> 'eTag' as "eTag", metadata ->> 'size' as size
         from storage.objects
         where bucket_id = $1 and starts_with(name, $2) and name collate "C" > $3
         order by name collate "C"
         limit $4`,
        [bucket, prefix, from, limit + 1],
      )
      for (const row of rows) {
        const folder = folderOf(row.name, prefix, delimiter)
        if (folder !== '' && folder === last) continue
        if (page.objects.length + page.folders.length === limit) {
          return { ...page, next: limit === 0 ? undefined : last }
        }
        if (folder === '') page.objects.push(row)
        else page.folders.push(folder)
        last = folder === '' ? row.name : folder
      }
      if (rows.length <= limit) return page
    }
  })
}

/** Returns the key up to the delimiter after the prefix; empty if the key is not in a folder. */
function folderOf(key: string, prefix: string, delimiter: string): string {
  if (delimiter === '' || !key.startsWith(prefix)) return ''
  const at = key.indexOf(delimiter, prefix.length)
  return at === -1 ? '' : key.slice(0, at + delimiter.length)
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return pageMax
  if (!/^\d{1,9}$/.test(text)) throw new S3Error(400, 'InvalidArgument', 'max-keys must be a number.')
  return Math.min(Number(text), pageMax)
}
