import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { loosenUserBuckets, startTestStorage, type TestStorage } from '../../testing/storage.ts'
import { until } from '../../testing/waiting.ts'

// The observable cases of storage-js' own tests, through supabase-js.

let database: TestDatabase
let storage: TestStorage
const ana = '11111111-1111-4111-8111-111111111111'
const mine = (name: string) => `${ana}/${name}`

beforeAll(async () => {
  database = await createDatabase()
  await loosenUserBuckets(await database.connect(), [ana])
  storage = await startTestStorage(database)
})

afterAll(async () => {
  await storage.stop()
  await database.drop()
})

/** Returns the data of an answer without an error. */
function dataOf<Data>(answer: { data: Data; error: unknown }): NonNullable<Data> {
  expect(answer.error).toBeNull()
  return answer.data as NonNullable<Data>
}

const failed = (code: string, statusCode: string, status = 400) => ({
  data: null,
  error: expect.objectContaining({ name: 'StorageApiError', code, statusCode, status }),
})

test('uploads and downloads text, blobs, forms, buffers and streams', async () => {
  const bucket = (await storage.as(ana)).from('user_uploads')
  const form = new FormData()
  form.append('file', new File(['form'], 'f.txt', { type: 'text/plain' }))
  const bodies: [string, Parameters<typeof bucket.upload>[1], string][] = [
    ['text', 'text', 'text/plain;charset=UTF-8'],
    ['blob', new Blob(['blob'], { type: 'image/png' }), 'image/png'],
    ['form', form, 'text/plain'],
    ['buffer', Buffer.from('buffer'), 'text/plain;charset=UTF-8'],
    ['bytes', new TextEncoder().encode('bytes').buffer, 'text/plain;charset=UTF-8'],
    ['stream', createReadStream(import.meta.filename), 'text/plain;charset=UTF-8'],
    ['empty', '', 'text/plain;charset=UTF-8'],
  ]
  for (const [name, body, type] of bodies) {
    const data = dataOf(await bucket.upload(mine(`kinds/${name}`), body))
    expect(data).toEqual({
      path: mine(`kinds/${name}`),
      fullPath: `user_uploads/${mine(`kinds/${name}`)}`,
      id: expect.any(String),
    })
    const blob = dataOf(await bucket.download(mine(`kinds/${name}`)))
    expect(blob.type).toBe(type.toLowerCase())
    expect(await blob.text()).toBe(
      name === 'stream' ? await text(createReadStream(import.meta.filename)) : name === 'empty' ? '' : name,
    )
    const info = dataOf(await bucket.info(mine(`kinds/${name}`)))
    expect(info).toMatchObject({
      id: data.id,
      size: blob.size,
      contentType: type,
      cacheControl: 'max-age=3600',
      bucketId: 'user_uploads',
    })
  }
})

test('refuses a second upload of a key, and replaces it with upsert or update', async () => {
  const bucket = (await storage.as(ana)).from('user_uploads')
  const first = dataOf(await bucket.upload(mine('twice'), 'one', { metadata: { album: 'one' } }))
  expect(await bucket.upload(mine('twice'), 'two')).toEqual({
    data: null,
    error: expect.objectContaining({ message: 'The resource already exists', statusCode: '409', status: 400 }),
  })
  expect(dataOf(await bucket.info(mine('twice'))).metadata).toEqual({ album: 'one' })
  expect(dataOf(await bucket.upload(mine('twice'), 'two', { upsert: true })).id).toBe(first.id)
  expect(dataOf(await bucket.info(mine('twice'))).metadata).toEqual({})
  const metadata = { album: 'three' }
  dataOf(await bucket.update(mine('twice'), new Blob(['three']), { cacheControl: '60', metadata }))
  expect(dataOf(await bucket.info(mine('twice')))).toMatchObject({ cacheControl: 'max-age=60', metadata, size: 5 })
  expect(await dataOf(await bucket.download(mine('twice'))).text()).toBe('three')
  // The files of the two older versions are removed.
  expect(storage.files().filter((path) => path.includes('/twice/'))).toHaveLength(1)
})

test('lists a folder with prefix, search, limit, offset and order', async () => {
  const bucket = storage.service.from('user_uploads')
  for (const name of ['b.txt', 'A.txt', 'a-b.txt', 'a/1.txt', 'a/2.txt', 'a0.txt', 'sub/deep/x.txt'])
    dataOf(await bucket.upload(`lists/${name}`, name))
  const names = async (...options: Parameters<typeof bucket.list>) =>
    dataOf(await bucket.list(...options)).map((entry) => (entry.id === null ? `${entry.name}/` : entry.name))
  const all = ['a-b.txt', 'A.txt', 'a/', 'a0.txt', 'b.txt', 'sub/']
  expect(await names('lists')).toEqual(all)
  expect(await names('lists/')).toEqual(all)
  expect(await names('LISTS')).toEqual(all)
  expect(await names('lists', { limit: 2, offset: 1 })).toEqual(all.slice(1, 3))
  expect(await names('lists', { offset: 3 })).toEqual(all.slice(3))
  expect(await names('lists', { sortBy: { column: 'name', order: 'desc' } })).toEqual(all.toReversed())
  expect(await names('lists', { search: 'A' })).toEqual(['a-b.txt', 'A.txt', 'a/', 'a0.txt'])
  expect(await names('lists', { search: 'sub/d' })).toEqual(['sub/deep/'])
  expect(await names('lists/sub/deep')).toEqual(['x.txt'])
  expect(await names('lists', { search: '%' })).toEqual([])
  expect(await names('none')).toEqual([])
  const byAge = ['a/', 'sub/', 'b.txt', 'A.txt', 'a-b.txt', 'a0.txt']
  expect(await names('lists', { sortBy: { column: 'created_at', order: 'asc' } })).toEqual(byAge)
  expect(await names('lists', { limit: 2, offset: 3, sortBy: { column: 'created_at' } })).toEqual(byAge.slice(3, 5))
  const [file] = dataOf(await bucket.list('lists', { search: 'b.txt' }))
  expect(file).toMatchObject({ id: expect.any(String), metadata: { size: 5, mimetype: 'text/plain;charset=UTF-8' } })
})

test('lists keys page by page', async () => {
  const bucket = storage.service.from('user_uploads')
  const walk = async (options: NonNullable<Parameters<typeof bucket.listV2>[0]>) => {
    const found: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = dataOf(await bucket.listV2({ prefix: 'lists/', ...options, ...(cursor && { cursor }) }))
      found.push(...[...page.folders, ...page.objects].map(({ name }) => name.replace('lists/', '')))
      cursor = page.nextCursor
      expect(page.hasNext).toBe(cursor !== undefined)
      if (!cursor) return found
    }
  }
  const keys = ['A.txt', 'a-b.txt', 'a/1.txt', 'a/2.txt', 'a0.txt', 'b.txt', 'sub/deep/x.txt']
  const entries = ['A.txt', 'a-b.txt', 'a/', 'a0.txt', 'b.txt', 'sub/']
  for (const limit of [1, 2, 100]) {
    expect(await walk({ limit })).toEqual(keys)
    expect(await walk({ limit, sortBy: { column: 'name', order: 'desc' } })).toEqual(keys.toReversed())
  }
  expect(await walk({ limit: 1, with_delimiter: true })).toEqual(entries)
  expect(await walk({ limit: 1, with_delimiter: true, sortBy: { column: 'name', order: 'desc' } })).toEqual(
    entries.toReversed(),
  )
  const byAge = ['b.txt', 'A.txt', 'a-b.txt', 'a/1.txt', 'a/2.txt', 'a0.txt', 'sub/deep/x.txt']
  expect(await walk({ limit: 2, sortBy: { column: 'created_at', order: 'asc' } })).toEqual(byAge)
  const byAgeInFolder = ['b.txt', 'A.txt', 'a-b.txt', 'a/', 'a0.txt', 'sub/']
  const sortBy = { column: 'created_at', order: 'desc' } as const
  expect(await walk({ limit: 1, with_delimiter: true, sortBy })).toEqual(byAgeInFolder.toReversed())
  const page = dataOf(await bucket.listV2({ prefix: 'lists/', with_delimiter: true }))
  expect(page.folders.map(({ key }) => key)).toEqual(['a', 'sub'])
})

test('moves and copies, within a bucket and to another one', async () => {
  const bucket = storage.service.from('user_uploads')
  const metadata = { kept: true }
  dataOf(await bucket.upload('from/a', 'a', { contentType: 'text/css', metadata }))
  expect(dataOf(await bucket.copy('from/a', 'from/b'))).toEqual({ path: 'user_uploads/from/b' })
  expect(dataOf(await bucket.info('from/b'))).toMatchObject({ contentType: 'text/css', metadata })
  expect(dataOf(await bucket.move('from/a', 'to/a')).message).toBe('Successfully moved')
  expect(await bucket.download('from/a')).toEqual(failed('NoSuchKey', '404'))
  dataOf(await bucket.move('to/a', 'to/a', { destinationBucket: 'generations' }))
  dataOf(await bucket.copy('from/b', 'to/b', { destinationBucket: 'generations' }))
  const target = storage.service.from('generations')
  for (const name of ['to/a', 'to/b']) {
    expect(await dataOf(await target.download(name)).text()).toBe('a')
    expect(dataOf(await target.info(name))).toMatchObject({ contentType: 'text/css', metadata })
  }
  expect(await bucket.copy('from/b', 'to/a', { destinationBucket: 'generations' })).toEqual(
    failed('KeyAlreadyExists', '409'),
  )
  expect(await bucket.move('from/b', 'to/a', { destinationBucket: 'generations' })).toEqual(
    failed('KeyAlreadyExists', '409'),
  )
  expect(await bucket.move('from/none', 'to/c')).toEqual(failed('NoSuchKey', '404'))
  expect(await bucket.copy('from/b', 'c', { destinationBucket: 'none' })).toEqual(failed('NoSuchBucket', '404'))
})

test('signs URLs for downloads', async () => {
  const bucket = (await storage.as(ana)).from('user_uploads')
  dataOf(await bucket.upload(mine('signed pic.txt'), 'signed', { cacheControl: '60' }))
  const { signedUrl } = dataOf(await bucket.createSignedUrl(mine('signed pic.txt'), 60))
  const answer = await fetch(signedUrl)
  expect([answer.status, await answer.text()]).toEqual([200, 'signed'])
  expect(Date.parse(answer.headers.get('expires') ?? '')).toBeGreaterThan(Date.now())
  expect(answer.headers.get('cache-control')).toBeNull()
  const named = dataOf(await bucket.createSignedUrl(mine('signed pic.txt'), 60, { download: 'a b.txt' }))
  expect((await fetch(named.signedUrl)).headers.get('content-disposition')).toBe(
    "attachment; filename=a%20b.txt; filename*=UTF-8''a%20b.txt",
  )
  expect(await bucket.createSignedUrl(mine('none'), 60)).toEqual(failed('NoSuchKey', '404'))
  const [found, missing] = dataOf(await bucket.createSignedUrls([mine('signed pic.txt'), mine('none')], 60))
  expect(await (await fetch(found?.signedUrl ?? '')).text()).toBe('signed')
  expect(missing).toEqual({
    error: 'Either the object does not exist or you do not have access to it',
    path: mine('none'),
    signedURL: null,
    signedUrl: null,
  })
  const { signedUrl: short } = dataOf(await bucket.createSignedUrl(mine('signed pic.txt'), 1))
  await until('the URL has expired', async () => (await fetch(short)).status === 400)
  expect(await (await fetch(short)).json()).toMatchObject({ statusCode: '400', code: 'InvalidJWT' })
})

test('signs URLs for uploads', async () => {
  const bucket = (await storage.as(ana)).from('user_uploads')
  const { path, token, signedUrl } = dataOf(await bucket.createSignedUploadUrl(mine('by url')))
  expect(signedUrl).toContain('/storage/v1/object/upload/sign/user_uploads/')
  // The holder of the URL needs no account. The object belongs to the user who signed the URL.
  const holder = storage.anon.from('user_uploads')
  expect(dataOf(await holder.uploadToSignedUrl(path, token, new Blob(['url'])))).toEqual({
    path,
    fullPath: `user_uploads/${path}`,
  })
  const { rows } = await (await database.connect()).query(
    'select owner, owner_id from storage.objects where name = $1',
    [path],
  )
  expect(rows).toEqual([{ owner: ana, owner_id: ana }])
  expect(await holder.uploadToSignedUrl(path, token, 'again')).toEqual(failed('KeyAlreadyExists', '409'))
  expect(await bucket.createSignedUploadUrl(path)).toEqual(failed('KeyAlreadyExists', '409'))
  const replace = dataOf(await bucket.createSignedUploadUrl(path, { upsert: true }))
  dataOf(await holder.uploadToSignedUrl(path, replace.token, 'again'))
  expect(await dataOf(await bucket.download(path)).text()).toBe('again')
})

test('tells policies which operation it runs, and which file comes', async () => {
  const admin = await database.connect()
  await admin.query(`
    insert into storage.buckets (id, name) values ('rules', 'rules');
    create policy select_rules on storage.objects for select to authenticated
      using (bucket_id = 'rules' and storage.allow_any_operation(array['object.list', 'storage.object.sign']));
    create policy insert_rules on storage.objects for insert to authenticated
      with check (
        bucket_id = 'rules'
        and storage.allow_only_operation('object.upload')
        and metadata->>'mimetype' = 'image/png'
        and (metadata->>'contentLength')::integer < 10
      )`)
  const bucket = (await storage.as(ana)).from('rules')
  const png = { contentType: 'image/png' }
  dataOf(await bucket.upload('a', 'small', png))
  expect(await bucket.upload('b', 'larger than ten', png)).toEqual(failed('AccessDenied', '403'))
  expect(await bucket.upload('b', 'text')).toEqual(failed('AccessDenied', '403'))
  expect(await bucket.createSignedUploadUrl('b')).toEqual(failed('AccessDenied', '403'))
  expect(dataOf(await bucket.list()).map(({ name }) => name)).toEqual(['a'])
  dataOf(await bucket.createSignedUrl('a', 60))
  expect(await bucket.download('a')).toEqual(failed('NoSuchKey', '404'))
  expect(await bucket.info('a')).toEqual(failed('NoSuchKey', '404'))
})

test('serves public buckets to everybody', async () => {
  const bucket = storage.service.from('generations')
  dataOf(await bucket.upload('open/a.txt', 'open'))
  const { publicUrl } = storage.anon.from('generations').getPublicUrl('open/a.txt').data
  const answer = await fetch(publicUrl)
  expect([answer.status, await answer.text()]).toEqual([200, 'open'])
  const { data } = storage.anon.from('generations').getPublicUrl('open/a.txt', { download: true })
  expect((await fetch(data.publicUrl)).headers.get('content-disposition')).toBe('attachment;')
  expect(await dataOf(await storage.anon.from('generations').download('open/a.txt')).text()).toBe('open')
  const isPrivate = await fetch(storage.anon.from('user_uploads').getPublicUrl('from/b').data.publicUrl)
  expect([isPrivate.status, await isPrivate.json()]).toEqual([
    400,
    { statusCode: '404', code: 'NoSuchBucket', error: 'Bucket not found', message: 'Bucket not found' },
  ])
})

test('tells whether an object exists, and removes several', async () => {
  const bucket = (await storage.as(ana)).from('user_uploads')
  dataOf(await bucket.upload(mine('gone/a'), 'a'))
  dataOf(await bucket.upload(mine('gone/b'), 'b'))
  expect((await bucket.exists(mine('gone/a'))).data).toBe(true)
  const removed = dataOf(await bucket.remove([mine('gone/a'), mine('gone/b'), mine('gone/c')]))
  expect(removed.map(({ name }) => name).toSorted()).toEqual([mine('gone/a'), mine('gone/b')])
  expect((await bucket.exists(mine('gone/a'))).data).toBe(false)
  expect(dataOf(await bucket.remove([mine('gone/a')]))).toEqual([])
  expect(storage.files().filter((path) => path.includes('/gone/'))).toEqual([])
})

test('creates, changes, empties and deletes buckets', async () => {
  const { service } = storage
  const options = { public: false, fileSizeLimit: '1KB', allowedMimeTypes: ['image/*', 'text/plain'] }
  expect(dataOf(await service.createBucket('pictures', options))).toEqual({ name: 'pictures' })
  expect(await service.createBucket('pictures')).toEqual(failed('BucketAlreadyExists', '409'))
  expect(dataOf(await service.getBucket('pictures'))).toMatchObject({
    id: 'pictures',
    public: false,
    file_size_limit: 1000,
    allowed_mime_types: ['image/*', 'text/plain'],
  })
  const bucket = service.from('pictures')
  dataOf(await bucket.upload('a.png', new Blob(['a'], { type: 'image/png' })))
  expect(await bucket.upload('b', new Blob(['b'], { type: 'video/mp4' }))).toEqual(failed('InvalidMimeType', '415'))
  expect(await bucket.upload('b', 'b', { contentType: 'application/json' })).toEqual(failed('InvalidMimeType', '415'))
  for (const body of [
    new Blob(['b'.repeat(1001)], { type: 'image/png' }),
    'b'.repeat(1001),
    new Blob(['b'.repeat(1001)]).stream(),
  ])
    expect(await bucket.upload('b', body, { contentType: 'image/png' })).toEqual(failed('EntityTooLarge', '413'))
  expect(dataOf(await bucket.list()).map(({ name }) => name)).toEqual(['a.png'])
  dataOf(await service.updateBucket('pictures', { public: true, fileSizeLimit: null, allowedMimeTypes: null }))
  dataOf(await bucket.upload('b', new Blob(['b'.repeat(1001)], { type: 'video/mp4' })))
  expect((await fetch(bucket.getPublicUrl('b').data.publicUrl)).status).toBe(200)
  const listed = dataOf(await service.listBuckets({ search: 'PIC', sortColumn: 'name', sortOrder: 'desc', limit: 5 }))
  expect(listed.map(({ id, type }) => [id, type])).toEqual([['pictures', 'STANDARD']])
  expect(await service.deleteBucket('pictures')).toEqual(failed('ResourceNotEmpty', '409'))
  expect(dataOf(await service.emptyBucket('pictures'))).toEqual({ message: 'Successfully emptied' })
  expect(dataOf(await service.deleteBucket('pictures'))).toEqual({ message: 'Successfully deleted' })
  expect(await service.getBucket('pictures')).toEqual(failed('NoSuchBucket', '404'))
  expect(await service.updateBucket('pictures', { public: true })).toEqual(failed('NoSuchBucket', '404'))
  expect(storage.files().filter((path) => path.startsWith('pictures'))).toEqual([])
  expect(await service.createBucket('big', { public: false, fileSizeLimit: '51MiB' })).toEqual(
    failed('InvalidRequest', '400'),
  )
  expect(await service.createBucket('big', { public: false, fileSizeLimit: '60MB' })).toEqual(
    failed('EntityTooLarge', '413'),
  )
})

test('says which features it does not have', async () => {
  const bucket = storage.service.from('generations')
  const answers = await Promise.all([
    bucket.download('open/a.txt', { transform: { width: 10 } }),
    bucket.createSignedUrl('open/a.txt', 60, { transform: { width: 10 } }),
    bucket.download('open/a.txt', { versionId: 'x' }),
    storage.service.createBucket('lake', { public: false, type: 'ANALYTICS' }),
    storage.service.analytics.createBucket('lake'),
    storage.service.vectors.createBucket('vectors'),
  ])
  for (const { error } of answers)
    expect(error?.message).toMatch(/^The local Storage server has no .* hosted Supabase\.$/)
  const resumable = await fetch(`${storage.ownUrl}/upload/resumable`, { method: 'POST' })
  expect(await resumable.json()).toMatchObject({ message: expect.stringMatching('has no resumable uploads') })
})
