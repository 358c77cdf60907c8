import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { createObjects, type Objects, type Range } from './objects.ts'

let database: TestDatabase
let pool: pg.Pool
let objects: Objects
const folder = mkdtempSync(join(tmpdir(), 'plinth-storage-'))
const service = { role: 'service_role', claims: {} } as const

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.url('supabase_storage_admin'), max: 5 })
  const admin = await database.connect()
  await admin.query("insert into storage.buckets (id, name) values ('files', 'files')")
  objects = createObjects({ pool, folder })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true })
})

const put = (name: string, body: string, upsert = false) =>
  objects.put(service, 'files', name, Readable.from([Buffer.from(body)]), { contentType: 'text/plain', upsert })

const read = async (name: string, range?: Range) => text(await (await objects.open(service, 'files', name)).read(range))
const at = (name: string) => ({ bucket: 'files', name })

test('keeps a key and the keys below it, long segments, replacements, moves and copies', async () => {
  const long = `${'x'.repeat(450)}/c`
  await put('a', 'one')
  await put('a/b', 'two')
  await put(long, 'long')
  expect(await read('a')).toBe('one')
  expect(await read('a', { first: 1, last: 1 })).toBe('n')
  expect(await read(long)).toBe('long')
  await put('a', 'three', true)
  await expect(put('a', 'four')).rejects.toMatchObject({ code: 'KeyAlreadyExists' })
  await objects.move(service, at('a'), at('d/e'))
  await objects.copy(service, at('a/b'), at('d/f'), { upsert: false })
  expect([await read('d/e'), await read('d/f'), await read('a/b')]).toEqual(['three', 'two', 'two'])
  await expect(read('a')).rejects.toMatchObject({ code: 'NoSuchKey' })
  expect((await objects.search(service, 'files', { prefix: 'd' })).map(({ name }) => name)).toEqual(['e', 'f'])
  const page = await objects.list(service, 'files', { prefix: '', withFolders: true, limit: 10, after: 'a/' })
  expect(page.map(({ name }) => name)).toEqual(['d/', long.replace('c', '')])
  expect((await objects.remove(service, 'files', ['d/e', 'missing'])).map(({ name }) => name)).toEqual(['d/e'])
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('/#'))
  expect(files).toHaveLength(3)
})
