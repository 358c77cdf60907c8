import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type pg from 'pg'
import { asCaller, type Caller, server, type Transaction, UnconfirmedError } from './database.ts'
import { accessDenied, keyExists, noSuchBucket, noSuchKey, StorageError, tooLarge } from './errors.ts'
import { createFiles, type Place, type Range } from './files.ts'
import { requireAllowedType, requireBucketName, requireHeaders, requireKey } from './names.ts'

export type { Caller } from './database.ts'
export { StorageError } from './errors.ts'
export type { Range } from './files.ts'

/** `storage.objects.metadata`, as Storage writes it. */
export type ObjectMetadata = {
  /** The MD5 of the bytes in hex, in quotes. */
  eTag: string
  size: number
  mimetype: string
  cacheControl: string
  lastModified: string
  contentLength: number
  httpStatusCode: number
  xRobotsTag?: string
}

/** A row of `storage.objects`. Rows that SQL inserted may have no metadata. */
export type ObjectRow = {
  id: string
  bucket_id: string
  name: string
  owner: string | null
  owner_id: string | null
  version: string | null
  metadata: Partial<ObjectMetadata> | null
  user_metadata: Record<string, unknown> | null
  created_at: Date
  updated_at: Date
  last_accessed_at: Date
}

export type PutOptions = {
  contentType: string
  /** The whole header of downloads, such as `max-age=3600`. */
  cacheControl?: string | undefined
  /** Whether an object that exists is replaced. */
  upsert: boolean
  /** How many bytes the client announced. */
  length?: number | undefined
  userMetadata?: Record<string, unknown> | undefined
  /** The MD5 of the bytes in base64, as in Content-MD5. */
  md5?: string | undefined
  xRobotsTag?: string | undefined
  /** The owner of the object, if not the caller: for a signed upload URL, the user who signed the URL. */
  ownerId?: string | undefined
  /** The name that policies read from `storage.operation()`. */
  operation?: string | undefined
}

export type Opened = {
  row: ObjectRow
  /** Throws `NoSuchKey` if the row has no file. */
  read(range?: Range): Promise<Readable>
}

export type CopyOptions = {
  upsert: boolean
  /** In place of the metadata of the source. */
  contentType?: string | undefined
  cacheControl?: string | undefined
  userMetadata?: Record<string, unknown> | undefined
}

/** A file, or a folder, which has no id. */
export type Entry = {
  name: string
  id: string | null
  updated_at: Date | null
  created_at: Date | null
  last_accessed_at: Date | null
  metadata: Partial<ObjectMetadata> | null
}

export type SearchOptions = {
  prefix: string
  search?: string | undefined
  limit?: number | undefined
  offset?: number | undefined
  sortBy?: { column?: string | undefined; order?: string | undefined } | undefined
}

export type ListOptions = {
  prefix: string
  /** Whether files below a folder count as one entry: the folder, whose name ends with "/". */
  withFolders: boolean
  limit: number
  /** The last entry of the page before. */
  after?: string | undefined
  /** The time of the last entry, if the list is sorted by a time. */
  afterTime?: string | undefined
  sortBy?: { column?: string | undefined; order?: string | undefined } | undefined
}

/** The place of an object. */
export type Name = { bucket: string; name: string }

export type Objects = {
  put(
    caller: Caller,
    bucket: string,
    name: string,
    body: Readable,
    options: PutOptions,
  ): Promise<{ id: string; version: string; etag: string; size: number }>
  /** Refuses a put that policies refuse, or whose object exists. */
  requirePut(caller: Caller, bucket: string, name: string, options: PutOptions): Promise<void>
  find(caller: Caller, bucket: string, name: string, operation?: string): Promise<ObjectRow>
  open(caller: Caller, bucket: string, name: string, operation?: string): Promise<Opened>
  /** Tells whether anybody may read the objects of a bucket; undefined: the bucket does not exist. */
  isPublic(bucket: string): Promise<boolean | undefined>
  /** Reads an object of a public bucket without asking policies. */
  openPublic(bucket: string, name: string): Promise<Opened>
  /** Reads any object without asking policies, as the maker of a signed URL has allowed. */
  openSigned(bucket: string, name: string): Promise<Opened>
  /** Returns the names of these that exist and that the caller may read. */
  findNames(caller: Caller, bucket: string, names: readonly string[]): Promise<Set<string>>
  /** Lists one folder; names are relative to it. */
  search(caller: Caller, bucket: string, options: SearchOptions): Promise<Entry[]>
  /** Lists whole keys, page by page: list-v2 and the S3 protocol. */
  list(caller: Caller, bucket: string, options: ListOptions): Promise<Entry[]>
  /** Removes one object; refuses if the caller may not delete it. */
  removeOne(caller: Caller, bucket: string, name: string): Promise<void>
  /** Removes the objects that exist and that the caller may delete; returns their rows. */
  remove(caller: Caller, bucket: string, names: readonly string[]): Promise<ObjectRow[]>
  copy(caller: Caller, from: Name, to: Name, options: CopyOptions): Promise<ObjectRow>
  move(caller: Caller, from: Name, to: Name): Promise<ObjectRow>
  /** Removes files that have no row: those of a process that was killed. Returns how many there were. */
  sweep(): Promise<number>
}

/** The largest object of a bucket without a limit, as in Supabase's free plan. */
export const defaultMaxBytes = 50 * 2 ** 20

const columns = `id, bucket_id, name, owner, owner_id, version, metadata, user_metadata, created_at, updated_at,
  last_accessed_at`

export function createObjects(options: { pool: pg.Pool; folder: string; maxBytes?: number }): Objects {
  const { pool } = options
  const maxBytes = options.maxBytes ?? defaultMaxBytes
  const files = createFiles(options.folder)
  /** Versions whose file exists, or soon will, and whose row is not stored yet. */
  const unstored = new Set<string>()

  async function lookUpBucket(id: string) {
    requireBucketName(id)
    const [bucket] = await asCaller(pool, server, 'storage.bucket.get', (transaction) =>
      transaction.query<{ public: boolean; file_size_limit: string | null; allowed_mime_types: string[] | null }>(
        'select public, file_size_limit, allowed_mime_types from storage.buckets where id = $1',
        [id],
      ),
    )
    return bucket
  }

  async function findBucket(id: string) {
    const bucket = await lookUpBucket(id)
    if (!bucket) throw noSuchBucket()
    return bucket
  }

  /** Runs `work` with a new version, and removes the file of this version if `work` fails. */
  async function withVersion<Result>(to: Name, work: (place: Place) => Promise<Result>): Promise<Result> {
    const place = { bucket: to.bucket, key: to.name, version: randomUUID() }
    unstored.add(place.version)
    try {
      return await work(place)
    } catch (error) {
      // A file without a row is removed at the next start; a row without its file would be a loss.
      if (!(error instanceof UnconfirmedError)) await files.remove([place])
      throw error
    } finally {
      unstored.delete(place.version)
    }
  }

  /** Removes the files that rows had. Whatever stays is removed at the next start. */
  async function discard(rows: readonly Pick<ObjectRow, 'bucket_id' | 'name' | 'version'>[]): Promise<void> {
    await files.remove(rows.flatMap((row) => placeOf(row) ?? [])).catch((error: unknown) => {
      console.error(`Storage could not remove files, and will try again at its next start: ${String(error)}`)
    })
  }

  /** Returns how many bytes the object may have. */
  async function checkLimits(bucket: string, name: string, put: PutOptions): Promise<number> {
    const found = await findBucket(bucket)
    requireKey(name)
    requireHeaders(put.contentType, put.cacheControl)
    const isPlaceholder = name.endsWith('.emptyFolderPlaceholder')
    if (!isPlaceholder) requireAllowedType(put.contentType, found.allowed_mime_types)
    const limit = Math.min(found.file_size_limit === null ? maxBytes : Number(found.file_size_limit), maxBytes)
    const allowedBytes = isPlaceholder ? 0 : limit
    if (put.length !== undefined && put.length > allowedBytes) throw tooLarge()
    return allowedBytes
  }

  /** Stores the row and rolls back, because only Postgres can evaluate the policies. */
  async function checkPolicies(caller: Caller, bucket: string, name: string, put: PutOptions): Promise<void> {
    const metadata = {
      mimetype: put.contentType,
      ...(put.length !== undefined && { contentLength: put.length }),
    }
    const values = { ...put, id: randomUUID(), version: '1', metadata, caller }
    const tryStore = (transaction: Transaction) => store(transaction, { bucket, name }, values)
    await asCaller(pool, caller, put.operation ?? operations.put, tryStore, false)
  }

  function opened(row: ObjectRow | undefined): Opened {
    if (!row) throw noSuchKey()
    return {
      row,
      read: async (range) => {
        const place = placeOf(row)
        const body = place && (await files.read(place, range))
        if (!body) throw noSuchKey()
        return body
      },
    }
  }

  async function find(caller: Caller, bucket: string, name: string, operation: string): Promise<ObjectRow> {
    requireKey(name)
    const [row] = await asCaller(pool, caller, operation, (transaction) =>
      transaction.query<ObjectRow>(`select ${columns} from storage.objects where bucket_id = $1 and name = $2`, [
        bucket,
        name,
      ]),
    )
    if (!row) throw noSuchKey()
    return row
  }

  return {
    async requirePut(caller, bucket, name, put) {
      await findBucket(bucket)
      requireKey(name)
      await checkPolicies(caller, bucket, name, put)
    },

    async put(caller, bucket, name, body, put) {
      const allowedBytes = await checkLimits(bucket, name, put)
      await checkPolicies(caller, bucket, name, put)
      return withVersion({ bucket, name }, async (place) => {
        const { size, md5 } = await files.write(place, body, allowedBytes)
        if (put.length !== undefined && size !== put.length)
          throw new StorageError(400, 'IncompleteBody', `The body has ${size} bytes, and ${put.length} were announced.`)
        if (put.md5 !== undefined && !md5.equals(Buffer.from(put.md5, 'base64')))
          throw new StorageError(400, 'InvalidChecksum', 'The MD5 of the body is not the one that was announced.')
        const etag = `"${md5.toString('hex')}"`
        const metadata: ObjectMetadata = {
          eTag: etag,
          size,
          mimetype: put.contentType,
          cacheControl: put.cacheControl ?? 'no-cache',
          lastModified: new Date().toISOString(),
          contentLength: size,
          httpStatusCode: 200,
          ...(put.xRobotsTag !== undefined && { xRobotsTag: put.xRobotsTag }),
        }
        const { version } = place
        const stored = await asCaller(pool, caller, put.operation ?? operations.put, async (transaction) => {
          const [old] = await lockForChange(transaction, caller, [{ bucket, name }])
          const id = await store(transaction, { bucket, name }, { ...put, id: randomUUID(), version, metadata, caller })
          return { id, old }
        })
        if (stored.old) await discard([stored.old])
        return { id: stored.id, version, etag, size }
      })
    },

    find: (caller, bucket, name, operation = operations.info) => find(caller, bucket, name, operation),

    async open(caller, bucket, name, operation = operations.get) {
      return opened(await find(caller, bucket, name, operation))
    },

    isPublic: async (bucket) => (await lookUpBucket(bucket))?.public,

    openSigned: async (bucket, name) => opened(await find(server, bucket, name, operations.getSigned)),

    async openPublic(bucket, name) {
      const found = await findBucket(bucket)
      if (!found.public) throw noSuchBucket()
      return opened(await find(server, bucket, name, operations.getPublic))
    },

    async findNames(caller, bucket, names) {
      requireBucketName(bucket)
      const rows = await asCaller(pool, caller, operations.signMany, (transaction) =>
        transaction.query<{ name: string }>(
          'select name from storage.objects where bucket_id = $1 and name = any ($2)',
          [bucket, names],
        ),
      )
      return new Set(rows.map(({ name }) => name))
    },

    async search(caller, bucket, { prefix, search = '', limit = 100, offset = 0, sortBy }) {
      requireBucketName(bucket)
      const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
      return asCaller(pool, caller, operations.search, (transaction) =>
        transaction.query<Entry>('select * from storage.search($1, $2, $3, 1, $4, $5, $6, $7)', [
          folder,
          bucket,
          limit,
          offset,
          search,
          sortBy?.column ?? 'name',
          sortBy?.order ?? 'asc',
        ]),
      )
    },

    async list(caller, bucket, list) {
      requireBucketName(bucket)
      return asCaller(pool, caller, operations.list, (transaction) =>
        list.withFolders ? listFolder(transaction, bucket, list) : listKeys(transaction, bucket, list),
      )
    },

    async removeOne(caller, bucket, name) {
      requireBucketName(bucket)
      requireKey(name)
      const row = await asCaller(pool, caller, operations.removeOne, async (transaction) => {
        await transaction.become(server)
        const [found] = await transaction.query<Pick<ObjectRow, 'bucket_id' | 'name' | 'version'>>(
          'select bucket_id, name, version from storage.objects where bucket_id = $1 and name = $2 for update',
          [bucket, name],
        )
        if (!found) throw noSuchKey()
        await transaction.become(caller)
        const deleted = await transaction.query(
          'delete from storage.objects where bucket_id = $1 and name = $2 returning id',
          [bucket, name],
        )
        if (deleted.length === 0) throw accessDenied('Access denied')
        return found
      })
      await discard([row])
    },

    async remove(caller, bucket, names) {
      requireBucketName(bucket)
      const rows = await asCaller(pool, caller, operations.remove, async (transaction) => {
        // In the order of names, so that two removals never wait for each other.
        await transaction.become(server)
        await transaction.query(
          'select from storage.objects where bucket_id = $1 and name = any ($2) order by name for update',
          [bucket, names],
        )
        await transaction.become(caller)
        return transaction.query<ObjectRow>(
          `delete from storage.objects where bucket_id = $1 and name = any ($2) returning ${columns}`,
          [bucket, names],
        )
      })
      await discard(rows)
      return rows
    },

    async copy(caller, from, to, copy) {
      const source = await find(caller, from.bucket, from.name, operations.copy)
      const target = await findBucket(to.bucket)
      requireKey(to.name)
      const metadata = {
        ...source.metadata,
        ...(copy.contentType !== undefined && { mimetype: copy.contentType }),
        ...(copy.cacheControl !== undefined && { cacheControl: copy.cacheControl }),
        lastModified: new Date().toISOString(),
      }
      requireHeaders(metadata.mimetype, metadata.cacheControl)
      requireFits(source, metadata.mimetype, target, maxBytes)
      const userMetadata = copy.userMetadata ?? source.user_metadata ?? undefined
      return withVersion(to, async (place) => {
        const sourcePlace = placeOf(source)
        if (!sourcePlace) throw noSuchKey()
        await copyFile(sourcePlace, place)
        const { version } = place
        const { old, row } = await asCaller(pool, caller, operations.copy, async (transaction) => {
          const [old] = await lockForChange(transaction, caller, [to])
          const id = await store(transaction, to, {
            upsert: copy.upsert,
            id: randomUUID(),
            version,
            metadata,
            userMetadata,
            caller,
          })
          await transaction.become(server)
          const [row] = await transaction.query<ObjectRow>(`select ${columns} from storage.objects where id = $1`, [id])
          return { old, row }
        })
        if (old) await discard([old])
        return row as ObjectRow
      })
    },

    async move(caller, from, to) {
      requireKey(to.name)
      requireBucketName(from.bucket)
      const source = await find(caller, from.bucket, from.name, operations.move)
      if (from.bucket === to.bucket && from.name === to.name) {
        await asCaller(
          pool,
          caller,
          operations.move,
          (transaction) => relocate(transaction, caller, source, to, source.version ?? '1'),
          false,
        )
        return source
      }
      const target = await findBucket(to.bucket)
      requireFits(source, source.metadata?.mimetype, target, maxBytes)
      return withVersion(to, async (place) => {
        const sourcePlace = placeOf(source)
        if (!sourcePlace) throw noSuchKey()
        await copyFile(sourcePlace, place)
        const row = await asCaller(pool, caller, operations.move, async (transaction) => {
          const [current] = await lockForChange(transaction, caller, [from, to])
          // Another request replaced, moved or deleted the object after its file was copied.
          if (current?.version !== source.version || current?.name !== from.name) throw noSuchKey()
          return relocate(transaction, caller, source, to, place.version)
        })
        await discard([source])
        return row
      })
    },

    async sweep() {
      let removed = 0
      for await (const found of files.list()) {
        const places = found.filter(({ version }) => !unstored.has(version))
        const orphans = await asCaller(pool, server, 'storage.sweep', (transaction) =>
          transaction.query<{ position: string }>(
            `select files.position
             from unnest($1::text[], $2::text[], $3::text[]) with ordinality as files (bucket, key, version, position)
             where not exists (
               select from storage.objects
               where bucket_id = files.bucket and name = files.key and objects.version = files.version
             )`,
            [places.map(({ bucket }) => bucket), places.map(({ key }) => key), places.map(({ version }) => version)],
          ),
        )
        await files.remove(orphans.flatMap(({ position }) => places[Number(position) - 1] ?? []))
        removed += orphans.length
      }
      return removed
    },
  }

  async function copyFile(from: Place, to: Place): Promise<void> {
    try {
      await files.copy(from, to)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw noSuchKey()
      throw error
    }
  }
}

/** The names of operations that `storage.operation()` returns to policies, as in Storage. */
export const operations = {
  put: 'storage.object.upload',
  update: 'storage.object.upload_update',
  putSigned: 'storage.object.upload_signed',
  signUpload: 'storage.object.sign_upload_url',
  sign: 'storage.object.sign',
  get: 'storage.object.get_authenticated',
  getPublic: 'storage.object.get_public',
  getSigned: 'storage.object.get_signed',
  info: 'object.get_authenticated_info',
  head: 'object.head_authenticated_info',
  signMany: 'storage.object.sign_many',
  search: 'storage.object.list',
  list: 'storage.object.list_v2',
  removeOne: 'storage.object.delete',
  remove: 'storage.object.delete_many',
  copy: 'storage.object.copy',
  move: 'storage.object.move',
}

function placeOf(row: Pick<ObjectRow, 'bucket_id' | 'name' | 'version'>): Place | undefined {
  return row.version === null ? undefined : { bucket: row.bucket_id, key: row.name, version: row.version }
}

/** Refuses an object whose size or type the other bucket does not allow. */
function requireFits(
  row: ObjectRow,
  mimetype: string | undefined,
  bucket: { file_size_limit: string | null; allowed_mime_types: string[] | null },
  maxBytes: number,
): void {
  const limit = bucket.file_size_limit === null ? maxBytes : Number(bucket.file_size_limit)
  if ((row.metadata?.size ?? 0) > limit) throw tooLarge()
  requireAllowedType(mimetype ?? '', bucket.allowed_mime_types)
}

async function listFolder(transaction: Transaction, bucket: string, list: ListOptions): Promise<Entry[]> {
  const entries = await transaction.query<Entry>(
    `select name || case when id is null then '/' else '' end as name, id, updated_at, created_at, last_accessed_at, metadata
     from storage.search_v2($1, $2, $3, 1, $4, $5, $6, $7)`,
    [
      list.prefix,
      bucket,
      list.limit,
      list.after ?? '',
      list.sortBy?.order ?? 'asc',
      list.sortBy?.column ?? 'name',
      list.afterTime ?? '',
    ],
  )
  return entries
}

async function listKeys(transaction: Transaction, bucket: string, list: ListOptions): Promise<Entry[]> {
  const order = list.sortBy?.order === 'desc' ? 'desc' : 'asc'
  const is = order === 'desc' ? '<' : '>'
  const { column = 'name' } = list.sortBy ?? {}
  const time = column === 'created_at' || column === 'updated_at' ? `date_trunc('milliseconds', ${column})` : undefined
  const last = list.prefix.slice(-1)
  return transaction.query<Entry>(
    `select name, id, updated_at, created_at, last_accessed_at, metadata
     from storage.objects
     where bucket_id = $1
       and name collate "C" >= $2
       and ($2 = '' or name collate "C" < $3)
       and ($4 = '' or ${
         time
           ? `(${time}, name collate "C") ${is} (coalesce(nullif($5, '')::timestamptz, 'epoch'), $4)`
           : `(name collate "C" ${is} $4 and $5 = $5)`
       })
     order by ${time ? `${time} ${order},` : ''} name collate "C" ${order}
     limit $6`,
    [
      bucket,
      list.prefix,
      // The first text after all that begin with the prefix.
      last && list.prefix.slice(0, -1) + String.fromCodePoint(last.charCodeAt(0) + 1),
      list.after ?? '',
      list.afterTime ?? '',
      list.limit,
    ],
  )
}

/** Locks keys, so that one change of a key follows another, and their rows; returns the rows in the order of the keys. */
async function lockForChange(transaction: Transaction, caller: Caller, names: readonly Name[]) {
  await transaction.become(server)
  const keys = names.map(({ bucket, name }) => `${bucket}/${name}`).toSorted()
  for (const key of keys) await transaction.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [key])
  const rows: (Pick<ObjectRow, 'bucket_id' | 'name' | 'version'> | undefined)[] = []
  for (const { bucket, name } of names) {
    const [row] = await transaction.query<Pick<ObjectRow, 'bucket_id' | 'name' | 'version'>>(
      'select bucket_id, name, version from storage.objects where bucket_id = $1 and name = $2 for update',
      [bucket, name],
    )
    rows.push(row)
  }
  await transaction.become(caller)
  return rows
}

/** Stores a row as the caller: policies for insert decide, and those for select and update if the row may exist. */
async function store(
  transaction: Transaction,
  { bucket, name }: Name,
  values: {
    id: string
    version: string
    metadata: object
    userMetadata?: Record<string, unknown> | undefined
    upsert: boolean
    caller: Caller
    ownerId?: string | undefined
  },
): Promise<string> {
  const ownerId = values.ownerId ?? values.caller.claims.sub ?? null
  const row = [
    values.id,
    bucket,
    name,
    ownerId && isUuid(ownerId) ? ownerId : null,
    ownerId,
    values.version,
    values.metadata,
    values.userMetadata ?? {},
  ]
  const insert = `
    insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`
  if (!values.upsert) {
    // Without returning, which would ask the policies for select.
    await transaction.query(insert, row).catch((error: unknown) => {
      throw (error as { code?: string }).code === '23505' ? keyExists() : error
    })
    return values.id
  }
  const [stored] = await transaction.query<{ id: string }>(
    `${insert}
     on conflict (bucket_id, name) do update set
       owner = excluded.owner,
       owner_id = excluded.owner_id,
       version = excluded.version,
       metadata = excluded.metadata,
       user_metadata = excluded.user_metadata
     returning id`,
    row,
  )
  if (!stored) throw accessDenied('new row violates row-level security policy')
  return stored.id
}

/** Gives a row another name as the caller: policies for select and update decide. */
async function relocate(
  transaction: Transaction,
  caller: Caller,
  source: ObjectRow,
  to: Name,
  version: string,
): Promise<ObjectRow> {
  const ownerId = caller.claims.sub ?? null
  const rows = await transaction
    .query<ObjectRow>(
      `update storage.objects
       set bucket_id = $1, name = $2, version = $3,
         owner = coalesce($4, owner), owner_id = coalesce($5, owner_id),
         metadata = metadata || jsonb_build_object('lastModified', $6::text)
       where id = $7
       returning ${columns}`,
      [
        to.bucket,
        to.name,
        version,
        ownerId && isUuid(ownerId) ? ownerId : null,
        ownerId,
        new Date().toISOString(),
        source.id,
      ],
    )
    .catch((error: unknown) => {
      throw (error as { code?: string }).code === '23505' ? keyExists() : error
    })
  const [row] = rows
  if (!row) throw noSuchKey()
  return row
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
