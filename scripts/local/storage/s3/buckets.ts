import { asCaller, type Caller } from '../database.ts'
import { StorageError } from '../errors.ts'
import { type Answer, xmlAnswer } from './answer.ts'
import type { S3Context, S3Request } from './s3_request.ts'

/** Throws unless the bucket exists and the caller may see it. */
export async function requireBucket({ pool }: S3Context, caller: Caller, bucket: string): Promise<void> {
  const rows = await asCaller(pool, caller, 'storage.s3.bucket.get', ({ query }) =>
    query('select from storage.buckets where id = $1', [bucket]),
  )
  if (rows.length === 0) throw new StorageError(404, 'NoSuchBucket', 'Bucket not found')
}

export async function headBucket(context: S3Context, { caller, target }: S3Request): Promise<Answer> {
  await requireBucket(context, caller, target.bucket)
  return { status: 200, headers: { 'x-amz-bucket-region': context.region } }
}

export async function getBucketLocation(context: S3Context, { caller, target }: S3Request): Promise<Answer> {
  await requireBucket(context, caller, target.bucket)
  return xmlAnswer('LocationConstraint', context.region)
}

export async function listBuckets({ pool }: S3Context, { caller }: S3Request): Promise<Answer> {
  const rows = await asCaller(pool, caller, 'storage.s3.bucket.list', ({ query }) =>
    query<{ name: string; created_at: Date | null }>('select name, created_at from storage.buckets order by name'),
  )
  return xmlAnswer('ListAllMyBucketsResult', {
    Buckets: {
      Bucket: rows.map(({ name, created_at }) => ({ Name: name, CreationDate: created_at?.toISOString() })),
    },
  })
}
