import { Readable } from 'node:stream'
import type { JobHelpers } from 'graphile-worker'
import type pg from 'pg'
import type { Client } from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
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
import type { Pump } from '../steps/pump.ts'
import removeDeletedMedia from './remove_deleted_media.ts'

// The real task, as role worker, on a real Postgres and a real S3 server behind a proxy that fails.
let database: TestDatabase
let db: Client
let pool: pg.Pool
let store: TestStore
let faulty: FaultyStore
let through: Store
let lines: Record<string, unknown>[] = []
const owner = crypto.randomUUID()
const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })

beforeAll(async () => {
  database = await createDatabase()
  db = await database.connect()
  pool = database.openPool()
  await db.query('insert into auth.users (id, email) values ($1, $2)', [owner, 'ana@example.com'])
  // The clock of the rules, which `travel` moves on.
  await db.query(`
    create table app.test_clock (ahead interval);
    insert into app.test_clock values ('0');
    create or replace function app.now() returns timestamptz language sql stable set search_path = ''
      as 'select pg_catalog.now() + ahead from app.test_clock';
  `)
  store = await startTestStore()
  faulty = await startFaultyStore(store.port)
  through = createSpaces(spacesConfig(faulty.port))
})
beforeEach(async () => {
  lines = []
  await db.query('delete from dramas')
  await db.query('delete from app.deleted_media')
  for (const key of await store.keys()) await store.store.delete(key)
})
afterEach(() => faulty.heal())
afterAll(async () => {
  through.close()
  faulty.stop()
  await store.stop()
  await database.drop()
})

const run = (payload: object, signal = new AbortController().signal, objects = through) =>
  removeDeletedMedia({ db: createDb(pool), store: objects, templateStore: undefined, logger: log, pump: {} as Pump })(
    payload,
    { job: { id: '1', task_identifier: 'remove_deleted_media' }, abortSignal: signal } as JobHelpers,
  )
const remove = (signal?: AbortSignal) => run({ mode: 'deleted_dramas' }, signal)
const travel = (distance: string) => db.query('update app.test_clock set ahead = ahead + $1::interval', [distance])
const due = async () => (await db.query('select from app.deleted_media')).rowCount

async function put(key: string): Promise<string> {
  const bytes = Buffer.from(key)
  await store.store.put({
    key,
    open: () => Readable.from([bytes]),
    length: bytes.length,
    contentType: 'image/png',
    cacheControl: 'no-store',
  })
  return key
}

/** Inserts a drama with some objects, and returns its id. */
async function addDrama(objects: number, id: string = crypto.randomUUID()): Promise<string> {
  await db.query('insert into dramas (id, owner_id) values ($1, $2)', [id, owner])
  for (let n = 0; n < objects; n++) await put(`drama-assets/${id}/${n}.png`)
  return id
}
const deleteDramas = (...ids: string[]) => db.query('delete from dramas where id = any ($1)', [ids])

test('deletes all objects of deleted dramas, and no others', async () => {
  const [kept, ...deleted] = [await addDrama(2), await addDrama(12), await addDrama(0), await addDrama(1)]
  const others = [await put(`shared-assets/${deleted[0]}/x.png`), await put(`drama-assets/${deleted[0]}0/x.png`)]
  await deleteDramas(...deleted)
  await remove()
  expect((await store.keys()).sort()).toEqual(
    [`drama-assets/${kept}/0.png`, `drama-assets/${kept}/1.png`, ...others].sort(),
  )
  expect(lines.at(-1)).toMatchObject({ msg: 'Media of deleted dramas were deleted', dramas: 3, objects: 13 })
  await remove()
  expect(await due()).toBe(3)
  await travel('61 minutes')
  await remove()
  expect(await due()).toBe(0)
})

test('removes the dramas of a deleted user in several batches', async () => {
  const ids: string[] = []
  for (let n = 0; n < 23; n++) ids.push(await addDrama(1))
  await deleteDramas(...ids)
  await remove()
  expect(await store.keys()).toEqual([])
})

test.each(['refuse', 'error', 'drop'] as const)(
  'fails while the store does not delete (%s), and removes all when it does again',
  async (fault) => {
    await deleteDramas(await addDrama(2), await addDrama(2), await addDrama(2), await addDrama(2), await addDrama(2))
    faulty.fail(fault, { method: 'DELETE' })
    await expect(remove()).rejects.toThrow('The media of 3 deleted dramas could not be deleted')
    faulty.heal()
    await travel('11 minutes')
    await remove()
    expect(await store.keys()).toEqual([])
    await travel('61 minutes')
    await remove()
    expect(await due()).toBe(0)
  },
)

test('removes the objects of other dramas when those of one drama cannot be deleted', async () => {
  const ids = [await addDrama(1), await addDrama(2), await addDrama(1)]
  await deleteDramas(...ids)
  faulty.fail('forbid', { method: 'DELETE', key: `${ids[1]}/0.png` })
  await expect(remove()).rejects.toThrow('The media of 1 deleted dramas could not be deleted')
  expect(await store.keys()).toEqual([`drama-assets/${ids[1]}/0.png`])
  faulty.heal()
  await travel('11 minutes')
  await remove()
  expect(await store.keys()).toEqual([])
})

test('removes each object once when two workers share the work, also when one of them is stopped', async () => {
  const ids: string[] = []
  for (let n = 0; n < 12; n++) ids.push(await addDrama(1))
  await deleteDramas(...ids)
  const stopping = new AbortController()
  stopping.abort()
  await expect(remove(stopping.signal)).rejects.toThrow('was interrupted')
  await Promise.all([remove(), remove()])
  expect(await store.keys()).toEqual([])
})

test('keeps the new objects of a drama that was saved again with the id of a deleted one', async () => {
  const id = await addDrama(2)
  for (const key of await store.keys()) store.age(key, 10)
  await deleteDramas(id)
  await addDrama(0, id)
  const made = await put(`drama-assets/${id}/made.png`)
  store.age(made, 10)
  await db.query('insert into app.drama_media values ($1, $2, 1)', [id, 'made.png'])
  const fresh = await put(`drama-assets/${id}/fresh.png`)
  // The clock of the rules is some hours ahead by now.
  store.age(fresh, -86_400)
  await remove()
  expect((await store.keys()).sort()).toEqual([fresh, made])
})

test('finds old media that no drama has, and deletes them only if it is told to', async () => {
  const id = await addDrama(0)
  const known = await put(`drama-assets/${id}/known.png`)
  await db.query('insert into app.drama_media values ($1, $2, 1)', [id, 'known.png'])
  const unknown = await put(`drama-assets/${id}/unknown.png`)
  const young = await put(`drama-assets/${id}/young.png`)
  const gone = await put(`drama-assets/${crypto.randomUUID()}/gone.png`)
  const shared = await put(`shared-assets/${id}/x.png`)
  for (const key of [known, unknown, gone, shared]) store.age(key, 90_000)
  await run({ mode: 'unknown_objects' })
  expect(lines.at(-1)).toMatchObject({ msg: 'Media in the store were compared with the dramas', listed: 4, unknown: 2 })
  expect((await store.keys()).length).toBe(5)
  await run({ mode: 'unknown_objects', remove: true })
  expect((await store.keys()).sort()).toEqual([known, shared, young].sort())
})

test('keeps an old file while a run of its drama is open, because its step may hand in the file later', async () => {
  const id = await addDrama(0)
  const { rows } = await db.query(`select submit_run('{"key": "image", "type": "generate_image"}', $1) as run`, [owner])
  const [{ run: runId }] = rows
  await db.query('insert into app.drama_runs (run_id, drama_id) values ($1, $2)', [runId, id])
  const stored = await put(`drama-assets/${id}/stored.png`)
  store.age(stored, 90_000)
  await run({ mode: 'unknown_objects', remove: true })
  expect(await store.keys()).toEqual([stored])
  await db.query('select app.cancel_runs(array[$1::bigint])', [runId])
  await run({ mode: 'unknown_objects', remove: true })
  expect(await store.keys()).toEqual([])
})

test('deletes the unknown media of a page before it lists the next page', async () => {
  for (const name of ['a', 'b']) store.age(await put(`drama-assets/${crypto.randomUUID()}/${name}.png`), 90_000)
  const left: number[] = []
  /** Lists one object per page. */
  async function* list(prefix: string, signal?: AbortSignal) {
    for await (const page of through.list(prefix, signal)) {
      for (const object of page) {
        left.push((await store.keys()).length)
        yield [object]
      }
    }
  }
  await run({ mode: 'unknown_objects', remove: true }, undefined, { ...through, list })
  expect(left).toEqual([2, 1])
  expect(lines.at(-1)).toMatchObject({ msg: 'Unknown media were deleted', deleted: 2 })
})
