import type { JobHelpers, Task } from 'graphile-worker'
import type pg from 'pg'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { storageEnv } from '../../scripts/local/services.ts'
import { createDatabase, type TestDatabase } from '../../scripts/testing/database.ts'
import { startTestStorage, type TestStorage } from '../../scripts/testing/storage.ts'
import { type FaultyStore, startFaultyStore } from '../../scripts/testing/store.ts'
import { openUserBuckets, type UserBuckets } from '../adapters/user_files.ts'
import type { TaskFactory } from '../queue/define_task.ts'
import { createDb } from '../shared/db.ts'
import type { StorageDeps } from './deps.ts'
import removeDeletedFiles from './remove_deleted_files.ts'
import removeOldUploads from './remove_old_uploads.ts'

// The real tasks, as role worker, on a real Postgres and the local Storage behind a proxy that fails.
let database: TestDatabase
let admin: pg.Client
let pool: pg.Pool
let storage: TestStorage
let faulty: FaultyStore
let buckets: UserBuckets

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  pool = database.openPool()
  // The clock of the rules, which `travel` moves on.
  await admin.query(`
    create table app.test_clock (ahead interval);
    insert into app.test_clock values ('0');
    create or replace function app.now() returns timestamptz language sql stable set search_path = ''
      as 'select pg_catalog.now() + ahead from app.test_clock';
  `)
  storage = await startTestStorage(database)
  faulty = await startFaultyStore(Number(new URL(storage.url).port))
  buckets = openUserBuckets({
    ...storageEnv({
      endpoint: `http://127.0.0.1:${faulty.port}/storage/v1/s3`,
      accessKeyId: String(storage.templatesEnv['TEMPLATES_STORE_ACCESS_KEY_ID']),
      secretAccessKey: String(storage.templatesEnv['TEMPLATES_STORE_SECRET_ACCESS_KEY']),
    }),
    STORAGE_S3_TIMEOUT_SECONDS: 60,
    WORKER_PHOTOS_MAX_BYTES: 2 ** 25,
  }) as UserBuckets
})
beforeEach(async () => {
  for (const bucket of ['user_uploads', 'generations']) await storage.service.emptyBucket(bucket)
  await admin.query('truncate app.deleted_folders, app.generation_files')
})
afterEach(() => faulty.heal())
afterAll(async () => {
  buckets.close()
  faulty.stop()
  await storage.stop()
  await database.drop()
})

const runTask = (task: TaskFactory<StorageDeps>, signal = new AbortController().signal) =>
  (task({ db: createDb(pool), buckets, logger: pino({ level: 'silent' }) }) as Task)({}, {
    job: { id: '1', task_identifier: 'a_task' },
    abortSignal: signal,
  } as JobHelpers)
const travel = (distance: string) => admin.query('update app.test_clock set ahead = ahead + $1::interval', [distance])
const put = async (bucket: string, path: string) =>
  expect((await storage.service.from(bucket).upload(path, 'x', { contentType: 'image/png' })).error).toBeNull()
const stored = async () =>
  (await admin.query("select bucket_id || '/' || name as path from storage.objects order by 1")).rows.map(
    ({ path }) => path,
  )

/** Adds an image with its row, which is due now or in use. */
async function addFile(isDue: boolean): Promise<string> {
  const { rows } = await admin.query(
    `insert into app.generation_files (user_id, generation_id, created_at, delete_at)
     values (gen_random_uuid(), gen_random_uuid(), app.now(), case when $1 then app.now() end)
     returning user_id || '/' || file_id || '.png' as path`,
    [isDue],
  )
  await put('generations', rows[0].path)
  return `generations/${rows[0].path}`
}

/** Adds a user with photos and results, deletes the user, and returns the folder's name. */
async function addDeletedUser(): Promise<string> {
  const id = crypto.randomUUID()
  await admin.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
  await Promise.all(['a.png', 'b.png', 'album/c.png'].map((name) => put('user_uploads', `${id}/${name}`)))
  await put('generations', `${id}/d.png`)
  await admin.query('delete from auth.users where id = $1', [id])
  await admin.query(
    `insert into app.deleted_folders (user_id, bucket_id, deleted_at, delete_at)
     select $1, b, app.now(), app.now() from unnest(array['user_uploads', 'generations']) as b
     on conflict do nothing`,
    [id],
  )
  return id
}

test('deletes files that are due, and the folders of deleted users in both buckets', async () => {
  const kept = await addFile(false)
  const gone = await addFile(true)
  const user = await addDeletedUser()
  expect(await stored()).toEqual(expect.arrayContaining([kept, gone, `user_uploads/${user}/album/c.png`]))
  await runTask(removeDeletedFiles)
  expect(await stored()).toEqual([kept])
  expect((await admin.query('select from app.generation_files where delete_at is not null')).rowCount).toBe(0)

  // A signed URL of the deleted user was still valid.
  await put('user_uploads', `${user}/late.png`)
  await travel('3 hours')
  await runTask(removeDeletedFiles)
  expect(await stored()).toEqual([kept])
  expect((await admin.query('select from app.deleted_folders')).rowCount).toBe(0)
})

test('deletes the files later if the store is down', async () => {
  await addDeletedUser()
  await addFile(true)
  const before = await stored()
  faulty.fail('error')
  await expect(runTask(removeDeletedFiles)).rejects.toThrow('3 deleted files or folders could not be removed')
  faulty.heal()
  expect(await stored()).toEqual(before)
  await runTask(removeDeletedFiles)
  expect(await stored()).toEqual(before)
  await travel('10 minutes')
  await runTask(removeDeletedFiles)
  expect(await stored()).toEqual([])
})

test('deletes the other objects if one object cannot be deleted', async () => {
  const first = await addFile(true)
  await addFile(true)
  faulty.fail('forbid', { method: 'DELETE', key: first.split('/').at(-1) ?? '' })
  await expect(runTask(removeDeletedFiles)).rejects.toThrow('1 deleted files')
  expect(await stored()).toEqual([first])
})

test('several workers share the work, and list no prefix twice', async () => {
  for (let n = 0; n < 40; n++) await addFile(true)
  const lists = faulty.requests('GET')
  await Promise.all([1, 2, 3].map(() => runTask(removeDeletedFiles)))
  expect(await stored()).toEqual([])
  expect(faulty.requests('GET') - lists).toBe(40)
})

test('deletes uploads that are older than the setting, and no others', async () => {
  for (let n = 0; n < 12; n++) await put('user_uploads', `user/${n}.png`)
  await put('generations', 'user/1.png')
  await travel('29 days')
  await runTask(removeOldUploads)
  expect(await stored()).toHaveLength(13)
  await storage.service.from('user_uploads').upload('user/3.png', 'y', { contentType: 'image/png', upsert: true })
  await admin.query(`
    alter table storage.objects disable trigger user;
    update storage.objects set updated_at = updated_at - interval '2 days' where name <> 'user/3.png';
    alter table storage.objects enable trigger user;
  `)
  await runTask(removeOldUploads)
  expect(await stored()).toEqual(['generations/user/1.png', 'user_uploads/user/3.png'])
})

test('an old upload that cannot be deleted keeps no upload of a later part', async () => {
  await put('user_uploads', 'user/0.png')
  await put('user_uploads', 'user/z.png')
  await admin.query(`
    insert into storage.objects (bucket_id, name, created_at)
    select 'user_uploads', 'user/' || n || '.png', now() + interval '40 days' from generate_series(1, 600) as n
  `)
  await travel('40 days')
  faulty.fail('forbid', { method: 'DELETE', key: 'user/0.png' })
  await expect(runTask(removeOldUploads)).rejects.toThrow('Old uploads could not be deleted')
  const left = await stored()
  expect(left).toContain('user_uploads/user/0.png')
  expect(left).not.toContain('user_uploads/user/z.png')
})

test('a stopping worker leaves the rest to another one', async () => {
  await addFile(true)
  await put('user_uploads', 'user/1.png')
  const signal = AbortSignal.abort()
  await expect(runTask(removeDeletedFiles, signal)).rejects.toThrow('interrupted')
  await expect(runTask(removeOldUploads, signal)).rejects.toThrow('interrupted')
  expect(await stored()).toHaveLength(2)
})
