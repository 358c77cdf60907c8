import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { inParallel } from '../../../worker/shared/in_parallel.ts'
import { server } from './database.ts'
import { StorageError } from './errors.ts'
import type { Objects } from './types.ts'

const bucket = 'template-artifacts'
/** The ends of the names of the files of an object. */
const suffixes = { bytes: '._S3rver_object', metadata: '._S3rver_metadata.json' }
const objectsAtOnce = 4

/**
 * Brings the template files of homes of earlier releases into Storage. Those releases kept them in the local S3 server, in
 * `<home>/objects/template-artifacts`. Objects that Storage has already stay as they are. The old folder is removed after
 * all objects are stored, so a start that was killed continues here. Returns the number of objects that it stored.
 */
export async function importTemplates(
  home: string,
  objects: Pick<Objects, 'put' | 'findNames'>,
  say: (line: string) => void,
): Promise<number> {
  const old = join(home, 'objects', bucket)
  const done = `${old}.imported`
  // A start that was killed after its last object.
  await rm(done, { recursive: true, force: true })
  if (!existsSync(old)) return 0
  const keys = await listKeys(old)
  const known = await objects.findNames(server, bucket, keys)
  const missing = keys.filter((key) => !known.has(key))
  const refused = `${old}.refused`
  await inParallel(missing, objectsAtOnce, undefined, async (key) => {
    const path = join(old, key)
    const { contentType, cacheControl } = readMetadata(path + suffixes.metadata)
    try {
      await objects.put(server, bucket, key, createReadStream(path + suffixes.bytes), {
        contentType,
        cacheControl,
        upsert: false,
      })
    } catch (error) {
      if (!(error instanceof StorageError) || error.statusCode >= 500) throw error
      const kept = join(refused, key)
      await mkdir(dirname(kept), { recursive: true })
      await rename(path + suffixes.bytes, kept)
      say(`Storage refuses ${key}: ${error.message}. The file is now ${kept}.`)
    }
  })
  // One step, because an object that is deleted from Storage later must not be imported again.
  await rename(old, done)
  await rm(done, { recursive: true })
  if (missing.length > 0) say(`Storage has now the ${missing.length} template files of the earlier release.`)
  return missing.length
}

async function listKeys(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffixes.bytes))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).slice(0, -suffixes.bytes.length))
    .toSorted()
}

function readMetadata(path: string): { contentType: string; cacheControl: string | undefined } {
  let headers: Record<string, string> = {}
  try {
    headers = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // A write that was killed: the bytes decide, because workers verify their hash.
  }
  return { contentType: headers['content-type'] ?? 'application/octet-stream', cacheControl: headers['cache-control'] }
}
