import { setTimeout } from 'node:timers/promises'
import type { createClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createUserFiles, openUserBuckets, type UserBuckets } from '../../../worker/adapters/user_files.ts'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { startTestStorage, type TestStorage } from '../../testing/storage.ts'
import { makePng } from '../gemini.ts'
import { storageEnv } from '../services.ts'

// The buckets of users' files as the migration and the policies make them, through supabase-js and the worker's keys.

type Storage = ReturnType<typeof createClient>['storage']
let database: TestDatabase
let admin: pg.Client
let storage: TestStorage
let buckets: UserBuckets
let ana: Storage
let bea: Storage
const [anaId, beaId] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']
const photo = makePng('a face')
/** The file of a completed generation of Ana. */
const resultId = crypto.randomUUID()
const asPng = { contentType: 'image/png' }
const { signal } = new AbortController()

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  await admin.query("insert into auth.users (id, email) values ($1, 'ana@example.com'), ($2, 'bea@example.com')", [
    anaId,
    beaId,
  ])
  const { rows } = await admin.query(
    `insert into generations
       (user_id, tool_key, kind, status, tool_parameters, url, credits, completed_at)
     values ($1, 'paint', 'image', 'completed', '{}', 'http://x', 1, now())
     returning id`,
    [anaId],
  )
  await admin.query(
    'insert into app.generation_files (file_id, user_id, generation_id, created_at) values ($1, $2, $3, now())',
    [resultId, anaId, rows[0].id],
  )
  storage = await startTestStorage(database)
  const env = storage.templatesEnv
  buckets = openUserBuckets({
    ...storageEnv({
      endpoint: String(env['TEMPLATES_STORE_ENDPOINT']),
      accessKeyId: String(env['TEMPLATES_STORE_ACCESS_KEY_ID']),
      secretAccessKey: String(env['TEMPLATES_STORE_SECRET_ACCESS_KEY']),
    }),
    STORAGE_S3_TIMEOUT_SECONDS: 60,
    WORKER_PHOTOS_MAX_BYTES: 2 ** 25,
  }) as UserBuckets
  ana = await storage.as(anaId)
  bea = await storage.as(beaId)
})
beforeEach(async () => {
  for (const bucket of ['user_uploads', 'generations']) await storage.service.emptyBucket(bucket)
  expect((await ana.from('user_uploads').upload(`${anaId}/face.png`, photo, asPng)).error).toBeNull()
  await createUserFiles(buckets).store(`${anaId}/${resultId}`, { bytes: photo, mimeType: 'image/png' }, signal)
})
afterAll(async () => {
  buckets.close()
  await storage.stop()
  await database.drop()
})

/** Returns what is stored. */
const snapshot = async () =>
  (await admin.query("select bucket_id, name, version, metadata->>'eTag' as etag from storage.objects order by 1, 2"))
    .rows

describe('a user', () => {
  test('uploads, lists, loads, signs, replaces, moves and deletes photos of the own folder', async () => {
    const mine = ana.from('user_uploads')
    expect((await mine.list(anaId)).data?.map(({ name }) => name)).toEqual(['face.png'])
    expect(await (await mine.download(`${anaId}/face.png`)).data?.arrayBuffer().then(Buffer.from)).toEqual(photo)
    const signed = await mine.createSignedUrl(`${anaId}/face.png`, 60)
    expect((await fetch(String(signed.data?.signedUrl))).status).toBe(200)
    expect((await mine.upload(`${anaId}/face.png`, makePng('b'), { ...asPng, upsert: true })).error).toBeNull()
    expect((await mine.move(`${anaId}/face.png`, `${anaId}/album/face.png`)).error).toBeNull()
    expect((await mine.remove([`${anaId}/album/face.png`])).data).toHaveLength(1)
    expect((await mine.list(anaId)).data).toEqual([])
  })

  test('lists only the own images, which everybody loads by their URL', async () => {
    expect((await ana.from('generations').list(anaId)).data?.map(({ name }) => name)).toEqual([`${resultId}.png`])
    const { publicUrl } = ana.from('generations').getPublicUrl(`${anaId}/${resultId}.png`).data
    const answer = await fetch(publicUrl)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'image/png',
      'cache-control': expect.stringMatching(/max-age=3600$/),
      'x-content-type-options': 'nosniff',
    })
    for (const other of [bea, storage.anon]) {
      expect((await other.from('generations').list(anaId)).data).toEqual([])
      expect((await other.from('generations').list()).data).toEqual([])
    }
  })

  test.each([
    ['text/plain', 'text'],
    ['image/svg+xml', '<svg/>'],
    ['image/gif', 'GIF89a'],
  ])('uploads no %s', async (contentType, body) => {
    const { error } = await ana.from('user_uploads').upload(`${anaId}/new`, body, { contentType })
    expect(error?.message).toBe(`mime type ${contentType} is not supported`)
  })

  test('uploads no file of more than 20 MiB', async () => {
    const body = Buffer.alloc(20 * 2 ** 20 + 1)
    const mine = ana.from('user_uploads')
    const { error } = await mine.upload(`${anaId}/new.png`, body, asPng)
    expect(error?.message).toBe('The object exceeded the maximum allowed size')
    expect((await mine.upload(`${anaId}/new.png`, body.subarray(1), asPng)).error).toBeNull()
  })

  test('uploads nothing after the account is deleted, although the token is still valid', async () => {
    const id = crypto.randomUUID()
    await admin.query("insert into auth.users (id, email) values ($1, 'carl@example.com')", [id])
    const carl = (await storage.as(id)).from('user_uploads')
    expect((await carl.upload(`${id}/face.png`, photo, asPng)).error).toBeNull()
    await admin.query('delete from auth.users where id = $1', [id])
    expect((await carl.upload(`${id}/again.png`, photo, asPng)).error).not.toBeNull()
    expect((await carl.upload(`${id}/face.png`, photo, { ...asPng, upsert: true })).error).not.toBeNull()
  })
})

describe('the limits of a day', () => {
  const limit = (photos: number, bytes: number) =>
    admin.query('update app.settings set originals_per_day = $1, original_bytes_per_day = $2', [photos, bytes])
  beforeEach(() => admin.query('delete from app.rate_limits'))
  afterEach(async () => {
    await admin.query('update app.settings set originals_per_day = default, original_bytes_per_day = default')
    await admin.query('delete from app.rate_limits')
  })
  const upload = (name: string, body = photo) => ana.from('user_uploads').upload(`${anaId}/${name}`, body, asPng)

  test('refuse a photo with a sentence for the user, also one that replaces another', async () => {
    await limit(2, 2 ** 20)
    expect((await upload('1.png')).error).toBeNull()
    expect((await upload('2.png')).error).toBeNull()
    const message = expect.stringMatching(/^You may upload 2 photos and 1 MiB per day\. Try again in \d+ s\.$/)
    expect((await upload('3.png')).error).toMatchObject({ statusCode: '403', message })
    const replaced = await ana.from('user_uploads').upload(`${anaId}/1.png`, photo, { ...asPng, upsert: true })
    expect(replaced.error).toMatchObject({ statusCode: '403', message })
    expect((await bea.from('user_uploads').upload(`${beaId}/1.png`, photo, asPng)).error).toBeNull()
  })

  test('hold for the bytes of photos at the same moment', async () => {
    await limit(1000, 2 ** 20)
    const body = Buffer.alloc(100 * 1024)
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => upload(`${n}.png`, body)))
    expect(answers.filter(({ error }) => error === null)).toHaveLength(10)
    // The photo of beforeEach, and no file of a refused photo.
    expect(storage.files().filter((path) => path.startsWith('user_uploads/'))).toHaveLength(11)
  })

  test('hold for uploads by signed URLs, which ask no policy', async () => {
    await limit(2, 2 ** 20)
    const mine = ana.from('user_uploads')
    const signed = await Promise.all([1, 2, 3].map((n) => mine.createSignedUploadUrl(`${anaId}/${n}.png`)))
    const answers = await Promise.all(
      signed.map(({ data }) =>
        storage.anon.from('user_uploads').uploadToSignedUrl(data?.path ?? '', data?.token ?? '', photo, asPng),
      ),
    )
    expect(answers.filter(({ error }) => error === null)).toHaveLength(2)
    expect((await mine.createSignedUploadUrl(`${anaId}/4.png`)).error).toMatchObject({ statusCode: '403' })
  })
})

describe.each(['bea', 'anon'] as const)('%s', (name) => {
  const strange = () => (name === 'bea' ? bea : storage.anon)

  test('sees nothing of the photos of another user', async () => {
    const files = strange().from('user_uploads')
    const face = `${anaId}/face.png`
    expect((await files.list(anaId)).data ?? []).toEqual([])
    expect((await files.list()).data ?? []).toEqual([])
    const guesses = [face, `${anaId}/../${anaId}/face.png`, `/${face}`, `${anaId}/%66ace.png`, face.toUpperCase()]
    for (const path of guesses) {
      expect((await files.download(path)).data).toBeNull()
      expect((await files.createSignedUrl(path, 60)).data).toBeNull()
      expect((await files.info(path)).data).toBeNull()
      expect((await files.exists(path).catch(() => ({ data: false }))).data).toBe(false)
    }
    expect((await fetch(files.getPublicUrl(face).data.publicUrl)).ok).toBe(false)
    expect((await files.createSignedUrls([face], 60)).data?.filter(({ signedUrl }) => signedUrl) ?? []).toEqual([])
    // Copies into a folder that the caller may write.
    for (const target of [`${beaId}/stolen.png`, 'stolen.png']) {
      expect((await files.copy(face, target)).error).not.toBeNull()
      expect((await files.move(face, target)).error).not.toBeNull()
    }
  })

  test('changes nothing in the folder of another user, and nothing outside of folders', async () => {
    const files = strange().from('user_uploads')
    if (name === 'bea') expect((await files.upload(`${beaId}/own.png`, photo, asPng)).error).toBeNull()
    const before = await snapshot()
    const targets = [
      `${anaId}/face.png`,
      `${anaId}/new.png`,
      `${anaId}/${beaId}/new.png`,
      'new.png',
      `x${beaId}/new.png`,
    ]
    for (const path of targets) {
      for (const upsert of [true, false]) {
        expect((await files.upload(path, photo, { ...asPng, upsert })).error).not.toBeNull()
      }
      expect((await files.update(path, photo, asPng)).error).not.toBeNull()
      expect((await files.createSignedUploadUrl(path)).error).not.toBeNull()
      expect((await files.createSignedUploadUrl(path, { upsert: true })).error).not.toBeNull()
      expect((await files.move(`${beaId}/own.png`, path)).error).not.toBeNull()
      expect((await files.copy(`${beaId}/own.png`, path)).error).not.toBeNull()
      expect((await files.remove([path])).data ?? []).toEqual([])
    }
    expect(await snapshot()).toEqual(before)
  })

  test('writes nothing to the bucket of results', async () => {
    const results = strange().from('generations')
    const before = await snapshot()
    for (const path of [`${anaId}/${resultId}.png`, `${anaId}/new.png`, `${beaId}/new.png`, 'new.png']) {
      for (const upsert of [true, false]) {
        expect((await results.upload(path, photo, { ...asPng, upsert })).error).not.toBeNull()
      }
      expect((await results.createSignedUploadUrl(path)).error).not.toBeNull()
      expect((await results.remove([path])).data ?? []).toEqual([])
    }
    expect((await results.move(`${anaId}/${resultId}.png`, `${beaId}/${resultId}.png`)).error).not.toBeNull()
    const photos = strange().from('user_uploads')
    const destinationBucket = 'generations'
    expect((await photos.copy(`${beaId}/own.png`, `${beaId}/x.png`, { destinationBucket })).error).not.toBeNull()
    expect(await snapshot()).toEqual(before)
  })
})

test('the owner writes nothing to the bucket of results either', async () => {
  const results = ana.from('generations')
  const photos = ana.from('user_uploads')
  const before = await snapshot()
  for (const upsert of [true, false]) {
    expect((await results.upload(`${anaId}/${resultId}.png`, photo, { ...asPng, upsert })).error).not.toBeNull()
    expect((await results.upload(`${anaId}/new.png`, photo, { ...asPng, upsert })).error).not.toBeNull()
  }
  expect((await results.createSignedUploadUrl(`${anaId}/new.png`)).error).not.toBeNull()
  const destinationBucket = 'generations'
  for (const target of [`${anaId}/new.png`, `${anaId}/${resultId}.png`]) {
    expect((await photos.copy(`${anaId}/face.png`, target, { destinationBucket })).error).not.toBeNull()
    expect((await photos.move(`${anaId}/face.png`, target, { destinationBucket })).error).not.toBeNull()
  }
  expect((await results.move(`${anaId}/${resultId}.png`, `${anaId}/other.png`)).error).not.toBeNull()
  expect((await results.remove([`${anaId}/${resultId}.png`])).data ?? []).toEqual([])
  expect(await snapshot()).toEqual(before)
})

describe('the worker', () => {
  /** Loads a photo as a handler does. */
  const load = (path: string, etag: string, from = buckets) =>
    createUserFiles(from).withPhoto({ path, etag, size: photo.length }, signal, async (found) => found)
  const etagOf = async (name: string) =>
    (await admin.query("select metadata->>'eTag' as etag from storage.objects where name = $1", [name])).rows[0].etag

  test('loads a photo by its ETag', async () => {
    const path = `${anaId}/face.png`
    expect(await load(path, await etagOf(path))).toEqual({
      bytes: photo,
      mimeType: 'image/png',
    })
  })

  test('loads no more photos at a time than their memory allows', async () => {
    const path = `${anaId}/face.png`
    const etag = await etagOf(path)
    const files = createUserFiles({ ...buckets, photosMaxBytes: photo.length })
    const counts: number[] = []
    let running = 0
    const use = async () => {
      counts.push(++running)
      // Long enough for the other photos to arrive if nothing holds them back.
      await setTimeout(300)
      running--
    }
    await Promise.all([1, 2, 3].map(() => files.withPhoto({ path, etag, size: photo.length }, signal, use)))
    expect(counts).toEqual([1, 1, 1])
  })

  test('tells a replaced photo from a missing one', async () => {
    const path = `${anaId}/face.png`
    const etag = await etagOf(path)
    await ana.from('user_uploads').upload(path, makePng('another'), { ...asPng, upsert: true })
    await expect(load(path, etag)).rejects.toMatchObject({
      slug: 'original_changed',
      isPermanent: true,
    })
    await ana.from('user_uploads').remove([path])
    await expect(load(path, etag)).rejects.toMatchObject({
      slug: 'original_missing',
      isPermanent: true,
    })
  })

  test('refuses a file whose bytes are no photo, whatever type the user declares', async () => {
    const path = `${anaId}/text.png`
    expect((await ana.from('user_uploads').upload(path, 'a text', asPng)).error).toBeNull()
    await expect(load(path, await etagOf(path))).rejects.toMatchObject({
      slug: 'original_invalid',
      isPermanent: true,
    })
  })

  test('says that a Storage that refuses the keys needs the operator, and that a silent one may be back later', async () => {
    const env = { STORAGE_S3_REGION: 'local', STORAGE_S3_ACCESS_KEY_ID: 'wrong', STORAGE_S3_SECRET_ACCESS_KEY: 'wrong' }
    const loadFrom = async (endpoint: string) => {
      const more = { STORAGE_S3_TIMEOUT_SECONDS: 1, WORKER_PHOTOS_MAX_BYTES: 2 ** 25 }
      const wrong = openUserBuckets({ ...env, ...more, STORAGE_S3_ENDPOINT: endpoint }) as UserBuckets
      try {
        return await load(`${anaId}/face.png`, 'x', wrong)
      } finally {
        wrong.close()
      }
    }
    await expect(loadFrom(`${storage.url}/storage/v1/s3`)).rejects.toMatchObject({
      slug: 'store_unavailable',
      isPermanent: true,
    })
    await expect(loadFrom('http://127.0.0.1:9/storage/v1/s3')).rejects.toMatchObject({
      slug: 'store_unavailable',
      isPermanent: false,
    })
  })
})
