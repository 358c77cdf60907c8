import { lstatSync, readFileSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { hash } from './manifest.ts'

const header = z.object({ sha256: z.string(), fetched_at: z.iso.datetime() })

/** The result of a read. `stale`: the right bytes, but expired. `corrupt`: other bytes, or not readable. */
export type Cached =
  | { state: 'fresh' | 'stale'; bytes: Buffer; fetchedAt: Date }
  | { state: 'missing' }
  | { state: 'corrupt'; reason: string }

/** A file of a version. All names are plain, so that they can be parts of a path. */
export type CacheKey = { template: string; version: string; name: string; locale: string | null }

/** Caches downloaded artifacts on this machine's disk, for any number of processes. Its times are of this machine's clock. */
export type Cache = {
  /** Verifies the entry against its hash. Does not read an entry of more than `maxBytes`. */
  read(key: CacheKey, sha256: string, maxBytes: number): Promise<Cached>
  write(key: CacheKey, bytes: Buffer): Promise<void>
  drop(key: CacheKey): Promise<void>
  /** Deletes entries that were not written for a month, and parts that a crash left. Returns how many. */
  tidy(): Promise<number>
}

const monthMs = 30 * 86_400_000
const hourMs = 3_600_000
/** The largest first line. */
const headerMaxBytes = 1000

/**
 * An entry is one file, `{template}/{version}/{kind}_{locale}`: a line of JSON with hash and time, then the bytes. The
 * cache writes it under another name in the same folder and renames it, so readers never see a part. If several processes
 * write the same entry, the last one wins, with the same content.
 */
export function createCache(folder: string, options: { ttlMs: number }): Cache {
  const pathOf = ({ template, version, name, locale }: CacheKey) =>
    join(folder, template, version, `${name}_${locale ?? 'all'}`)

  /** Makes the entry's folder. Removes a file or a broken link in its place. */
  async function makeFolder({ template, version }: CacheKey): Promise<void> {
    const wanted = join(folder, template, version)
    try {
      await mkdir(wanted, { recursive: true })
    } catch (error) {
      if (!['ENOTDIR', 'EEXIST', 'ELOOP', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      for (const one of [join(folder, template), wanted]) {
        const isFolder = await stat(one).then(
          (found) => found.isDirectory(),
          () => false,
        )
        // Another file of the version may have removed it already, and made the folder.
        if (!isFolder) await unlink(one).catch(() => {})
      }
      await mkdir(wanted, { recursive: true })
    }
  }

  return {
    async read(key, sha256, maxBytes) {
      let content: Buffer
      try {
        // Reading a pipe would never end.
        const found = lstatSync(pathOf(key))
        if (!found.isFile()) return { state: 'corrupt', reason: 'it is not a regular file' }
        if (found.size > maxBytes + headerMaxBytes) return { state: 'corrupt', reason: `it has ${found.size} bytes` }
        // A synchronous read from the page cache takes 20 µs; four trips through the thread pool take ten times that.
        content = readFileSync(pathOf(key))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: 'missing' }
        return { state: 'corrupt', reason: `it cannot be read: ${(error as Error).message}` }
      }
      const end = content.indexOf(10)
      const parsed = readHeader(content.subarray(0, Math.max(end, 0)))
      if (!parsed) return { state: 'corrupt', reason: 'its first line is not a header' }
      const bytes = content.subarray(end + 1)
      const actual = hash(bytes)
      if (actual !== sha256) return { state: 'corrupt', reason: `its SHA-256 is ${actual} instead of ${sha256}` }
      const fetchedAt = new Date(parsed.fetched_at)
      const age = Date.now() - fetchedAt.getTime()
      return { state: age >= 0 && age < options.ttlMs ? 'fresh' : 'stale', bytes, fetchedAt }
    },

    async write(key, bytes) {
      const path = pathOf(key)
      const part = `${path}.${crypto.randomUUID()}.part`
      await makeFolder(key)
      try {
        const file = await open(part, 'wx', 0o600)
        try {
          const first = { sha256: hash(bytes), fetched_at: new Date().toISOString() }
          await file.writeFile(Buffer.concat([Buffer.from(`${JSON.stringify(first)}\n`), bytes]))
        } finally {
          await file.close()
        }
        await rename(part, path)
      } catch (error) {
        await rm(part, { force: true })
        throw error
      }
    },

    async drop(key) {
      await rm(pathOf(key), { force: true, recursive: true })
    },

    async tidy() {
      let removed = 0
      const entries = (await unlessGone(readdir(folder, { recursive: true, withFileTypes: true }))) ?? []
      for (const entry of entries.filter((one) => one.isFile())) {
        const path = join(entry.parentPath, entry.name)
        const found = await unlessGone(stat(path))
        const limit = entry.name.endsWith('.part') ? hourMs : Math.max(monthMs, 2 * options.ttlMs)
        if (found === undefined || Date.now() - found.mtimeMs < limit) continue
        await rm(path, { force: true })
        removed += 1
      }
      return removed
    },
  }
}

/** Undefined if the file is gone: another process may tidy at the same time. */
async function unlessGone<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function readHeader(line: Buffer): z.output<typeof header> | undefined {
  try {
    return header.safeParse(JSON.parse(line.toString('utf8'))).data
  } catch {
    return undefined
  }
}
