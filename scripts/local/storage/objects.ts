import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { asCaller, type Caller, server, type Transaction, UnconfirmedError } from './database.ts'
import { accessDenied, noSuchBucket, noSuchKey, StorageError, tooLarge } from './errors.ts'
import { createFiles, type Place } from './files.ts'
import { listFolder, listKeys, searchFolder } from './lists.ts'
import { requireAllowedType, requireBucketName, requireHeaders, requireKey } from './names.ts'
import { operations } from './operations.ts'
import { columns, lockForChange, relocate, store } from './rows.ts'
import type { Name, ObjectMetadata, ObjectRow, Objects, Opened, PutOptions } from './types.ts'

/** The largest object of a bucket without a limit, as in Supabase's free plan. */
export const defaultMaxBytes = 50 * 2 ** 20

/** Opens the objects of all buckets: their rows in Postgres, and their files in a folder. */
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

    async search(caller, bucket, search) {
      requireBucketName(bucket)
      return asCaller(pool, caller, operations.search, (transaction) => searchFolder(transaction, bucket, search))
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
