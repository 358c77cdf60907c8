import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'

// Two sessions at the same moment, stepped by hand: one shows or uploads an asset while the other cleans.
let database: TestDatabase
let a: Client
let b: Client
let watcher: Client
let assetId: string
const hash = 'a'.repeat(64)

beforeAll(async () => {
  database = await createDatabase()
  ;[a, b, watcher] = await Promise.all([database.connect(), database.connect(), database.connect()])
  // A statement that must not wait fails instead of hanging.
  for (const client of [a, b]) await client.query("set lock_timeout = '10s'")
})
afterAll(() => database.drop())
beforeEach(async () => {
  // A test that failed may have left a transaction open, which must not block the next one.
  await Promise.all([a, b].map((client) => client.query('rollback')))
  await watcher.query('delete from characters')
  await watcher.query('delete from sessions')
  await watcher.query('delete from app.asset_uploads')
  await watcher.query('delete from assets')
  assetId = crypto.randomUUID()
  const key = `shared-assets/${assetId}/x.gif`
  await watcher.query(
    `insert into assets (id, name, hash, size_byte, mime_type, file_path, object_key, status)
     values ($1, 'file.gif', $2, 1, 'image/gif', $3, $4, 'orphaned')`,
    [assetId, hash, `http://h/${key}`, key],
  )
  await makeOld()
})

const claim = async (client: Client) => (await client.query('select id from worker.claim_orphaned_assets(10)')).rows
const status = async () => (await watcher.query('select status from assets where id = $1', [assetId])).rows[0]?.status
const show = async (client: Client) => {
  await client.query('select app.lock_assets($1)', [[assetId]])
  await client.query('insert into characters (id, name, icon_asset_id) values (gen_random_uuid(), $1, $2)', [
    'N',
    assetId,
  ])
}
const reserve = async (client: Client) =>
  (
    await client.query('select * from sidecar.reserve_upload($1, 1, $2, 1, 1, $3, null)', [
      'address 192.0.2.1',
      hash,
      'image/gif',
    ])
  ).rows[0]

/** Ends every grace period of the asset. */
async function makeOld(): Promise<void> {
  await watcher.query(
    `update app.asset_times set used_at = now() - interval '2 days', status_at = now() - interval '1 day'`,
  )
}

test('the cleaner skips an orphan that is about to be shown, without waiting', async () => {
  await a.query('begin')
  await show(a)
  expect(await claim(b)).toEqual([])
  expect(await status()).toBe('orphaned')
  await a.query('commit')
  expect(await claim(b)).toEqual([])
  expect(await status()).toBe('live')
})

test('showing an asset that the cleaner has claimed waits, and is refused', async () => {
  await b.query('begin')
  expect(await claim(b)).toEqual([{ id: assetId }])
  await a.query('begin')
  const showing = show(a)
  showing.catch(() => {})
  await untilWaiting(watcher, a)
  await b.query('commit')
  await expect(showing).rejects.toMatchObject({ code: 'PT422', detail: 'asset_not_found' })
  await a.query('rollback')
})

test('a session with a card whose icon the cleaner has claimed waits, and is refused', async () => {
  await b.query('begin')
  expect(await claim(b)).toEqual([{ id: assetId }])
  const cards = JSON.stringify([{ icon_asset_id: assetId }])
  const showing = a.query('insert into sessions (id, title, all_cards) values (gen_random_uuid(), $1, $2)', [
    'S',
    cards,
  ])
  showing.catch(() => {})
  await untilWaiting(watcher, a)
  await b.query('commit')
  await expect(showing).rejects.toMatchObject({ code: 'PT422', detail: 'asset_not_found' })
})

test('the cleaner skips a live asset that is about to be shown, without waiting', async () => {
  await watcher.query("update assets set status = 'live'")
  await makeOld()
  const mark = async (client: Client) =>
    (await client.query('select worker.mark_orphaned_assets(10) as checked')).rows[0].checked
  await a.query('begin')
  await show(a)
  expect(await mark(b)).toBe(0)
  await a.query('commit')
  expect(await mark(b)).toBe(1)
  expect(await status()).toBe('live')
})

test('an asset can be shown after the cleaner rolled back', async () => {
  await b.query('begin')
  await claim(b)
  await a.query('begin')
  const showing = show(a)
  await untilWaiting(watcher, a)
  await b.query('rollback')
  await showing
  await a.query('commit')
  expect(await claim(b)).toEqual([])
})

test('the cleaner skips an orphan whose bytes are uploaded again', async () => {
  await a.query('begin')
  expect(await reserve(a)).toMatchObject({ id: assetId, object_key: null })
  expect(await claim(b)).toEqual([])
  await a.query('commit')
  expect(await claim(b)).toEqual([])
  expect(await status()).toBe('live')
})

test('uploading the bytes of an asset that the cleaner has claimed waits, and gets a new asset', async () => {
  await b.query('begin')
  await claim(b)
  const reserving = reserve(a)
  await untilWaiting(watcher, a)
  await b.query('commit')
  const { id, object_key } = await reserving
  expect(id).not.toBe(assetId)
  expect(object_key).toContain(id)
  await a.query('select sidecar.record_upload($1, $2)', [id, `http://h/${object_key}`])
  await b.query('select worker.forget_assets($1)', [[assetId, id]])
  expect((await watcher.query('select id, status from assets')).rows).toEqual([{ id, status: 'live' }])
})

test('an upload is either recorded or claimed, whichever comes first', async () => {
  await watcher.query('delete from assets')
  const upload = async () => {
    const reserved = await reserve(watcher)
    await watcher.query("update app.asset_uploads set started_at = now() - interval '1 day'")
    return reserved
  }
  const record = (client: Client, { id, object_key }: { id: string; object_key: string }) =>
    client.query('select sidecar.record_upload($1, $2)', [id, `http://h/${object_key}`])

  const late = await upload()
  await b.query('begin')
  expect(await claim(b)).toEqual([{ id: late.id }])
  const recording = record(a, late)
  recording.catch(() => {})
  await untilWaiting(watcher, a)
  await b.query('commit')
  await expect(recording).rejects.toMatchObject({ code: 'PT409', detail: 'upload_expired' })
  await b.query('select worker.forget_assets($1)', [[late.id]])

  const early = await upload()
  await a.query('begin')
  await record(a, early)
  expect(await claim(b)).toEqual([])
  await a.query('commit')
  expect(await claim(b)).toEqual([])
  await b.query('select worker.forget_assets($1)', [[early.id]])
  expect((await watcher.query('select id from assets')).rows).toEqual([{ id: early.id }])
})

test('two uploads of the same bytes that are recorded at once become one asset', async () => {
  await watcher.query('delete from assets')
  const [first, second] = [await reserve(watcher), await reserve(watcher)]
  const record = async (client: Client, { id, object_key }: { id: string; object_key: string }) =>
    (await client.query('select id from sidecar.record_upload($1, $2)', [id, `http://h/${object_key}`])).rows[0].id
  await a.query('begin')
  expect(await record(a, first)).toBe(first.id)
  const recording = record(b, second)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect(await recording).toBe(first.id)
})

test('two cleaners at once claim different assets', async () => {
  await a.query('begin')
  expect(await claim(a)).toEqual([{ id: assetId }])
  expect(await claim(b)).toEqual([])
  await a.query('commit')
  expect(await claim(b)).toEqual([])
})
