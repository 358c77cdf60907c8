import { type Caller, server, type Transaction } from './database.ts'
import { accessDenied, keyExists, noSuchKey } from './errors.ts'
import type { Name, ObjectRow } from './types.ts'

/** The columns of {@link ObjectRow}. */
export const columns = `id, bucket_id, name, owner, owner_id, version, metadata, user_metadata, created_at, updated_at,
  last_accessed_at`

/** Locks keys, so that one change of a key follows another, and their rows; returns the rows in the order of the keys. */
export async function lockForChange(transaction: Transaction, caller: Caller, names: readonly Name[]) {
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
export async function store(
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
export async function relocate(
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
