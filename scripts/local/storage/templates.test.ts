import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDb } from '../../../worker/shared/db.ts'
import type { Store } from '../../../worker/shared/object_store.ts'
import { createCache } from '../../../worker/templates/cache.ts'
import { hash } from '../../../worker/templates/manifest.ts'
import { createTemplates } from '../../../worker/templates/resolver.ts'
import {
  findBundle,
  planVersion,
  publish,
  readTemplatesConfig,
  requireRegion,
  requireTemplateStore,
} from '../../templates/publish.ts'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { startTestStorage, type TestStorage } from '../../testing/storage.ts'
import { templateBucket } from '../services.ts'

// Templates as in production: published and loaded by the S3 protocol of Storage, downloaded with supabase-js.
let database: TestDatabase
let operator: pg.Client
let storage: TestStorage
let store: Store
const home = mkdtempSync(join(tmpdir(), 'plinth-storage-'))
const path = 'drama/v1.0.0/outline_prompt.en.md'

beforeAll(async () => {
  database = await createDatabase()
  operator = await database.connect()
  storage = await startTestStorage(database)
  const config = readTemplatesConfig(storage.templatesEnv as NodeJS.ProcessEnv)
  store = requireTemplateStore(config)
  await requireRegion(store, config)
  const plan = await planVersion(await findBundle('drama'), '1.0.0')
  await publish({ db: createDb(operator as unknown as pg.Pool), store }, plan, { setDefault: true })
})
afterAll(async () => {
  store.close()
  await storage.stop()
  await database.drop()
  rmSync(home, { recursive: true })
})

const published = async (): Promise<{ path: string; sha256: string; type: string }[]> =>
  (
    await operator.query(
      `select storage_path as path, sha256, content_type as type from artifacts
       union all select storage_path, sha256, 'text/markdown' from prompts order by path`,
    )
  ).rows

const asUser = async () => (await storage.as(crypto.randomUUID())).from(templateBucket)

test('a published version has its rows in Storage, without an owner', async () => {
  const { rows } = await operator.query(
    'select name, owner, owner_id, metadata from storage.objects where bucket_id = $1 order by name',
    [templateBucket],
  )
  const files = await published()
  expect(files.length).toBeGreaterThan(3)
  expect(rows).toMatchObject(
    files.map(({ path: name, type: mimetype }) => ({
      name,
      owner: null,
      owner_id: null,
      metadata: { mimetype, cacheControl: 'private, max-age=31536000, immutable' },
    })),
  )
})

test('a signed-in user downloads each published file, with the hash that was published', async () => {
  const bucket = await asUser()
  for (const file of await published()) {
    const { data } = await bucket.download(file.path)
    expect([file.path, hash(Buffer.from((await data?.arrayBuffer()) ?? new ArrayBuffer()))]).toEqual([
      file.path,
      file.sha256,
    ])
  }
})

test('refuses downloads of unpublished files, and all downloads of anonymous clients', async () => {
  const user = await asUser()
  const plan = await planVersion(await findBundle('drama'), '1.0.0')
  const draft = JSON.parse(JSON.stringify(plan).replaceAll('v1.0.0', 'v1.1.0-draft'))
  const files = plan.files.map((file) => ({ ...file, path: file.path.replace('v1.0.0', 'v1.1.0-draft') }))
  await publish(
    { db: createDb(operator as unknown as pg.Pool), store },
    { ...draft, version: '1.1.0-draft', files },
    { setDefault: false, isDraft: true },
  )
  for (const one of [path.replace('v1.0.0', 'v1.1.0-draft'), 'drama/v1.0.0/missing.md'])
    expect([one, (await user.download(one)).data]).toEqual([one, null])
  expect((await storage.anon.from(templateBucket).download(path)).data).toBeNull()
  expect((await fetch(user.getPublicUrl(path).data.publicUrl)).ok).toBe(false)
  const { error } = await user.upload(path, 'changed', { upsert: true })
  expect(error?.message).toContain('row-level security')
  expect((await user.list('drama')).data?.map(({ name }) => name)).toEqual(['v1.0.0'])
})

test('refuses requests of the S3 protocol without its key', async () => {
  for (const one of [`${templateBucket}/${path}`, `${templateBucket}?list-type=2`, ''])
    for (const headers of [{}, { apikey: storage.anonKey }, { apikey: storage.serviceKey }]) {
      const response = await fetch(`${storage.url}/storage/v1/s3/${one}`, {
        headers: headers as Record<string, string>,
      })
      expect([one, response.status, (await response.text()).includes('AccessDenied')]).toEqual([one, 403, true])
    }
})

test('a worker loads the files from Storage, and deletes and restores them there', async () => {
  const pool = database.openPool()
  const templates = createTemplates({
    isRemote: true,
    db: createDb(pool),
    store,
    cache: createCache(join(home, 'cache'), { ttlMs: 86_400_000 }),
    logger: pino({}, { write: () => {} }),
    bundlesFolder: join(home, 'no-bundles'),
  })
  const resolved = await templates.resolve({ template: 'drama', locale: 'en' })
  expect(resolved).toMatchObject({ source: 'remote', version: '1.0.0' })
  expect((await Array.fromAsync(store.list('drama/v1.0.0/'))).flat().map(({ key }) => key)).toContain(path)
  await store.delete(path)
  await expect(store.get(path, 1000)).rejects.toMatchObject({ isMissing: true })
  const plan = await planVersion(await findBundle('drama'), '1.0.0')
  const again = await publish({ db: createDb(operator as unknown as pg.Pool), store }, plan, { setDefault: false })
  expect(again).toMatchObject({ is_new: false, repaired: 1 })
})
