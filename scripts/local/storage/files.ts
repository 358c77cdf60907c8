import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, type FileHandle, link, mkdir, open, opendir, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { StorageError, tooLarge } from './errors.ts'

/** Where the bytes of one version of an object are. */
export type Place = { bucket: string; key: string; version: string }

/** The first and the last byte, both included. */
export type Range = { first: number; last: number }

/**
 * The bytes of objects, as files `<folder>/<bucket>/<key>/#<version>`. "#" cannot be in a key, so `a` and `a/b` can exist at
 * the same time. A file is never changed, so a copy is a second name of the same file.
 */
export type Files = {
  /** Writes all bytes to disk, or leaves no file. */
  write(place: Place, body: AsyncIterable<Buffer>, maxBytes: number): Promise<{ size: number; md5: Buffer }>
  copy(from: Place, to: Place): Promise<void>
  /** Reads a file that exists. */
  read(place: Place, range?: Range): Promise<Readable | undefined>
  /** Removes files, and folders that become empty. Files that do not exist are skipped. */
  remove(places: readonly Place[]): Promise<void>
  /** Yields the places of all files, in batches. */
  list(): AsyncGenerator<Place[]>
}

const removalsAtOnce = 16
const batchSize = 1000
/** File systems allow 255 bytes in a name. */
const nameBytes = 200

/** Keeps each version of an object as a file of its own, so that no read sees half of a change. */
export function createFiles(folder: string): Files {
  /** A segment that is too long for a file name becomes several folders; all but the last end with "#". */
  const pathOf = ({ bucket, key, version }: Place) =>
    join(folder, bucket, key.replaceAll(new RegExp(`[^/]{${nameBytes}}(?=[^/])`, 'g'), '$&#/'), `#${version}`)

  async function removeEmptyFolders(path: string): Promise<void> {
    for (let parent = dirname(path); parent.length > folder.length; parent = dirname(parent))
      try {
        await rmdir(parent)
      } catch (error) {
        if (isCode(error, 'ENOENT')) continue
        if (isCode(error, 'ENOTEMPTY', 'EEXIST')) return
        throw error
      }
  }

  async function removeOne(place: Place): Promise<void> {
    const path = pathOf(place)
    try {
      await unlink(path)
    } catch (error) {
      if (isCode(error, 'ENOENT')) return
      throw error
    }
    await removeEmptyFolders(path)
  }

  /** Removes what a failed write left. The next start removes a file that stays here. */
  async function removeLeftover(place: Place): Promise<void> {
    await removeOne(place).catch(() => {})
    await removeEmptyFolders(pathOf(place)).catch(() => {})
  }

  /** Makes the folder and calls `make`, again if a removal took the empty folder away in between. */
  async function inFolder<Result>(path: string, make: () => Promise<Result>): Promise<Result> {
    for (let tries = 0; ; tries++)
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 })
        return await make()
      } catch (error) {
        if (!isCode(error, 'ENOENT') || tries === 100) throw error
      }
  }

  /** Writes the folder's list of names to disk. */
  async function flushFolder(path: string): Promise<void> {
    const handle = await open(dirname(path), 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  return {
    async write(place, body, maxBytes) {
      const path = pathOf(place)
      try {
        const file = await onDisk(() => inFolder(path, () => open(path, 'wx', 0o600)))
        try {
          const written = await fill(file, body, maxBytes)
          await onDisk(() => file.sync())
          return written
        } finally {
          await file.close()
          await onDisk(() => flushFolder(path))
        }
      } catch (error) {
        await removeLeftover(place)
        throw error
      }
    },
    async copy(from, to) {
      const [source, path] = [pathOf(from), pathOf(to)]
      try {
        await onDisk(() =>
          inFolder(path, async () => {
            try {
              await link(source, path)
            } catch (error) {
              if (isCode(error, 'ENOENT', 'ENOSPC')) throw error
              // Not every file system knows a second name of a file, and those that do limit how many there are.
              await copyFile(source, path)
            }
          }),
        )
        await onDisk(() => flushFolder(path))
      } catch (error) {
        await removeLeftover(to)
        throw error
      }
    },
    async read(place, range) {
      try {
        const file = await open(pathOf(place), 'r')
        return createReadStream('', { fd: file, ...(range && { start: range.first, end: range.last }) })
      } catch (error) {
        if (isCode(error, 'ENOENT')) return undefined
        throw error
      }
    },
    async remove(places) {
      const left = places.values()
      const workers = Array.from({ length: removalsAtOnce }, async () => {
        for (const place of left) await removeOne(place)
      })
      await Promise.all(workers)
    },
    async *list() {
      let batch: Place[] = []
      for await (const place of walk(folder)) {
        batch.push(place)
        if (batch.length < batchSize) continue
        yield batch
        batch = []
      }
      if (batch.length > 0) yield batch
    },
  }
}

async function fill(
  file: FileHandle,
  body: AsyncIterable<Buffer>,
  maxBytes: number,
): Promise<{ size: number; md5: Buffer }> {
  const hash = createHash('md5')
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge()
    hash.update(chunk)
    for (let done = 0; done < chunk.length; ) done += (await onDisk(() => file.write(chunk, done))).bytesWritten
  }
  return { size, md5: hash.digest() }
}

/** Yields the place of each file below a folder. Skips files with other names, because another program made them. */
async function* walk(folder: string, path: string[] = []): AsyncGenerator<Place> {
  const entries = []
  try {
    for await (const entry of await opendir(join(folder, ...path))) entries.push(entry)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return
    throw error
  }
  for (const entry of entries) {
    if (entry.isDirectory()) yield* walk(folder, [...path, entry.name])
    else if (path.length > 1 && /^#[0-9a-f-]{36}$/.test(entry.name)) {
      const [bucket = '', ...segments] = path
      yield { bucket, key: segments.join('/').replaceAll('#/', ''), version: entry.name.slice(1) }
    }
  }
}

/** Turns an error about a full disk into a sentence. */
async function onDisk<Result>(step: () => Promise<Result>): Promise<Result> {
  try {
    return await step()
  } catch (cause) {
    if (!isCode(cause, 'ENOSPC', 'EDQUOT')) throw cause
    throw new StorageError(507, 'InsufficientStorage', 'The disk is full. Free some space, then upload again.', {
      cause,
    })
  }
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '')
}
