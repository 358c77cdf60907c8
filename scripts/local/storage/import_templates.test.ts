import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSpaces } from '../../../worker/shared/object_store.ts'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { spacesConfig } from '../../testing/store.ts'
import { freePort } from '../ports.ts'
import { startObjectStore, templateBucket } from '../services.ts'
import { server } from './database.ts'
import { importTemplates } from './import_templates.ts'
import { createObjects } from './objects.ts'
import type { Objects } from './types.ts'

let database: TestDatabase
let pool: pg.Pool
let objects: Objects
const home = mkdtempSync(join(tmpdir(), 'plinth-import-'))
const old = join(home, 'objects', templateBucket)

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.url('supabase_storage_admin'), max: 5 })
  objects = createObjects({ pool, folder: join(home, 'storage') })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
  rmSync(home, { recursive: true })
})

/** Stores objects as an earlier release did. */
async function storeAsBefore(contents: Record<string, string>): Promise<void> {
  const port = await freePort()
  const child = await startObjectStore(home, port, [templateBucket])
  const store = createSpaces(spacesConfig(port, templateBucket))
  for (const [key, content] of Object.entries(contents))
    await store.put({
      key,
      open: () => Readable.from([Buffer.from(content)]),
      length: Buffer.byteLength(content),
      contentType: 'text/markdown',
      cacheControl: 'private, max-age=31536000, immutable',
      isPrivate: true,
    })
  store.close()
  await child.stop('SIGTERM', 2000)
}

const names = async () =>
  (await pool.query('select name from storage.objects where bucket_id = $1 order by name', [templateBucket])).rows.map(
    ({ name }) => name,
  )
async function read(key: string): Promise<string> {
  return text(await (await objects.open(server, templateBucket, key)).read())
}

test('a home of an earlier release keeps its template files, however often its first start is killed', async () => {
  const contents = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((one) => [`demo/v1.0.0/${one}.md`, `text ${one}`]))
  const keys = Object.keys(contents)
  await storeAsBefore({ ...contents, 'demo/v1.0.0/large.md': 'x'.repeat(1_048_577) })
  // Storage has a newer state of one object.
  await objects.put(server, templateBucket, 'demo/v1.0.0/e.md', Readable.from([Buffer.from('newer')]), {
    contentType: 'text/markdown',
    upsert: false,
  })
  const said: string[] = []
  const say = (line: string) => void said.push(line)

  let left = 2
  const dying: Objects = {
    ...objects,
    put: async (...args) => {
      if (left-- <= 0) throw new Error('killed')
      return objects.put(...args)
    },
  }
  await expect(importTemplates(home, dying, say)).rejects.toThrow('killed')
  expect([existsSync(old), (await names()).length < keys.length]).toEqual([true, true])

  await importTemplates(home, objects, say)
  expect([existsSync(old), await names()]).toEqual([false, keys])
  for (const key of keys) expect(await read(key)).toBe(key.endsWith('e.md') ? 'newer' : contents[key])
  const { row } = await objects.open(server, templateBucket, 'demo/v1.0.0/a.md')
  expect(row).toMatchObject({
    owner: null,
    owner_id: null,
    metadata: { mimetype: 'text/markdown', cacheControl: 'private, max-age=31536000, immutable', size: 6 },
  })
  const kept = join(`${old}.refused`, 'demo/v1.0.0/large.md')
  expect([said.join('\n').includes(kept), readFileSync(kept).length]).toEqual([true, 1_048_577])

  said.length = 0
  expect([await importTemplates(home, objects, say), said]).toEqual([0, []])
})

test('an object that was deleted from Storage stays deleted, although the old folder was not removed', async () => {
  mkdirSync(`${old}.imported/gone/v1.0.0`, { recursive: true })
  writeFileSync(`${old}.imported/gone/v1.0.0/a.md._S3rver_object`, 'text')
  expect(await importTemplates(home, objects, () => {})).toBe(0)
  expect([await names(), existsSync(`${old}.imported`)]).toEqual([
    expect.not.arrayContaining(['gone/v1.0.0/a.md']),
    false,
  ])
})
