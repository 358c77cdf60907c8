import type { Readable } from 'node:stream'
import type { Caller } from './database.ts'
import type { Range } from './files.ts'

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

/** How an object is stored, and what its upload announced. */
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

/** An object that may be read. The file is opened by `read`. */
export type Opened = {
  row: ObjectRow
  /** Throws `NoSuchKey` if the row has no file. */
  read(range?: Range): Promise<Readable>
}

/** How a copy differs from its source. */
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

/** A page of one folder, as list v1 asks for it. */
export type SearchOptions = {
  prefix: string
  search?: string | undefined
  limit?: number | undefined
  offset?: number | undefined
  sortBy?: { column?: string | undefined; order?: string | undefined } | undefined
}

/** A page of keys, as list v2 and the S3 protocol ask for it. */
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

/** The objects of all buckets, as policies of `storage.objects` let a caller see and change them. */
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
