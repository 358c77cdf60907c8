import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../testing/database.ts'
import { type LocalKeys, localKeys, signUserJwt, verifyJwt } from '../../keys.ts'
import { createObjects } from '../objects.ts'
import { createS3Handler } from './handler.ts'

let database: TestDatabase
let pool: pg.Pool
let server: Server
let endpoint: string
let keys: LocalKeys
/** How far the clock of the server is ahead. */
let skewMs = 0
const folder = mkdtempSync(join(tmpdir(), 'plinth-s3-'))
const clients: S3Client[] = []
const bucket = 'files'
const good = { accessKeyId: 'local-key', secretAccessKey: 'local-secret' }

beforeAll(async () => {
  database = await createDatabase()
  pool = new pg.Pool({ connectionString: database.url('supabase_storage_admin'), max: 5 })
  const admin = await database.connect()
  await admin.query(
    `insert into storage.buckets (id, name, file_size_limit) values ('${bucket}', '${bucket}', 1048576)`,
  )
  await admin.query(`
    create policy own_folder on storage.objects to authenticated
      using (bucket_id = '${bucket}' and storage.foldername(name) = array[(select auth.uid())::text])`)
  keys = await localKeys(inject('cluster').secrets)
  const handle = createS3Handler({
    objects: createObjects({ pool, folder }),
    pool,
    region: 'local',
    ...good,
    session: { projectRef: 'stub', anonKey: keys.anonKey, verifyToken: (token) => verifyJwt(token, keys) },
    prefix: '/storage/v1',
    now: () => Date.now() + skewMs,
  })
  // The gateway strips this prefix, too.
  server = createServer((request, response) => {
    request.url = request.url?.replace('/storage/v1', '') ?? ''
    void handle(request, response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/storage/v1/s3`
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  server.closeAllConnections()
  server.close()
  await pool.end()
  await database.drop()
  rmSync(folder, { recursive: true })
})

beforeEach(async () => {
  skewMs = 0
  const page = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  const Objects = (page.Contents ?? []).map(({ Key }) => ({ Key }))
  if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }))
})

function connect(options: S3ClientConfig = {}): S3Client {
  const made = new S3Client({
    region: 'local',
    credentials: good,
    forcePathStyle: true,
    endpoint,
    maxAttempts: 1,
    ...options,
  })
  clients.push(made)
  return made
}
/** The configuration of the worker, and the SDK's own. */
const asWorker = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } as const
let client: S3Client
beforeAll(() => {
  client = connect(asWorker)
})

const put = (Key: string, Body: string | Buffer | Readable, more: Partial<PutObjectCommand['input']> = {}) =>
  new PutObjectCommand({ Bucket: bucket, Key, Body, ...more })
const get = (Key: string, more: Partial<GetObjectCommand['input']> = {}) =>
  new GetObjectCommand({ Bucket: bucket, Key, ...more })
const read = async (Key: string, by = client) => (await by.send(get(Key))).Body?.transformToString()
const refused = (name: string, httpStatusCode: number) => ({ name, $metadata: { httpStatusCode } })
const rows = async () =>
  (
    await pool.query(
      'select name, owner, owner_id, metadata, user_metadata from storage.objects where bucket_id = $1 order by name',
      [bucket],
    )
  ).rows
const filesOnDisk = () =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length

const name = "folder/a name, with + & ' ( ) ! * $ @ = ; : ? signs.txt"
test.each<[string, S3ClientConfig, () => Buffer | Readable, Partial<PutObjectCommand['input']>]>([
  ['a buffer, as the worker is configured', asWorker, () => Buffer.from('kept'), {}],
  ['a stream, as the worker is configured', asWorker, () => Readable.from([Buffer.from('kept')]), { ContentLength: 4 }],
  ['a buffer, as the SDK is by itself', {}, () => Buffer.from('kept'), {}],
  ['a stream, as the SDK is by itself', {}, () => Readable.from([Buffer.from('kept')]), { ContentLength: 4 }],
])('stores %s, and loads it', async (_name, options, body, more) => {
  const one = connect(options)
  const { ETag } = await one.send(
    put(name, body(), {
      ...more,
      ContentType: 'text/plain',
      CacheControl: 'private, max-age=60',
      Metadata: { origin: 'test' },
    }),
  )
  expect(ETag).toBe(`"${createHash('md5').update('kept').digest('hex')}"`)
  const got = await one.send(get(name))
  expect(await got.Body?.transformToString()).toBe('kept')
  const expected = {
    ETag,
    ContentLength: 4,
    ContentType: 'text/plain',
    CacheControl: 'private, max-age=60',
    Metadata: { origin: 'test' },
  }
  expect(got).toMatchObject(expected)
  expect(await one.send(new HeadObjectCommand({ Bucket: bucket, Key: name }))).toMatchObject(expected)
  expect(await rows()).toEqual([
    {
      name,
      owner: null,
      owner_id: null,
      user_metadata: { origin: 'test' },
      metadata: expect.objectContaining({
        eTag: ETag,
        size: 4,
        mimetype: 'text/plain',
        cacheControl: 'private, max-age=60',
        contentLength: 4,
        httpStatusCode: 200,
      }),
    },
  ])
})

test('replaces an object, and keeps one file', async () => {
  const before = filesOnDisk()
  for (const body of ['first', 'second']) await client.send(put('a.txt', body))
  await client.send(put('a.txt/b.txt', 'below'))
  expect([await read('a.txt'), await read('a.txt/b.txt'), filesOnDisk() - before]).toEqual(['second', 'below', 2])
})

test('an empty object has no bytes, and one whose key ends with a slash marks a folder', async () => {
  await client.send(put('empty.txt', '', { ContentLength: 0 }))
  await client.send(put('folder/', '', { ContentLength: 0 }))
  expect(await read('empty.txt')).toBe('')
  expect((await rows()).map((row) => row.name)).toEqual(['empty.txt', 'folder/.emptyFolderPlaceholder'])
})

test('loads ranges', async () => {
  await client.send(put('digits', '0123456789'))
  const range = async (Range: string) => {
    const got = await client.send(get('digits', { Range }))
    return [await got.Body?.transformToString(), got.ContentRange, got.ContentLength]
  }
  expect(await range('bytes=2-4')).toEqual(['234', 'bytes 2-4/10', 3])
  expect(await range('bytes=8-')).toEqual(['89', 'bytes 8-9/10', 2])
  expect(await range('bytes=-3')).toEqual(['789', 'bytes 7-9/10', 3])
  expect(await range('bytes=5-100')).toEqual(['56789', 'bytes 5-9/10', 5])
  expect(await range('bytes=0-1,3-4')).toEqual(['0123456789', undefined, 10])
  for (const Range of ['bytes=10-', 'bytes=-0'])
    await expect(client.send(get('digits', { Range }))).rejects.toMatchObject(refused('InvalidRange', 416))
})

test('compares the ETag and the date of an object', async () => {
  const { ETag = '' } = await client.send(put('a.txt', 'one'))
  const passes = async (more: Partial<GetObjectCommand['input']>) =>
    client.send(get('a.txt', more)).then(
      (got) => got.Body?.transformToString(),
      (error) => error.$metadata.httpStatusCode,
    )
  expect(await passes({ IfMatch: ETag })).toBe('one')
  expect(await passes({ IfMatch: '"other"' })).toBe(412)
  expect(await passes({ IfNoneMatch: ETag })).toBe(304)
  expect(await passes({ IfNoneMatch: '"other"' })).toBe('one')
  expect(await passes({ IfModifiedSince: new Date(Date.now() + 10_000) })).toBe(304)
  expect(await passes({ IfUnmodifiedSince: new Date(Date.now() - 10_000) })).toBe(412)
  const first = put('a.txt', 'two', { IfNoneMatch: '*' })
  await expect(client.send(first)).rejects.toMatchObject(refused('PreconditionFailed', 412))
  await client.send(put('b.txt', 'two', { IfNoneMatch: '*' }))
  expect([await read('a.txt'), await read('b.txt')]).toEqual(['one', 'two'])
  await client.send(put('a.txt', 'three'))
  expect(await passes({ IfMatch: ETag })).toBe(412)
})

test('deletes objects, also missing ones', async () => {
  for (const key of ['a', 'b', 'c']) await client.send(put(key, key))
  const before = filesOnDisk()
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'a' }))
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'missing' }))
  const Objects = [{ Key: 'b' }, { Key: "it's <&> missing" }]
  const { Deleted, Errors } = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }))
  expect([Deleted, Errors]).toEqual([Objects, undefined])
  expect([(await rows()).map((row) => row.name), before - filesOnDisk()]).toEqual([['c'], 2])
})

test('copies an object with its metadata, or with new metadata', async () => {
  await client.send(put('a b.txt', 'kept', { ContentType: 'text/plain', Metadata: { origin: 'test' } }))
  const copy = { Bucket: bucket, CopySource: `${bucket}/a%20b.txt` }
  const { CopyObjectResult } = await client.send(new CopyObjectCommand({ ...copy, Key: 'copy.txt' }))
  expect(CopyObjectResult?.ETag).toMatch(/^"\w{32}"$/)
  await client.send(
    new CopyObjectCommand({ ...copy, Key: 'new.txt', MetadataDirective: 'REPLACE', ContentType: 'text/markdown' }),
  )
  const facts = async (Key: string) => {
    const { ContentType, Metadata } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }))
    return [await read(Key), ContentType, Metadata]
  }
  expect(await facts('copy.txt')).toEqual(['kept', 'text/plain', { origin: 'test' }])
  expect(await facts('new.txt')).toEqual(['kept', 'text/markdown', {}])
})

test('lists keys in the order of their bytes, page by page, and by folders', async () => {
  const all = ['B.txt', 'a/1', 'a/2', 'a/b/1', 'a.txt', 'b/1', 'b/2', 'c'].toSorted()
  await Promise.all(all.map((key) => client.send(put(key, key))))
  async function pages(more: Partial<ListObjectsV2Command['input']>) {
    const found: string[][] = []
    let ContinuationToken: string | undefined
    do {
      const page: ListObjectsV2CommandOutput = await client.send(
        new ListObjectsV2Command({ Bucket: bucket, ...more, ContinuationToken }),
      )
      const both = [...(page.Contents ?? []).map(({ Key }) => Key), ...(page.CommonPrefixes ?? []).map((p) => p.Prefix)]
      expect(page.KeyCount).toBe(both.length)
      found.push(both.map((key) => key ?? '').toSorted())
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken)
    return found
  }
  expect(await pages({})).toEqual([all])
  expect((await pages({ MaxKeys: 3 })).map((page) => page.length)).toEqual([3, 3, 2])
  expect((await pages({ MaxKeys: 3 })).flat()).toEqual(all)
  expect(await pages({ Prefix: 'a/' })).toEqual([['a/1', 'a/2', 'a/b/1']])
  expect(await pages({ Prefix: 'a/', Delimiter: '/' })).toEqual([['a/1', 'a/2', 'a/b/']])
  const top = ['B.txt', 'a.txt', 'a/', 'b/', 'c']
  expect(await pages({ Delimiter: '/' })).toEqual([top])
  expect((await pages({ Delimiter: '/', MaxKeys: 1 })).flat()).toEqual(top)
  expect(await pages({ StartAfter: 'b/1' })).toEqual([['b/2', 'c']])
  expect(await pages({ Prefix: '%' })).toEqual([[]])
  const first = await client.send(new ListObjectsCommand({ Bucket: bucket, MaxKeys: 7 }))
  const rest = await client.send(new ListObjectsCommand({ Bucket: bucket, Marker: first.NextMarker }))
  expect([...(first.Contents ?? []), ...(rest.Contents ?? [])].map(({ Key }) => Key)).toEqual(all)
  expect(first.Contents?.[0]).toMatchObject({ Size: 5, ETag: expect.stringMatching(/^"\w{32}"$/) })
})

test('tells the region of a bucket, and which buckets exist', async () => {
  expect(await client.send(new GetBucketLocationCommand({ Bucket: bucket }))).toMatchObject({
    LocationConstraint: 'local',
  })
  expect(await client.send(new HeadBucketCommand({ Bucket: bucket }))).toMatchObject({ BucketRegion: 'local' })
  const { Buckets } = await client.send(new ListBucketsCommand({}))
  expect(Buckets?.map((one) => one.Name)).toContain(bucket)
})

test('names what does not exist, is too large or is not implemented', async () => {
  await expect(client.send(get('missing'))).rejects.toMatchObject(refused('NoSuchKey', 404))
  const Bucket = 'missing'
  for (const command of [
    new ListObjectsV2Command({ Bucket }),
    new PutObjectCommand({ Bucket, Key: 'a', Body: 'a' }),
    new DeleteObjectCommand({ Bucket, Key: 'a' }),
    new GetBucketLocationCommand({ Bucket }),
  ])
    await expect(client.send(command as GetBucketLocationCommand)).rejects.toMatchObject(refused('NoSuchBucket', 404))
  for (const Key of ['ünïcode', 'a//b', 'a/../b', '../../etc/passwd', 'a/./b', 'a#b', 'x'.repeat(1025)])
    await expect(client.send(put(Key, 'a'))).rejects.toMatchObject(refused('InvalidKey', 400))
  await expect(client.send(put('large', Buffer.alloc(1_048_577)))).rejects.toMatchObject(refused('EntityTooLarge', 413))
  for (const command of [new GetObjectAclCommand({ Bucket: bucket, Key: 'a' }), new CreateBucketCommand({ Bucket })])
    await expect(client.send(command as CreateBucketCommand)).rejects.toMatchObject(refused('NotImplemented', 501))
})

test('refuses wrong keys, unknown keys, other regions and other times', async () => {
  await client.send(put('a.txt', 'kept'))
  const cases: [S3ClientConfig, string][] = [
    [{ credentials: { ...good, secretAccessKey: 'wrong' } }, 'SignatureDoesNotMatch'],
    [{ credentials: { ...good, accessKeyId: 'unknown' } }, 'InvalidAccessKeyId'],
    [{ region: 'ca-central-1' }, 'SignatureDoesNotMatch'],
  ]
  for (const [options, code] of cases)
    for (const command of [get('a.txt'), put('a.txt', 'changed'), new ListObjectsV2Command({ Bucket: bucket })])
      await expect(connect(options).send(command as GetObjectCommand)).rejects.toMatchObject(refused(code, 403))
  for (const region of ['auto', 'us-east-1']) expect(await read('a.txt', connect({ region }))).toBe('kept')
  skewMs = 1_000_000
  await expect(connect().send(get('a.txt'))).rejects.toMatchObject(refused('RequestTimeTooSkewed', 403))
})

test('refuses requests without a signature', async () => {
  await client.send(put('a.txt', 'kept'))
  for (const [method, path] of [
    ['GET', `${bucket}/a.txt`],
    ['GET', bucket],
    ['GET', ''],
    ['PUT', `${bucket}/a.txt`],
    ['DELETE', `${bucket}/a.txt`],
    ['POST', `${bucket}?delete`],
  ] as const) {
    const headers = { authorization: `Bearer ${keys.serviceRoleKey}` }
    const response = await fetch(`${endpoint}/${path}`, { method, headers })
    expect([response.status, await response.text()]).toEqual([
      403,
      expect.stringContaining('<Code>AccessDenied</Code>'),
    ])
  }
  expect(await read('a.txt')).toBe('kept')
})

test("a user's session token has the user's rights", async () => {
  const ids = [crypto.randomUUID(), crypto.randomUUID()]
  const [mine = '', theirs = ''] = ids
  const sessions = await Promise.all(
    ids.map(async (sub) => {
      const exp = Math.floor(Date.now() / 1000) + 3600
      const sessionToken = await signUserJwt({ sub, role: 'authenticated', aud: 'authenticated', exp }, keys)
      return connect({ credentials: { accessKeyId: 'stub', secretAccessKey: keys.anonKey, sessionToken } })
    }),
  )
  const [me = client, other = client] = sessions
  await me.send(put(`${mine}/a.txt`, 'mine'))
  expect(await read(`${mine}/a.txt`, me)).toBe('mine')
  expect(await rows()).toMatchObject([{ owner: mine, owner_id: mine }])
  await expect(me.send(put(`${theirs}/a.txt`, 'x'))).rejects.toMatchObject(refused('AccessDenied', 403))
  await expect(other.send(get(`${mine}/a.txt`))).rejects.toMatchObject(refused('NoSuchKey', 404))
  await expect(other.send(put(`${mine}/a.txt`, 'x'))).rejects.toMatchObject(refused('AccessDenied', 403))
  expect(await other.send(new ListObjectsV2Command({ Bucket: bucket }))).toMatchObject({ KeyCount: 0 })
  await other.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${mine}/a.txt` }))
  const Objects = [{ Key: `${mine}/a.txt` }, { Key: 'missing' }]
  const several = await other.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }))
  expect([several.Deleted, several.Errors?.map(({ Key, Code }) => [Key, Code])]).toEqual([
    [{ Key: 'missing' }],
    [[`${mine}/a.txt`, 'AccessDenied']],
  ])
  expect(await read(`${mine}/a.txt`, me)).toBe('mine')
  const wrong: [object, string][] = [
    [{ accessKeyId: 'stub', secretAccessKey: keys.anonKey, sessionToken: 'no token' }, 'InvalidToken'],
    [{ accessKeyId: 'stub', secretAccessKey: keys.anonKey }, 'InvalidAccessKeyId'],
    [{ ...good, sessionToken: keys.serviceRoleKey }, 'InvalidAccessKeyId'],
    [{ accessKeyId: 'stub', secretAccessKey: 'wrong', sessionToken: keys.serviceRoleKey }, 'SignatureDoesNotMatch'],
  ]
  for (const [credentials, code] of wrong)
    await expect(read(`${mine}/a.txt`, connect({ credentials } as S3ClientConfig))).rejects.toMatchObject({
      name: code,
    })
})

/** Sends bytes on a connection, and returns the answer. */
async function sendBytes(...parts: (string | Buffer | number)[]): Promise<string> {
  const { hostname, port } = new URL(endpoint)
  const socket = connectSocket(Number(port), hostname)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  for (const part of parts) typeof part === 'number' ? await sleep(part) : socket.write(part)
  await new Promise((resolve) => socket.on('error', resolve).on('close', resolve))
  return answer
}

/** Signs an upload with the SDK, and returns the head of its request. */
async function signPut(Key: string, Body: string | Readable, options: S3ClientConfig = asWorker): Promise<string> {
  let head = ''
  const signer = connect(options)
  signer.middlewareStack.add(
    () => async (args) => {
      const request = args.request as {
        method: string
        path: string
        query: Record<string, string>
        headers: Record<string, string>
      }
      const headers = Object.entries(request.headers).map(([header, value]) => `${header}: ${value}\r\n`)
      const path = `${request.path}?${new URLSearchParams(request.query)}`
      head = `${request.method} ${path} HTTP/1.1\r\n${headers.join('')}connection: close\r\n\r\n`
      throw new Error('signed')
    },
    { step: 'deserialize', priority: 'low' },
  )
  await signer.send(put(Key, Body, { ContentLength: 4 })).catch(() => {})
  return head
}

test('refuses a signed request that somebody changed', async () => {
  await client.send(put('other.txt', 'secret'))
  const head = await signPut('a.txt', 'kept')
  const code = async (changed: string, body = 'kept') =>
    /<Code>(\w+)<|HTTP\/1.1 (\d+)/
      .exec((await sendBytes(changed, body)).replace(/^.*?(?=<Code>)/s, ''))
      ?.slice(1)
      .join('')
  expect(await code(head.replace('/a.txt', '/b.txt'))).toBe('SignatureDoesNotMatch')
  expect(await code(head.replace('/a.txt', '/b/../a.txt'))).toBe('SignatureDoesNotMatch')
  expect(await code(head.replace('/a.txt?', '/a.txt?acl&'))).toBe('SignatureDoesNotMatch')
  expect(await code(head.replace('PUT', 'DELETE'))).toBe('SignatureDoesNotMatch')
  expect(await code(head, 'evil')).toBe('XAmzContentSHA256Mismatch')
  expect(await code(head.replace('\r\n', `\r\nx-amz-copy-source: ${bucket}/other.txt\r\n`))).toBe('AccessDenied')
  expect(await code(head.replace('\r\n', '\r\nx-amz-meta-evil: yes\r\n'))).toBe('AccessDenied')
  expect(await code(head.replace(/content-length: 4/, 'content-length: 3'), 'kep')).toBe('SignatureDoesNotMatch')
  expect(await code(head.replace('\r\n', '\r\ncontent-type: text/html\r\ncontent-type: image/png\r\n'))).toMatch(
    /InvalidRequest|SignatureDoesNotMatch/,
  )
  expect((await rows()).map((row) => row.name)).toEqual(['other.txt'])
  expect(await code(head)).toBe('200')
})

test('an upload that is cut off leaves nothing', async () => {
  const before = filesOnDisk()
  const head = await signPut('cut.txt', 'kept')
  const { hostname, port } = new URL(endpoint)
  const socket = connectSocket(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(`${head}ke`)
  await expect.poll(filesOnDisk).toBe(before + 1)
  socket.destroy()
  await expect.poll(filesOnDisk).toBe(before)
  expect(await rows()).toEqual([])
})

test('answers a refused upload whose body nobody reads', async () => {
  const head = await signPut('a.txt', 'kept', { ...asWorker, credentials: { ...good, secretAccessKey: 'wrong' } })
  const large = head.replace('content-length: 4', `content-length: ${2 ** 23}`)
  expect(await sendBytes(large, Buffer.alloc(2 ** 23))).toContain('<Code>SignatureDoesNotMatch</Code>')
})

test('refuses a list of keys that is too long, in another form, or larger than 2 MiB', async () => {
  const remove = (Objects: { Key: string }[]) =>
    client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }))
  for (const keys of [[], Array.from({ length: 1001 }, (_, n) => `k${n}`), ['x'.repeat(2 ** 21)], ['']])
    await expect(remove(keys.map((Key) => ({ Key })))).rejects.toMatchObject(refused('MalformedXML', 400))
  expect((await remove(Array.from({ length: 1000 }, (_, n) => ({ Key: `k${n}` })))).Deleted).toHaveLength(1000)
})

test('overwrites of an object during reads give one of the two', async () => {
  await client.send(put('a.txt', 'first'))
  const bodies = ['first', 'other']
  const writes = Array.from({ length: 30 }, (_, n) => client.send(put('a.txt', bodies[n % 2] ?? '')))
  const reads = Array.from({ length: 60 }, () => read('a.txt'))
  expect(bodies).toEqual(expect.arrayContaining([...new Set(await Promise.all(reads))]))
  await Promise.all(writes)
})
