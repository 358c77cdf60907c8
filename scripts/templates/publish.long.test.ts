import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { JobHelpers } from 'graphile-worker'
import pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { createDb, type Db } from '../../worker/shared/db.ts'
import { createSpaces, type NewObject, type Store } from '../../worker/shared/object_store.ts'
import type { Pump } from '../../worker/steps/pump.ts'
import sweepTemplateUploads from '../../worker/tasks/sweep_template_uploads.ts'
import { hash } from '../../worker/templates/manifest.ts'
import { systemEnv } from '../local/process.ts'
import { templateBucket } from '../local/services.ts'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../testing/faulty_database.ts'
import {
  type FaultyStore,
  spacesConfig,
  startFaultyStore,
  startTestStore,
  type TestStore,
  testTemplatesEnv,
} from '../testing/store.ts'
import { findBundle, isPublished, planVersion, publish } from './publish.ts'

// The real commands, as operators run them, on a real Postgres and a real S3 server. Some are killed.
let database: TestDatabase
let operator: pg.Client
let faultyDatabase: FaultyDatabase
let store: TestStore
let faultyStore: FaultyStore
let through: Store
let home: string

const root = resolve(import.meta.dirname, '../..')

beforeAll(async () => {
  store = await startTestStore()
  faultyStore = await startFaultyStore(store.port)
  faultyDatabase = await startFaultyDatabase(inject('cluster').port)
  through = createSpaces(spacesConfig(faultyStore.port, templateBucket))
})
// Published versions cannot be deleted, so a test that has written anything leaves its database to no other test.
let isFresh = false
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'plinth-publish-'))
  if (isFresh) return
  database = await createDatabase()
  operator = await database.connect()
  await operator.query(`
    create table app.test_clock (ahead interval);
    insert into app.test_clock values ('0');
    create or replace function app.now() returns timestamptz language sql stable set search_path = ''
      as 'select pg_catalog.now() + ahead from app.test_clock';
  `)
})
afterEach(async () => {
  faultyStore.heal()
  faultyDatabase.heal()
  for (const page of await Array.fromAsync(store.templates.list('')))
    for (const { key } of page) await store.templates.delete(key)
  rmSync(home, { recursive: true, force: true })
  isFresh = await isUntouched()
  if (!isFresh) await database.drop()
})
afterAll(async () => {
  if (isFresh) await database.drop()
  through.close()
  faultyStore.stop()
  faultyDatabase.stop()
  await store.stop()
})

/** Whether the test has written nothing. A test may have closed the connection, or left a transaction open. */
async function isUntouched(): Promise<boolean> {
  const found = await operator
    .query(
      `select
         not exists (select from templates)
         and not exists (select from app.template_uploads)
         and not exists (select from auth.users)
         and not exists (select from app.test_clock where ahead <> '0')
         and pg_current_xact_id_if_assigned() is null
         as is_untouched`,
    )
    .catch(() => undefined)
  return found?.rows[0].is_untouched === true
}

const environment = (given: Record<string, string> = {}) => ({
  ...systemEnv(),
  PLINTH_HOME: home,
  DATABASE_URL: database.url(),
  ...testTemplatesEnv(faultyStore.port),
  TEMPLATES_STORE_TIMEOUT_SECONDS: '5',
  ...given,
})
async function command(script: string, args: string[], env: Record<string, string> = {}) {
  return promisify(execFile)(process.execPath, [join(root, 'scripts', script), ...args], {
    env: environment(env),
    cwd: root,
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  )
}
const upload = (...args: string[]) => command('upload_bundle.ts', args)
const rows = async (text: string, values: unknown[] = []) => (await operator.query(text, values)).rows
const keys = async () => (await Array.fromAsync(store.templates.list(''))).flat().map(({ key }) => key)
const published = async () =>
  await rows(
    'select semver, status, (select count(*)::integer from artifacts where template_version_id = v.id) as files from template_versions as v',
  )
const unnamed = { createdBy: undefined, setDefault: false }
const travel = (distance: string) => rows('update app.test_clock set ahead = ahead + $1::interval', [distance])

async function sweep(templateStore = store.templates): Promise<void> {
  const pool = new pg.Pool({ connectionString: database.url('worker') })
  const logger = pino({ level: 'silent' })
  const services = { db: createDb(pool), store: {} as Store, templateStore, logger, pump: {} as Pump }
  const helpers = { job: { id: '1', task_identifier: 'sweep' }, abortSignal: new AbortController().signal }
  try {
    await sweepTemplateUploads(services)({}, helpers as JobHelpers)
  } finally {
    await pool.end()
  }
}

test('upload-bundle publishes, is safe to repeat, and --dry-run changes nothing', async () => {
  const dry = await upload('--template', 'section7', '--version', '1.0.0', '--set-default', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stdout).toContain('section7/v1.0.0/section7_master.md')
  expect(dry.stdout).toContain('section7-ai-formatter@1.0.0 would be published.')
  expect([await keys(), await published(), await rows('select 1 from templates')]).toEqual([[], [], []])

  const first = await upload('--template', 'section7', '--version', '1.0.0', '--set-default')
  expect(first.stdout).toContain('section7-ai-formatter@1.0.0 is published: 9 files, stable.')
  expect(first.stderr).toContain('9/9')
  expect(await keys()).toHaveLength(9)
  expect(await keys()).toContain('section7/v1.0.0/section7_master.md')
  expect(await rows('select * from app.template_uploads')).toEqual([])
  expect(
    await rows(
      'select t.name, v.semver from templates as t join template_versions as v on v.id = t.default_version_id',
    ),
  ).toEqual([{ name: 'section7-ai-formatter', semver: '1.0.0' }])
  // Private: only the keys open it.
  expect(faultyStore.headers('PUT')['x-amz-acl']).toBeUndefined()

  const puts = faultyStore.requests('PUT')
  const again = await upload('--template', 'section7', '--version', '1.0.0', '--set-default')
  expect(again).toMatchObject({ code: 0, stderr: '' })
  expect(again.stdout).toContain('was already published with the same files')
  expect(faultyStore.requests('PUT')).toBe(puts)
  expect(await published()).toEqual([{ semver: '1.0.0', status: 'stable', files: 5 }])

  const listed = await command('templates_list.ts', [])
  expect(listed.stdout).toMatch(/section7-ai-formatter\s+1\.0\.0\s+stable\s+yes\s+9/)
  expect((await command('templates_list.ts', ['--template', 'section7'])).stdout).toBe(listed.stdout)

  // Objects that the store has lost, changed or let grow are restored.
  const path = 'section7/v1.0.0/section7_user.md'
  const before = await store.templates.get(path, 10_000)
  await overwrite(path, `${before} And more.`)
  await overwrite('section7/v1.0.0/section7_golden.md', 'x'.repeat(1_100_000))
  await store.templates.delete('section7/v1.0.0/section7_master.md')
  const repaired = await upload('--template', 'section7')
  expect(repaired.stdout).toContain('Restored 3 of its objects, which the store had lost or changed.')
  expect(await store.templates.get(path, 10_000)).toEqual(before)
  expect(await keys()).toHaveLength(9)
  faultyStore.fail('error', { method: 'GET', key: 'section7_user.md' })
  expect(await upload('--template', 'section7')).toMatchObject({ code: 1, stdout: '' })
})

test.each([
  [['--template', 'nope'], {}, 'Bundle "nope" not found. Use one of: agent, drama, section7.', 2],
  [['--template', 'drama', '--version', '7.0.0'], {}, 'Bundle "drama" has no version 7.0.0. Use one of: 1.0.0.', 2],
  [[], {}, 'The bundle is missing. Add --template <folder>.', 2],
  [['--tmplate', 'drama'], {}, 'Unknown option "--tmplate"', 2],
  [['--template', 'drama', '--draft', '--set-default'], {}, 'A draft cannot be the default version.', 2],
  [['--template', 'drama', '--created-by', 'bob'], {}, '--created-by must be the id of a user (a UUID).', 2],
  [['--template', 'drama', '--created-by', crypto.randomUUID()], {}, 'created_by is not the id of a user.', 1],
  [
    ['--template', 'drama', '--created-by', crypto.randomUUID(), '--dry-run'],
    {},
    'created_by is not the id of a user.',
    1,
  ],
  [['--template', 'drama', '--version', 'constructor'], {}, 'Bundle "drama" has no version constructor.', 2],
  [
    ['--template', 'drama'],
    { TEMPLATES_STORE_ENDPOINT: '' },
    'No store is configured. Set TEMPLATES_STORE_ENDPOINT',
    2,
  ],
  [
    ['--template', 'drama'],
    { TEMPLATES_STORE_REGION: 'ca-central-1' },
    'is in region us-east-1, not in ca-central-1. Nothing was published.',
    2,
  ],
  [['--template', 'drama'], { DATABASE_URL: 'postgres://postgres:x@127.0.0.1:1/x' }, 'The database does not answer', 1],
  [['--template', 'drama'], { TEMPLATES_STORE_ENDPOINT: 'http://127.0.0.1:1' }, 'Asking for the region failed', 1],
] as const)('upload-bundle %j with %j is refused', async (args, env, message, code) => {
  const outcome = await command('upload_bundle.ts', [...args], env)
  expect(outcome.stderr).toContain(message)
  expect([outcome.code, await keys(), await published()]).toEqual([code, [], []])
})

async function overwrite(key: string, text: string): Promise<void> {
  const bytes = Buffer.from(text)
  await store.templates.put({
    key,
    open: () => Readable.from(bytes, { objectMode: false }),
    length: bytes.length,
    contentType: 'text/markdown',
    cacheControl: 'private',
    isPrivate: true,
  })
}

/** Writes a bundle of one file. */
function author(text: string, version = '1.0.0'): string {
  mkdirSync(join(home, 'demo', `v${version}`), { recursive: true })
  writeFileSync(join(home, 'demo', `v${version}`, 'main.md'), text)
  const artifacts = [{ kind: 'main', locale: null, file: 'main.md', content_type: 'text/markdown' }]
  const manifest = { template: 'demo', default_version: version, versions: { [version]: { artifacts } } }
  writeFileSync(join(home, 'demo/manifest.json'), JSON.stringify(manifest))
  return version
}
async function publishDemo(
  text: string,
  options: { version?: string; setDefault?: boolean; isDraft?: boolean; createdBy?: string } = {},
) {
  const version = author(text, options.version)
  const client = await database.connect()
  const db = createDb(client as unknown as pg.Pool)
  try {
    const plan = await planVersion(await findBundle('demo', home), version)
    return await publish({ db, store: through }, plan, { setDefault: false, ...options })
  } finally {
    await client.end()
  }
}

describe('another content under the same version', () => {
  test('is refused once the version is published, before any object is written', async () => {
    await publishDemo('First.')
    await expect(publishDemo('Second.')).rejects.toMatchObject({ cause: { detail: 'template_version_taken' } })
    expect(await store.templates.get('demo/v1.0.0/main.md', 100)).toEqual(Buffer.from('First.'))
    expect(await rows('select * from app.template_uploads')).toEqual([])
  })

  test('replaces a draft until the version is stable', async () => {
    expect(await publishDemo('First.', { isDraft: true })).toMatchObject({ status: 'draft', is_new: true })
    await expect(publishDemo('Second.', { isDraft: true, setDefault: true })).rejects.toMatchObject({
      cause: { detail: 'template_version_not_stable' },
    })
    // The second publication was refused after its upload.
    await expect(publishDemo('Third.')).rejects.toMatchObject({ cause: { detail: 'template_upload_busy' } })
    await travel('61 seconds')
    expect(await publishDemo('Third.')).toMatchObject({ status: 'stable', is_new: true })
    expect(await rows('select sha256 from artifacts')).toEqual([{ sha256: hash(Buffer.from('Third.')) }])
    await expect(publishDemo('Fourth.', { isDraft: true })).rejects.toMatchObject({
      cause: { detail: 'template_version_taken' },
    })
  })
})

test.each([
  ['a content type with parameters', { content_type: 'text/markdown; charset=utf-8' }],
  ['a kind twice', { file: 'second.md' }],
  ['a file for two kinds', { kind: 'other' }],
  ['one language of two', { kind: 'other', file: 'second.md', locale: 'fr' }],
])('%s is refused by --dry-run, and by publishing before any object is written', async (_what, second) => {
  author('First.')
  writeFileSync(join(home, 'demo/v1.0.0/second.md'), 'Second.')
  const path = join(home, 'demo/manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  const [first] = manifest.versions['1.0.0'].artifacts
  const isOther = 'locale' in second
  manifest.versions['1.0.0'].artifacts = [
    ...('content_type' in second ? [] : [{ ...first, locale: isOther ? 'en' : null }]),
    { ...first, ...second },
  ]
  writeFileSync(path, JSON.stringify(manifest))
  const client = await database.connect()
  const db = createDb(client as unknown as pg.Pool)
  const plan = await planVersion(await findBundle('demo', home), '1.0.0')
  const refusal = { cause: { code: 'PT422', detail: 'template_invalid' } }
  await expect(isPublished(db, plan, unnamed)).rejects.toMatchObject(refusal)
  await expect(publish({ db, store: through }, plan, { setDefault: false })).rejects.toMatchObject(refusal)
  expect([await keys(), await rows('select * from app.template_uploads')]).toEqual([[], []])
})

test.each([
  ['a file', 'demo/v1.0.0/main.md'],
  ['the folder of a version', 'demo/v1.0.0'],
  ['the manifest', 'demo/manifest.json'],
  ['the folder of a bundle', 'demo'],
])('a bundle with a link as %s is not published', async (_what, path) => {
  author('First.')
  const elsewhere = mkdtempSync(join(tmpdir(), 'plinth-elsewhere-'))
  renameSync(join(home, path), join(elsewhere, 'moved'))
  symlinkSync(join(elsewhere, 'moved'), join(home, path))
  const planned = findBundle('demo', home).then((bundle) => planVersion(bundle, '1.0.0'))
  await expect(planned).rejects.toThrow(/it is a link\. Replace the link by a copy|Bundle "demo" not found/)
  rmSync(elsewhere, { recursive: true })
})

test('a bundle with a folder in the place of a file is not published', async () => {
  author('First.')
  rmSync(join(home, 'demo/v1.0.0/main.md'))
  mkdirSync(join(home, 'demo/v1.0.0/main.md'))
  const planned = findBundle('demo', home).then((bundle) => planVersion(bundle, '1.0.0'))
  await expect(planned).rejects.toThrow('it is not a regular file')
})

test('a version keeps its publisher', async () => {
  const [user] = await rows(
    "insert into auth.users (id, aud, role, email) values (gen_random_uuid(), 'authenticated', 'authenticated', 'op@example.com') returning id",
  )
  await publishDemo('First.', { createdBy: user.id })
  expect(await rows('select created_by from template_versions')).toEqual([{ created_by: user.id }])
})

test('a folder belongs to one template', async () => {
  await publishDemo('First.')
  author('Second.')
  const path = join(home, 'demo/manifest.json')
  writeFileSync(path, readFileSync(path, 'utf8').replace('"demo"', '"other"'))
  const client = await database.connect()
  const plan = await planVersion(await findBundle('other', home), '1.0.0')
  const db = createDb(client as unknown as pg.Pool)
  await expect(isPublished(db, plan, unnamed)).rejects.toMatchObject({ cause: { detail: 'storage_path_taken' } })
  await expect(publish({ db, store: through }, plan, { setDefault: false })).rejects.toMatchObject({
    cause: { detail: 'storage_path_taken' },
  })
})

test('refuses the second of two publications of a version at the same time, which then changes nothing', async () => {
  faultyStore.fail('hold', { method: 'PUT' })
  const first = publishDemo('First.')
  await faultyStore.held()
  await expect(publishDemo('Second.')).rejects.toMatchObject({ cause: { detail: 'template_upload_busy' } })
  faultyStore.release()
  expect(await first).toMatchObject({ is_new: true })
  expect(await store.templates.get('demo/v1.0.0/main.md', 100)).toEqual(Buffer.from('First.'))
})

test('a version that is being uploaded cannot be published without its upload', async () => {
  faultyStore.fail('hold', { method: 'PUT' })
  const uploading = publishDemo('Second.')
  await faultyStore.held()
  const files = JSON.stringify([
    {
      kind: 'main',
      locale: null,
      storage_path: 'demo/v1.0.0/main.md',
      sha256: hash(Buffer.from('First.')),
      size_bytes: 6,
      content_type: 'text/markdown',
    },
  ])
  await expect(rows("select public.publish_template_version('demo', '1.0.0', $1)", [files])).rejects.toMatchObject({
    detail: 'template_upload_busy',
  })
  faultyStore.release()
  expect(await uploading).toMatchObject({ is_new: true })
  expect(await rows('select sha256 from artifacts')).toEqual([{ sha256: hash(Buffer.from('Second.')) }])
})

test('after a publisher has lost its connection, other files of the version must wait for a minute', async () => {
  faultyStore.fail('hold', { method: 'PUT', times: 1 })
  author('First.')
  const client = await database.connect()
  const plan = await planVersion(await findBundle('demo', home), '1.0.0')
  const first = publish({ db: createDb(client as unknown as pg.Pool), store: through }, plan, { setDefault: false })
  first.catch(() => {})
  await faultyStore.held()
  await client.end()
  // Postgres releases the lock when it notices the end of the connection.
  await expect
    .poll(
      async () =>
        await publishDemo('Second.').catch((error: Error) => (error.cause as pg.DatabaseError | undefined)?.message),
    )
    .toBe('Other files of this version were being uploaded less than a minute ago.')
  faultyStore.release()
  await expect(first).rejects.toThrow()
  await travel('61 seconds')
  expect(await publishDemo('Second.')).toMatchObject({ is_new: true })
  expect(await store.templates.get('demo/v1.0.0/main.md', 100)).toEqual(Buffer.from('Second.'))
})

test('a connection that is lost during the upload ends the command with a message', async () => {
  faultyStore.fail('hold', { method: 'PUT', key: 'script_prompt.fr.md' })
  const uploading = upload('--template', 'drama', '--set-default')
  await faultyStore.held()
  await rows(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'plinth-templates' and datname = current_database()",
  )
  // The store holds the request until it is healed.
  const outcome = await uploading
  expect([outcome.code, outcome.stdout]).toEqual([1, ''])
  expect(outcome.stderr).toBe('The connection to the database was lost. It is safe to run the command again.\n')
  expect(await published()).toEqual([])
  faultyStore.heal()
  expect((await upload('--template', 'drama')).code).toBe(0)
  expect(await published()).toEqual([{ semver: '1.0.0', status: 'stable', files: 14 }])
})

test('objects that the store returns with other bytes are not published', async () => {
  faultyStore.fail('corrupt', { method: 'GET' })
  await expect(publishDemo('First.')).rejects.toThrow('The store returned other bytes')
  expect(await published()).toEqual([])
})

describe('killed', () => {
  /** Starts the command, waits until it stops at some point, and kills it there. */
  async function kill(until: () => Promise<unknown>, env: Record<string, string> = {}): Promise<void> {
    const child = spawn(
      process.execPath,
      [join(root, 'scripts/upload_bundle.ts'), '--template', 'drama', '--set-default'],
      {
        env: environment(env),
        cwd: root,
        stdio: 'ignore',
      },
    )
    await until()
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  test.each([
    ['before the first object', 'PUT', ''],
    ['among the objects', 'PUT', 'script_prompt.fr.md'],
    ['at the last object', 'PUT', 'scene_video_prompt.fr.md'],
    ['while it reads them back', 'GET', 'scene_image_prompt.en.md'],
  ] as const)('%s, it has published nothing, and a repetition publishes everything', async (_when, method, key) => {
    if (key === '') faultyStore.fail('hold', { method, key: 'drama/' })
    else faultyStore.fail('hold', { method, key })
    await kill(() => faultyStore.held())
    expect([await published(), await rows('select * from templates')]).toEqual([[], []])
    faultyStore.heal()
    // Postgres releases the lock when it notices the end of the connection.
    await expect.poll(async () => (await upload('--template', 'drama', '--set-default')).code).toBe(0)
    expect(await published()).toEqual([{ semver: '1.0.0', status: 'stable', files: 14 }])
    expect([(await keys()).length, await rows('select * from app.template_uploads')]).toEqual([14, []])
  })

  test('its objects are swept an hour later, and no others', async () => {
    await publishDemo('Kept.')
    faultyStore.fail('hold', { method: 'PUT', key: 'script_prompt.fr.md' })
    await kill(() => faultyStore.held())
    faultyStore.heal()
    // Requests that the killed process had sent still arrive.
    let left: string[] = []
    for (let before = -1; before !== left.length; await sleep(1500)) {
      before = left.length
      left = (await keys()).filter((key) => key.startsWith('drama/'))
    }
    expect(left.length).toBeGreaterThan(3)
    await sweep()
    expect((await keys()).length).toBe(left.length + 1)
    await travel('61 minutes')
    await operator.query('select app.enqueue_template_sweep()')
    expect(
      await rows(
        "select count(*)::integer from graphile_worker._private_jobs as j join graphile_worker._private_tasks as t on t.id = j.task_id where identifier = 'sweep_template_uploads'",
      ),
    ).toEqual([{ count: 1 }])
    await sweep()
    expect(await keys()).toEqual(['demo/v1.0.0/main.md'])
    expect(await rows('select * from app.template_uploads')).toEqual([])
    expect((await upload('--template', 'drama')).code).toBe(0)
  })

  test('at the registration, it has published everything or nothing', async () => {
    await operator.query('begin')
    await operator.query('lock table template_versions in exclusive mode')
    await kill(async () => {
      const watcher = await database.connect()
      await expect
        .poll(
          async () =>
            (
              await watcher.query(
                "select 1 from pg_stat_activity where application_name = 'plinth-templates' and wait_event_type = 'Lock' and datname = current_database()",
              )
            ).rowCount,
        )
        .toBe(1)
    })
    await operator.query('commit')
    await expect.poll(async () => (await upload('--template', 'drama', '--set-default')).code).toBe(0)
    expect(await published()).toEqual([{ semver: '1.0.0', status: 'stable', files: 14 }])
  })

  test.each(['before', 'after'] as const)(
    'by a lost connection %s the registration, it can be repeated',
    async (when) => {
      faultyDatabase.breakAt('app.publish_template_upload', when, 1)
      const outcome = await command('upload_bundle.ts', ['--template', 'drama', '--set-default'], {
        DATABASE_URL: faultyDatabase.through(database.url()),
      })
      expect(outcome.code).toBe(1)
      expect(await published()).toEqual(when === 'before' ? [] : [{ semver: '1.0.0', status: 'stable', files: 14 }])
      const again = await upload('--template', 'drama', '--set-default')
      expect(again.code).toBe(0)
      expect(await published()).toEqual([{ semver: '1.0.0', status: 'stable', files: 14 }])
    },
  )
})

describe('the sweep', () => {
  async function leave(): Promise<void> {
    faultyStore.fail('error', { method: 'GET' })
    await expect(publishDemo('First.')).rejects.toThrow('Getting an object failed')
    faultyStore.heal()
    await travel('61 minutes')
  }

  test('excludes a publication of the same version, and is excluded by it', async () => {
    await leave()
    const worker = await database.connect('worker')
    const { rows: claimed } = await worker.query('select * from worker.claim_template_uploads(10)')
    expect(claimed).toEqual([{ storage_path: 'demo/v1.0.0/main.md', claim_id: expect.any(String) }])
    // From here on the worker may delete the object at any moment.
    await expect(publishDemo('First.')).rejects.toMatchObject({ cause: { detail: 'template_upload_busy' } })
    expect((await worker.query('select * from worker.claim_template_uploads(10)')).rows).toEqual([])
    await worker.query("select worker.forget_template_uploads(array['demo/v1.0.0/main.md'], $1)", [claimed[0].claim_id])
    expect(await publishDemo('First.')).toMatchObject({ is_new: true })
    expect(await rows('select 1 from worker.claim_template_uploads(10)')).toEqual([])
  })

  test('makes a later registration of the deleted objects fail', async () => {
    author('First.')
    const client = await database.connect()
    const plan = await planVersion(await findBundle('demo', home), '1.0.0')
    let isSwept = false
    // A publisher that stops for an hour between upload and registration.
    const sleepy = new Proxy(through, {
      get: (target, name) =>
        name !== 'get'
          ? Reflect.get(target, name)
          : async (key: string, max: number) => {
              const bytes = await target.get(key, max)
              await travel('61 minutes')
              await sweep()
              isSwept = true
              return bytes
            },
    })
    const publishing = publish({ db: createDb(client as unknown as pg.Pool), store: sleepy }, plan, {
      setDefault: false,
    })
    await expect(publishing).rejects.toMatchObject({ cause: { detail: 'template_upload_expired' } })
    expect([isSwept, await keys(), await published()]).toEqual([true, [], []])
  })

  test('does not delete objects that were published while it stopped for eleven minutes', async () => {
    await leave()
    const pool = new pg.Pool({ connectionString: database.url('worker') })
    const db = createDb(pool)
    let hasSlept = false
    const sleepy: Db = {
      call: async (name, args) => {
        const answer = await db.call(name, args)
        if (name === 'worker.claim_template_uploads' && !hasSlept) {
          hasSlept = true
          await travel('11 minutes')
          await sweep()
          await publishDemo('First.')
        }
        return answer as never
      },
    }
    const services = { db: sleepy, store: {} as Store, templateStore: store.templates, pump: {} as Pump }
    const helpers = { job: { id: '1', task_identifier: 'sweep' }, abortSignal: new AbortController().signal }
    await sweepTemplateUploads({ ...services, logger: pino({ level: 'silent' }) })({}, helpers as JobHelpers)
    await pool.end()
    expect([hasSlept, await keys()]).toEqual([true, ['demo/v1.0.0/main.md']])
  })

  test('deletes objects that only a draft had, and objects of a deleted draft', async () => {
    author('First.')
    writeFileSync(join(home, 'demo/v1.0.0/extra.md'), 'Extra.')
    const path = join(home, 'demo/manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    manifest.versions['1.0.0'].artifacts.push({
      ...manifest.versions['1.0.0'].artifacts[0],
      kind: 'x',
      file: 'extra.md',
    })
    writeFileSync(path, JSON.stringify(manifest))
    const client = await database.connect()
    const plan = await planVersion(await findBundle('demo', home), '1.0.0')
    const db = createDb(client as unknown as pg.Pool)
    await publish({ db, store: through }, plan, { setDefault: false, isDraft: true })
    await client.end()
    await publishDemo('First.')
    await publishDemo('Draft.', { version: '2.0.0', isDraft: true })
    await rows("delete from artifacts where storage_path like 'demo/v2.0.0/%'")
    await rows("delete from template_versions where semver = '2.0.0'")
    expect(await keys()).toHaveLength(3)
    await travel('61 minutes')
    await sweep()
    expect([await keys(), await rows('select * from app.template_uploads')]).toEqual([['demo/v1.0.0/main.md'], []])
  })

  test('finds objects that a late upload wrote after an earlier sweep', async () => {
    author('First.')
    for (const file of ['a', 'b', 'c', 'd', 'e', 'f']) writeFileSync(join(home, `demo/v1.0.0/${file}.md`), file)
    const path = join(home, 'demo/manifest.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8'))
    const [first] = manifest.versions['1.0.0'].artifacts
    manifest.versions['1.0.0'].artifacts = ['a', 'b', 'c', 'd', 'e', 'f'].map((kind) => ({
      ...first,
      kind,
      file: `${kind}.md`,
    }))
    writeFileSync(path, JSON.stringify(manifest))
    const client = await database.connect()
    const plan = await planVersion(await findBundle('demo', home), '1.0.0')
    // The sweep runs while the first objects are being written.
    const swept = Promise.withResolvers<void>()
    let puts = 0
    const slow = new Proxy(through, {
      get: (target, name) =>
        name !== 'put'
          ? Reflect.get(target, name)
          : async (object: NewObject) => {
              puts += 1
              if (puts === 3) {
                await travel('61 minutes')
                await sweep()
                swept.resolve()
              }
              await swept.promise
              return target.put(object)
            },
    })
    const publishing = publish({ db: createDb(client as unknown as pg.Pool), store: slow }, plan, { setDefault: false })
    await expect(publishing).rejects.toThrow(/took too long/)
    await client.end()
    const known = (await rows('select storage_path from app.template_uploads')).map(({ storage_path }) => storage_path)
    expect(known).toEqual(expect.arrayContaining(await keys()))
    await travel('61 minutes')
    await sweep()
    expect([await keys(), await published(), await rows('select * from app.template_uploads')]).toEqual([[], [], []])
  })

  test('fails if the store refuses a delete, and deletes the object later', async () => {
    await leave()
    faultyStore.fail('error', { method: 'DELETE' })
    await expect(sweep(through)).rejects.toThrow('1 objects of failed publications could not be deleted')
    faultyStore.heal()
    await sweep(through)
    expect(await keys()).toHaveLength(1)
    await travel('11 minutes')
    await sweep(through)
    expect([await keys(), await rows('select * from app.template_uploads')]).toEqual([[], []])
  })
})

test('a rollback makes the previous version the default, or the version that is named', async () => {
  for (const version of ['1.0.0', '1.1.0', '1.10.0']) await publishDemo(version, { version, setDefault: true })
  // The rollback of a release skips its prereleases.
  await publishDemo('rc', { version: '1.10.0-rc.1' })
  const first = await command('templates_rollback.ts', ['--template', 'demo'])
  expect(first.stdout).toBe('1.1.0 is now the default version of demo (before: 1.10.0).\n')
  const second = await command('templates_rollback.ts', ['--template', 'demo', '--version', '1.0.0'])
  expect(second.stdout).toBe('1.0.0 is now the default version of demo (before: 1.1.0).\n')
  expect(await command('templates_rollback.ts', ['--template', 'demo'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Template demo has no stable version below its default version.'),
  })
  expect(await command('templates_rollback.ts', ['--template', 'demo', '--version', '9.9.9'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('template_version_not_found'),
  })
  const nope = await command('templates_rollback.ts', ['--template', 'nope'])
  expect(nope).toMatchObject({ code: 2, stderr: expect.stringContaining('Template nope not found.') })
  expect((await command('templates_list.ts', ['--template', 'nope'])).stdout).toContain(
    'Template nope has no versions.',
  )
})

test('a dry run refuses a deprecated version as default', async () => {
  for (const args of [['--set-default'], ['--version', '1.0.0']]) await upload('--template', 'section7', ...args)
  await publishDemo('First.', { setDefault: true })
  await operator.query("update templates set default_version_id = null where name = 'section7-ai-formatter'")
  await operator.query("select deprecate_template_version('section7-ai-formatter', '1.0.0')")
  expect((await upload('--template', 'section7', '--dry-run')).code).toBe(0)
  expect(await upload('--template', 'section7', '--set-default', '--dry-run')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('template_version_not_stable'),
  })
})

test('a silent database and a locked template end the command with a message', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const url = `postgres://postgres@127.0.0.1:${(silent.address() as AddressInfo).port}/postgres`
  expect(await command('templates_list.ts', [], { DATABASE_URL: url })).toMatchObject({ code: 1 })
  silent.close()

  await publishDemo('First.')
  await operator.query('begin')
  await operator.query('select from templates for update')
  const held = await command('templates_rollback.ts', ['--template', 'demo', '--version', '1.0.0'])
  await operator.query('rollback')
  expect(held).toMatchObject({ code: 1, stderr: expect.stringContaining('lock timeout') })
})
