import type { Transaction } from './database.ts'
import type { Entry, ListOptions, SearchOptions } from './types.ts'

/** Lists one folder, as `storage.search` does; names are relative to the folder. */
export async function searchFolder(
  transaction: Transaction,
  bucket: string,
  { prefix, search = '', limit = 100, offset = 0, sortBy }: SearchOptions,
): Promise<Entry[]> {
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
  return transaction.query<Entry>('select * from storage.search($1, $2, $3, 1, $4, $5, $6, $7)', [
    folder,
    bucket,
    limit,
    offset,
    search,
    sortBy?.column ?? 'name',
    sortBy?.order ?? 'asc',
  ])
}

/** Lists the files and folders below a prefix, page by page; the name of a folder ends with "/". */
export async function listFolder(transaction: Transaction, bucket: string, list: ListOptions): Promise<Entry[]> {
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

/** Lists all files below a prefix, page by page. */
export async function listKeys(transaction: Transaction, bucket: string, list: ListOptions): Promise<Entry[]> {
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
