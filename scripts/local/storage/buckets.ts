import type pg from 'pg'
import { asCaller, type Caller, server } from './database.ts'
import {
  accessDenied,
  invalidBucketName,
  invalidMimeType,
  invalidRequest,
  noSuchBucket,
  StorageError,
  tooLarge,
} from './errors.ts'
import { requireBucketName } from './names.ts'
import { defaultMaxBytes } from './objects.ts'
import type { Objects } from './types.ts'

/** A row of `storage.buckets`. */
export type Bucket = {
  id: string
  name: string
  owner: string | null
  public: boolean
  type: string
  file_size_limit: number | null
  allowed_mime_types: string[] | null
  created_at: Date
  updated_at: Date
}

/** The settings of a bucket that a request changes; undefined keeps a setting. */
export type BucketSettings = {
  public?: boolean | undefined
  /** Bytes, or a text such as "20MB", in which a megabyte is a million bytes. */
  fileSizeLimit?: number | string | null | undefined
  allowedMimeTypes?: string[] | null | undefined
}

export type BucketList = {
  limit?: number | undefined
  offset?: number | undefined
  search?: string | undefined
  sortColumn?: 'id' | 'name' | 'created_at' | 'updated_at' | undefined
  sortOrder?: 'asc' | 'desc' | undefined
}

/** The buckets, as policies of `storage.buckets` let a caller see and change them. */
export type Buckets = {
  create(caller: Caller, id: string, settings: BucketSettings): Promise<void>
  find(caller: Caller, id: string): Promise<Bucket>
  list(caller: Caller, options?: BucketList): Promise<Bucket[]>
  update(caller: Caller, id: string, settings: BucketSettings): Promise<void>
  /** Removes every object that the caller may delete. */
  empty(caller: Caller, id: string): Promise<void>
  /** Refuses a bucket that has objects, also those that the caller cannot see. */
  remove(caller: Caller, id: string): Promise<void>
}

const columns = `id, name, owner, public, type, file_size_limit::float8 as file_size_limit, allowed_mime_types,
  created_at, updated_at`
const emptiedAtOnce = 1000

/** Opens the buckets. `maxBytes` limits the file size limit of a bucket. */
export function createBuckets(options: { pool: pg.Pool; objects: Objects; maxBytes?: number }): Buckets {
  const { pool, objects, maxBytes = defaultMaxBytes } = options

  async function find(caller: Caller, id: string): Promise<Bucket> {
    requireBucketName(id)
    const [bucket] = await asCaller(pool, caller, 'storage.bucket.get', (transaction) =>
      transaction.query<Bucket>(`select ${columns} from storage.buckets where id = $1`, [id]),
    )
    if (!bucket) throw noSuchBucket()
    return bucket
  }

  return {
    find,

    async create(caller, id, settings) {
      if (id.trim() !== id) throw invalidBucketName()
      requireBucketName(id)
      const ownerId = caller.claims.sub ?? null
      await asCaller(pool, caller, 'storage.bucket.create', (transaction) =>
        transaction.query(
          `insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
           values ($1, $1, $2, $3, $4, $5, $6)`,
          [
            id,
            ownerId && /^[0-9a-f-]{36}$/i.test(ownerId) ? ownerId : null,
            ownerId,
            settings.public ?? false,
            readLimit(settings.fileSizeLimit, maxBytes) ?? null,
            readTypes(settings.allowedMimeTypes) ?? null,
          ],
        ),
      ).catch((error: unknown) => {
        if (!(error instanceof StorageError) || error.code !== 'ResourceAlreadyExists') throw error
        throw new StorageError(409, 'BucketAlreadyExists', error.message, { error: error.error })
      })
    },

    async list(caller, { limit, offset, search = '', sortColumn = 'name', sortOrder = 'asc' } = {}) {
      return asCaller(pool, caller, 'storage.bucket.list', (transaction) =>
        transaction.query<Bucket>(
          `select ${columns}
           from storage.buckets
           where strpos(lower(name), lower($1)) > 0
           order by ${sortColumn} ${sortOrder}
           limit $2
           offset $3`,
          [search, limit ?? null, offset ?? 0],
        ),
      )
    },

    async update(caller, id, settings) {
      requireBucketName(id)
      const changes = {
        public: settings.public,
        file_size_limit: readLimit(settings.fileSizeLimit, maxBytes),
        allowed_mime_types: readTypes(settings.allowedMimeTypes),
      }
      const given = Object.entries(changes).filter(([, value]) => value !== undefined)
      if (given.length === 0) throw invalidRequest('No content provided')
      const updated = await asCaller(pool, caller, 'storage.bucket.update', (transaction) =>
        transaction.query(
          `update storage.buckets
           set updated_at = now(), ${given.map(([column], index) => `${column} = $${index + 2}`).join(', ')}
           where id = $1
           returning id`,
          [id, ...given.map(([, value]) => value)],
        ),
      )
      if (updated.length === 0) throw noSuchBucket()
    },

    async empty(caller, id) {
      if (caller.role !== 'service_role') throw accessDenied('Access denied: Invalid role', 403)
      await find(caller, id)
      for (let after = ''; ; ) {
        const entries = await objects.list(caller, id, { prefix: '', withFolders: false, limit: emptiedAtOnce, after })
        const last = entries.at(-1)
        if (!last) return
        await objects.remove(
          caller,
          id,
          entries.map(({ name }) => name),
        )
        after = last.name
      }
    },

    async remove(caller, id) {
      requireBucketName(id)
      await asCaller(pool, caller, 'storage.bucket.delete', async (transaction) => {
        await transaction.become(server)
        const found = await transaction.query('select from storage.buckets where id = $1 for update', [id])
        if (found.length === 0) throw noSuchBucket()
        const some = await transaction.query('select from storage.objects where bucket_id = $1 limit 1', [id])
        if (some.length > 0)
          throw new StorageError(409, 'ResourceNotEmpty', 'The bucket you tried to delete is not empty')
        await transaction.become(caller)
        const deleted = await transaction.query('delete from storage.buckets where id = $1 returning id', [id])
        if (deleted.length === 0) throw noSuchBucket()
      })
    },
  }
}

function readLimit(limit: number | string | null | undefined, maxBytes: number): number | null | undefined {
  if (limit === null || limit === undefined) return limit
  const units: Record<string, number> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9 }
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/i.exec(String(limit)) ?? []
  const bytes = typeof limit === 'number' ? limit : Math.round(Number(digits) * (units[unit.toLowerCase()] ?? 0))
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw invalidRequest('Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B')
  if (bytes > maxBytes) throw tooLarge()
  return bytes
}

function readTypes(types: string[] | null | undefined): string[] | null | undefined {
  const given = types?.filter((type) => type !== '') ?? types
  for (const type of given ?? [])
    if (type.length > 1000 || !/^[a-z0-9.+-]+\/([a-z0-9.+-]+(;\s*charset=[a-z0-9-]+)?|\*)$/i.test(type))
      throw invalidMimeType(type)
  return given
}
