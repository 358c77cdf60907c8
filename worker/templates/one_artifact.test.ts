import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { templateBucket } from '../../scripts/local/services.ts'
import { findBundle, planVersion, publish } from '../../scripts/templates/publish.ts'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import {
  type FaultyStore,
  spacesConfig,
  startFaultyStore,
  startTestStore,
  type TestStore,
} from '../../scripts/testing/store.ts'
import { createDb } from '../shared/db.ts'
import { createSpaces, type Store } from '../shared/object_store.ts'
import { createCache } from './cache.ts'
import * as manifest from './manifest.ts'
import { createTemplates, type Templates } from './resolver.ts'

// A job that needs one of the seven texts of template drama, on a real Postgres and a real S3 server behind a proxy. Every
// call of hash is counted.
vi.mock('./manifest.ts', async (original) => {
  const real = await original<typeof manifest>()
  return { ...real, hash: vi.fn(real.hash) }
})

let database: TestDatabase
let operator: pg.Client
let store: TestStore
let faultyStore: FaultyStore
let through: Store
let pool: pg.Pool
let home: string
let lines: Record<string, unknown>[]
const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })

beforeAll(async () => {
  database = await createDatabase()
  operator = await database.connect()
  store = await startTestStore()
  faultyStore = await startFaultyStore(store.port)
  through = createSpaces(spacesConfig(faultyStore.port, templateBucket))
  pool = database.openPool()
  await publishDrama('1.0.0', manifest.bundlesFolder)
})
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'plinth-artifact-'))
  lines = []
})
afterEach(() => {
  faultyStore.heal()
  rmSync(home, { recursive: true, force: true })
})
afterAll(async () => {
  through.close()
  faultyStore.stop()
  await store.stop()
  await database.drop()
})

async function publishDrama(version: string, root: string): Promise<void> {
  const client = await database.connect()
  const db = createDb(client as unknown as pg.Pool)
  await publish({ db, store: store.templates }, await planVersion(await findBundle('drama', root), version), {
    setDefault: true,
  })
  await client.end()
}

const make = (isRemote: boolean): Templates =>
  createTemplates({
    isRemote,
    db: createDb(pool),
    store: through,
    cache: createCache(join(home, 'cache'), { ttlMs: 86_400_000 }),
    logger,
  })
const text = (kind: string) => readFileSync(join(manifest.bundlesFolder, `drama/v1.0.0/${kind}.en.md`), 'utf8')
const one = { template: 'drama', locale: 'en', artifact: 'outline_prompt' } as const
const cached = () => readdirSync(join(home, 'cache/drama/1.0.0')).sort()

/** The number of texts that were hashed, and of objects that were downloaded. */
async function count(work: () => Promise<unknown>): Promise<{ hashes: number; downloads: number }> {
  vi.mocked(manifest.hash).mockClear()
  const before = faultyStore.requests('GET')
  await work()
  return { hashes: vi.mocked(manifest.hash).mock.calls.length, downloads: faultyStore.requests('GET') - before }
}

test('reads and hashes one text of seven from the bundle', async () => {
  const templates = make(false)
  expect(await count(() => templates.resolve({ template: 'drama', locale: 'en' }))).toEqual({ hashes: 7, downloads: 0 })
  expect(await count(() => templates.resolve(one))).toEqual({ hashes: 1, downloads: 0 })
  expect(await templates.resolve(one)).toMatchObject({
    artifacts: { outline_prompt: { text: text('outline_prompt') } },
    prompts: {},
    version: '1.0.0',
    source: 'local',
  })
})

test('downloads one object of seven, and reads one cache entry afterwards', async () => {
  const templates = make(true)
  // Each download is hashed when it arrives and when it is written to the cache.
  expect(await count(() => templates.resolve(one))).toEqual({ hashes: 2, downloads: 1 })
  expect(cached()).toEqual(['outline_prompt_en'])
  expect(await count(() => templates.resolve(one))).toEqual({ hashes: 1, downloads: 0 })
  const all = await count(() => templates.resolve({ template: 'drama', locale: 'en' }))
  expect(all).toEqual({ hashes: 1 + 6 * 2, downloads: 6 })
  expect(await count(() => templates.resolve({ template: 'drama', locale: 'en' }))).toEqual({ hashes: 7, downloads: 0 })
})

test('a cached text that was changed is downloaded again', async () => {
  const templates = make(true)
  await templates.resolve(one)
  const path = join(home, 'cache/drama/1.0.0/outline_prompt_en')
  writeFileSync(path, `${readFileSync(path, 'utf8')} And more.`)
  expect(await templates.resolve(one)).toMatchObject({
    source: 'remote',
    artifacts: { outline_prompt: { text: text('outline_prompt'), source: 'remote' } },
  })
  expect(lines.map(({ msg }) => msg)).toContain('Cached artifact was dropped')
})

test('an object that was changed in the store gives way to the bundled file of the same version', async () => {
  faultyStore.fail('corrupt', { method: 'GET', key: 'outline_prompt' })
  expect(await make(true).resolve(one)).toMatchObject({
    version: '1.0.0',
    source: 'filesystem',
    artifacts: { outline_prompt: { text: text('outline_prompt'), source: 'filesystem' } },
  })
  expect(lines.filter(({ msg }) => msg === 'Downloaded artifact did not match its hash')).toHaveLength(2)
})

test('a store that fails only for other texts does not matter', async () => {
  faultyStore.fail('error', { method: 'GET', key: 'script_prompt' })
  expect(await make(true).resolve(one)).toMatchObject({ version: '1.0.0', source: 'remote' })
  await expect(make(true).resolve({ ...one, artifact: 'script_prompt' })).resolves.toMatchObject({
    source: 'filesystem',
  })
})

test('a version without the artifact is resolved without it, and the log says so', async () => {
  for (const isRemote of [true, false]) {
    const { artifacts, version } = await make(isRemote).resolve({ ...one, artifact: 'sequel_prompt' })
    expect([artifacts, version]).toEqual([{}, '1.0.0'])
    expect(lines.at(-1)).toMatchObject({
      level: 40,
      reasons: [`${isRemote ? 'Postgres' : 'bundle'}: version 1.0.0 has no artifact sequel_prompt`],
    })
  }
})

test('a name that is not a kind is refused before it is part of any path', async () => {
  await expect(make(true).resolve({ ...one, artifact: '../outline_prompt' })).rejects.toThrow()
})

test('a published version that the store has lost falls back to the default of the bundle, and the job is recorded', async () => {
  cpSync(join(manifest.bundlesFolder, 'drama'), join(home, 'authored/drama'), { recursive: true })
  cpSync(join(home, 'authored/drama/v1.0.0'), join(home, 'authored/drama/v1.1.0'), { recursive: true })
  writeFileSync(join(home, 'authored/drama/v1.1.0/outline_prompt.en.md'), 'Newer: {{premise}}')
  const path = join(home, 'authored/drama/manifest.json')
  const content = JSON.parse(readFileSync(path, 'utf8'))
  content.versions['1.1.0'] = content.versions['1.0.0']
  writeFileSync(path, JSON.stringify(content))
  await publishDrama('1.1.0', join(home, 'authored'))
  await operator.query("insert into job_types (name) values ('prompting') on conflict do nothing")
  const { rows } = await operator.query(
    `select app.submit_run('{"key": "a", "type": "prompting"}', null, null)::integer as id`,
  )
  const jobId: number = rows[0].id
  const used = async () =>
    (
      await operator.query(
        'select v.semver from app.template_uses as u join template_versions as v on v.id = u.template_version_id where job_id = $1',
        [jobId],
      )
    ).rows

  expect(await make(true).resolve({ ...one, jobId })).toMatchObject({
    version: '1.1.0',
    artifacts: { outline_prompt: { text: 'Newer: {{premise}}' } },
  })
  expect(await used()).toEqual([{ semver: '1.1.0' }])
  rmSync(join(home, 'cache'), { recursive: true })
  faultyStore.fail('refuse')
  expect(await make(true).resolve({ ...one, jobId })).toMatchObject({
    version: '1.0.0',
    versionId: null,
    source: 'filesystem',
    artifacts: { outline_prompt: { text: text('outline_prompt') } },
  })
  expect(await used()).toEqual([{ semver: '1.0.0' }])
})
