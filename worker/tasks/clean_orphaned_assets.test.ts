import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobHelpers } from 'graphile-worker'
import type { Client } from 'pg'
import pg from 'pg'
import { type Logger, pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { type FaultyDatabase, startFaultyDatabase } from '../../scripts/testing/faulty_database.ts'
import { someGif, startTestSidecar, type TestSidecar } from '../../scripts/testing/sidecar.ts'
import {
  type FaultyStore,
  spacesConfig,
  startFaultyStore,
  startTestStore,
  type TestStore,
} from '../../scripts/testing/store.ts'
import { createDb } from '../shared/db.ts'
import { createSpaces, type Store } from '../shared/object_store.ts'
import type { Pump } from '../steps/pump.ts'
import cleanOrphanedAssets from './clean_orphaned_assets.ts'

// The real task, as role worker, on a real Postgres and a real S3 server, with two real sidecars and proxies that fail.
let database: TestDatabase
let db: Client
let store: TestStore
let faultyStore: FaultyStore
let faultyDatabase: FaultyDatabase
let pool: pg.Pool
let through: Store
/** Waits for a silent store for 3 s. */
let impatient: Store
let sidecars: [TestSidecar, TestSidecar]
let lines: Record<string, unknown>[] = []

const stopping = new AbortController()
const log = { write: (line: string) => void lines.push(JSON.parse(line)) }

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  await db.query('update app.settings set asset_uploads_per_minute = 1000000')
  // The clock of the rules, which `travel` moves on.
  await db.query(`
    create table app.test_clock (ahead interval);
    insert into app.test_clock values ('0');
    create or replace function app.now() returns timestamptz language sql stable set search_path = ''
      as 'select pg_catalog.now() + ahead from app.test_clock';
  `)
  store = await startTestStore()
  faultyStore = await startFaultyStore(store.port)
  faultyDatabase = await startFaultyDatabase(inject('cluster').port)
  through = createSpaces(spacesConfig(faultyStore.port))
  impatient = createSpaces(spacesConfig(faultyStore.port, undefined, 3))
  pool = new pg.Pool({ connectionString: faultyDatabase.through(database.url('worker')) })
  pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
  const start = (storePort: number, databaseUrl: string) =>
    startTestSidecar({ databaseUrl, storePort, publicStorePort: store.port })
  sidecars = await Promise.all([
    start(store.port, database.url('sidecar')),
    start(faultyStore.port, faultyDatabase.through(database.url('sidecar'))),
  ])
})
beforeEach(async () => {
  lines = []
  await db.query('delete from characters')
  await db.query('delete from app.asset_uploads')
  await db.query('delete from assets')
  for (const key of await store.keys()) await store.store.delete(key)
})
afterEach(() => {
  faultyStore.heal()
  faultyDatabase.heal()
})
afterAll(async () => {
  await Promise.all(sidecars.map((sidecar) => sidecar.stop()))
  await pool.end()
  through.close()
  impatient.close()
  faultyStore.stop()
  faultyDatabase.stop()
  await store.stop()
  await database.drop()
})

const run = async (payload: object, logger: Logger = pino({}, log), signal = stopping.signal, store = through) =>
  cleanOrphanedAssets({ db: createDb(pool), store, templateStore: undefined, logger, pump: {} as Pump })(payload, {
    job: { id: '1', task_identifier: 'clean_orphaned_assets' },
    abortSignal: signal,
  } as JobHelpers)
const clean = (limit = 1000) => run({ mode: 'orphans', limit })
const travel = (distance: string) => db.query('update app.test_clock set ahead = ahead + $1::interval', [distance])
const rows = async (text: string, values: unknown[] = []) => (await db.query(text, values)).rows
const statuses = async () =>
  (await rows('select status from app.asset_times order by created_at')).map(({ status }) => status)
const uploadCount = async () => (await rows('select count(*)::integer as count from app.asset_uploads'))[0].count

async function upload(bytes = someGif(), sidecar = sidecars[0]): Promise<string> {
  const response = await sidecar.upload(bytes)
  expect(response.status).toBe(201)
  return ((await response.json()) as { assetId: string }).assetId
}

/** A card that shows it, written past the rules about cards: what the cleaner asks is only whether there is one. */
async function show(assetId: string): Promise<string> {
  const id = crypto.randomUUID()
  await db.query('insert into characters (id, name, icon_asset_id) values ($1, $2, $3)', [id, 'N', assetId])
  return id
}

describe('an asset that nothing shows', () => {
  test('is orphaned after a grace period, and deleted from store and database after another', async () => {
    await upload()
    await clean()
    expect(await statuses()).toEqual(['live'])
    await travel('1 hour 59 minutes')
    await clean()
    expect(await statuses()).toEqual(['live'])
    await travel('2 minutes')
    await clean()
    expect(await statuses()).toEqual(['orphaned'])
    await travel('1 hour 59 minutes')
    await clean()
    expect([await statuses(), await store.keys()]).toEqual([['orphaned'], [expect.any(String)]])
    await travel('2 minutes')
    await clean()
    expect([await statuses(), await store.keys()]).toEqual([[], []])
    expect(lines.at(-1)).toMatchObject({ msg: 'Orphaned assets were deleted', claimed: 1, forgotten: 1 })
  })

  test('stays if its bytes are uploaded again, or a card shows it', async () => {
    const bytes = someGif()
    const id = await upload(bytes)
    const shown = await upload()
    await travel('3 hours')
    await clean()
    expect(await statuses()).toEqual(['orphaned', 'orphaned'])
    expect(await upload(bytes)).toBe(id)
    const card = await show(shown)
    await travel('1 minute')
    await clean()
    expect(await statuses()).toEqual(['live', 'orphaned'])
    await travel('119 minutes 30 seconds')
    await clean()
    expect(await statuses()).toEqual(['orphaned', 'live'])
    await db.query('delete from characters where id = $1', [card])
    for (let n = 0; n < 3; n++) {
      await travel('3 hours')
      await clean()
    }
    expect([await statuses(), await store.keys()]).toEqual([[], []])
  })

  test('gets a successor with another key if its bytes are uploaded while it is being deleted', async () => {
    const bytes = someGif()
    const id = await upload(bytes)
    for (let n = 0; n < 2; n++) {
      await travel('3 hours')
      faultyStore.fail('error', { method: 'DELETE' })
      await clean().catch(() => {})
    }
    expect(await statuses()).toEqual(['deleting'])
    const again = await upload(bytes)
    expect(again).not.toBe(id)
    faultyStore.heal()
    await travel('11 minutes')
    await clean()
    expect(await rows('select id, status from assets')).toEqual([{ id: again, status: 'live' }])
    expect(await store.keys()).toEqual([expect.stringContaining(again)])
  })

  test('is deleted in batches, up to the limit of the task', async () => {
    await db.query(`
      insert into assets (id, name, hash, size_byte, mime_type, file_path, object_key)
      select id, 'file.gif', encode(sha256(id::text::bytea), 'hex'), 1, 'image/gif', 'http://h/' || key, key
      from (select gen_random_uuid() as id from generate_series(1, 350)) as ids
      cross join lateral (select format('shared-assets/%s/x.gif', id) as key) as keys
    `)
    await travel('3 hours')
    await clean()
    expect(new Set(await statuses())).toEqual(new Set(['orphaned']))
    await travel('3 hours')
    await clean(130)
    expect(await statuses()).toHaveLength(220)
    await clean()
    expect(await statuses()).toEqual([])
  })

  test('is deleted by one of two cleaners', async () => {
    const count = 30
    await Promise.all(Array.from({ length: count }, () => upload()))
    await travel('3 hours')
    await Promise.all([clean(), clean()])
    await travel('3 hours')
    lines = []
    await Promise.all([clean(), clean(), clean()])
    expect([await statuses(), await store.keys()]).toEqual([[], []])
    expect(lines.reduce((sum, { claimed }) => sum + Number(claimed), 0)).toBe(count)
  })

  test('stays if the worker is stopped', async () => {
    const stopped = new AbortController()
    stopped.abort()
    await expect(run({ mode: 'orphans' }, pino({}, log), stopped.signal)).rejects.toThrow('was interrupted')
  })
})

describe('a broken upload', () => {
  test('loses its object after the grace period, if kill -9 came between the store and the database', async () => {
    const victim = await startTestSidecar({
      databaseUrl: faultyDatabase.through(database.url('sidecar')),
      storePort: store.port,
    })
    faultyDatabase.breakAt('sidecar.record_upload', 'before')
    const answer = victim.upload(someGif()).catch((error: Error) => error)
    await expect.poll(() => store.keys(), { interval: 10 }).toHaveLength(1)
    process.kill(victim.child.pid, 'SIGKILL')
    expect(await answer).toBeInstanceOf(Error)
    await victim.stop()
    faultyDatabase.heal()
    expect([(await store.keys()).length, await uploadCount()]).toEqual([1, 1])
    await travel('1 hour')
    await clean()
    expect([(await store.keys()).length, await uploadCount()]).toEqual([1, 1])
    await travel('61 minutes')
    await clean()
    expect([await store.keys(), await uploadCount()]).toEqual([[], 0])
  })

  test('loses its row after the grace period, if kill -9 came before its object', async () => {
    const victim = await startTestSidecar({ databaseUrl: database.url('sidecar'), storePort: faultyStore.port })
    faultyStore.fail('hold', { method: 'PUT' })
    const answer = victim.upload(someGif()).catch((error: Error) => error)
    await faultyStore.held()
    process.kill(victim.child.pid, 'SIGKILL')
    await answer
    await victim.stop()
    await travel('3 hours')
    await clean()
    expect([await store.keys(), await uploadCount(), await statuses()]).toEqual([[], 0, []])
  })
})

describe('when a step fails', () => {
  test.each(['refuse', 'reset', 'hang', 'error', 'drop'] as const)(
    'the store at the delete (%s), the job fails, and a later one ends it',
    async (fault) => {
      await Promise.all(Array.from({ length: 15 }, () => upload()))
      const kept = await upload()
      await show(kept)
      await travel('3 hours')
      await clean()
      await travel('3 hours')
      faultyStore.fail(fault, { method: 'DELETE' })
      const failing = run({ mode: 'orphans' }, pino({}, log), stopping.signal, impatient)
      await expect(failing).rejects.toThrow('15 of 15 orphans could not be deleted')
      expect((await statuses()).filter((status) => status === 'deleting')).toHaveLength(15)
      faultyStore.heal()
      await clean()
      expect(await statuses()).toHaveLength(16)
      await travel('11 minutes')
      await clean()
      expect(await rows('select id, status from assets')).toEqual([{ id: kept, status: 'live' }])
      expect(await store.keys()).toEqual([expect.stringContaining(kept)])
    },
  )

  test('the store for one object, the others are deleted', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => upload()))
    await travel('3 hours')
    await clean()
    await travel('3 hours')
    faultyStore.fail('error', { method: 'DELETE', key: ids[7] ?? '' })
    await expect(clean()).rejects.toThrow('1 of 20 orphans could not be deleted')
    expect(await rows('select id from assets')).toEqual([{ id: ids[7] }])
  })

  test.each([
    ['mark_orphaned_assets', 'before'],
    ['mark_orphaned_assets', 'after'],
    ['claim_orphaned_assets', 'before'],
    ['claim_orphaned_assets', 'after'],
    ['forget_assets', 'before'],
    ['forget_assets', 'after'],
  ] as const)('the database at %s, %s it happened, the job fails, and later ones end it', async (name, when) => {
    await Promise.all(Array.from({ length: 5 }, () => upload()))
    const kept = await upload()
    await show(kept)
    await travel('3 hours')
    await clean()
    await travel('3 hours')
    faultyDatabase.breakAt(`worker.${name}`, when, 1)
    await expect(clean()).rejects.toThrow(`worker.${name} failed`)
    await travel('11 minutes')
    await clean()
    expect(await rows('select id, status from assets')).toEqual([{ id: kept, status: 'live' }])
    expect(await store.keys()).toEqual([expect.stringContaining(kept)])
  })
})

test('uploads of the same bytes with two cleaners at work: the store has the answered objects, and no others', {
  timeout: 300_000,
}, async () => {
  const contents = Array.from({ length: 3 }, () => someGif(20_000))
  /** As a client: what took too long is sent again. */
  const persist = async (bytes: Buffer<ArrayBuffer>, sidecar: TestSidecar): Promise<string> => {
    for (;;) {
      const response = await sidecar.upload(bytes)
      const answer = (await response.json()) as { assetId: string; details?: string }
      if (response.status === 201) return answer.assetId
      expect([response.status, answer.details]).toEqual([409, 'upload_expired'])
    }
  }
  const seen = new Set<string>()
  let revived = 0
  const hasRaced = () => revived > 0 && seen.size > contents.length
  // A busy machine needs more rounds, and a clock that moves at any moment of a round, however long the round takes.
  let roundMs = 40
  for (let round = 0; round < 40 || (!hasRaced() && round < 400); round++) {
    const startedAt = performance.now()
    const before = await rows('select id, status from assets')
    const uploads = Array.from({ length: 6 }, async (_, n) => {
      await sleep(Math.random() * 30)
      const bytes = contents[n % 3] ?? someGif()
      return { id: await persist(bytes, sidecars[n % 2] ?? sidecars[0]), bytes }
    })
    // In one round the clock passes one grace period, not two: what is uploaded in it may be orphaned, not deleted.
    const time = sleep(Math.random() * roundMs).then(() => travel('2 hours 1 minute'))
    let isOver = false
    const cleaning = Array.from({ length: 2 }, async () => {
      while (!isOver) {
        await clean()
        await sleep(Math.random() * 10)
      }
    })
    const answered = await Promise.all(uploads)
    roundMs = performance.now() - startedAt
    await time
    isOver = true
    await Promise.all(cleaning)
    for (const { id, bytes } of answered) {
      const [asset] = await rows('select status, file_path from assets where id = $1', [id])
      expect(asset?.status, `round ${round}, ${id}`).toMatch(/^(live|orphaned)$/)
      const loaded = await fetch(asset.file_path)
      expect([loaded.status, Buffer.from(await loaded.arrayBuffer()).equals(bytes)]).toEqual([200, true])
      if (before.some((one) => one.id === id && one.status === 'orphaned')) revived += 1
      seen.add(id)
    }
    const known = await rows('select object_key from assets union all select object_key from app.asset_uploads')
    const keys = await store.keys()
    expect(keys.filter((key) => !known.some(({ object_key }) => object_key === key))).toEqual([])
  }
  // The test has raced: some orphans were revived, and some came too late and became new assets.
  expect(revived).toBeGreaterThan(0)
  expect(seen.size).toBeGreaterThan(contents.length)
  for (let n = 0; n < 3; n++) {
    await travel('3 hours')
    await clean()
  }
  expect([await store.keys(), await statuses(), await uploadCount()]).toEqual([[], [], 0])
})

describe('unknown objects', () => {
  const put = (key: string) =>
    store.store.put({
      key,
      open: () => Readable.from('x', { objectMode: false }),
      length: 1,
      contentType: 'image/gif',
      cacheControl: 'no-store',
    })
  const unknownKey = () => `shared-assets/${crypto.randomUUID()}/x.gif`

  test('are counted, named and kept; with remove, exactly they are deleted', async () => {
    const known = await upload()
    const old = [unknownKey(), unknownKey(), unknownKey()]
    const young = unknownKey()
    const strangers = ['shared-assets/readme.txt', 'shared-assets-2/x.gif', `drama-assets/${crypto.randomUUID()}/x.gif`]
    for (const key of [...old, young, ...strangers]) await put(key)
    for (const key of await store.keys()) if (key !== young) store.age(key, 4000)

    await run({ mode: 'unknown_objects' })
    expect(lines.at(-1)).toMatchObject({ level: 40, msg: 'Store was compared with the database', unknown: 3 })
    expect(new Set(lines.at(-1)?.['examples'] as string[])).toEqual(new Set(old))
    expect(await store.keys()).toHaveLength(8)

    await run({ mode: 'unknown_objects', limit: 2, remove: true })
    expect((await store.keys()).filter((key) => old.includes(key))).toHaveLength(1)
    await run({ mode: 'unknown_objects', remove: true })
    const left = await store.keys()
    expect(left).toHaveLength(5)
    expect(left).toEqual(expect.arrayContaining([young, ...strangers, expect.stringContaining(known)]))
  })

  test('are found on later pages of the listing', async () => {
    const keys = Array.from({ length: 1030 }, unknownKey)
    for (let n = 0; n < keys.length; n += 50) await Promise.all(keys.slice(n, n + 50).map(put))
    for (const key of keys) store.age(key, 4000)
    await run({ mode: 'unknown_objects', limit: 5000 })
    expect(lines.at(-1)).toMatchObject({ listed: 1030, unknown: 1030 })
  })

  test.each(['refuse', 'reset', 'hang', 'error'] as const)('a listing that fails (%s) fails the job', async (fault) => {
    faultyStore.fail(fault, { method: 'GET' })
    const failing = run({ mode: 'unknown_objects', remove: true }, pino({}, log), stopping.signal, impatient)
    await expect(failing).rejects.toThrow('Listing objects failed')
  })

  test('that cannot be deleted fail the job', async () => {
    const key = unknownKey()
    await put(key)
    store.age(key, 4000)
    faultyStore.fail('error', { method: 'DELETE' })
    const removing = run({ mode: 'unknown_objects', remove: true })
    await expect(removing).rejects.toThrow('1 of 1 unknown objects could not be deleted')
  })
})

test('accepts the payloads that the schedules enqueue', async () => {
  for (const name of ['clean-orphaned-assets', 'find-unknown-objects'])
    await db.query('select worker.run_schedule($1)', [name])
  const jobs = await rows(
    "select payload from graphile_worker._private_jobs as j join graphile_worker._private_tasks as t on t.id = j.task_id where t.identifier = 'clean_orphaned_assets'",
  )
  expect(jobs).toHaveLength(2)
  for (const { payload } of jobs) await run(payload)
})
