import { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestStore, type TestStore } from '../testing/store.ts'
import { assetBucket, templateBucket } from './services.ts'

let store: TestStore
const clients: S3Client[] = []
const key = "shared-assets/a name with spaces, +, (), ' & ünïcode.txt"
beforeAll(async () => {
  store = await startTestStore()
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await store.stop()
})

function connect(secretAccessKey = 'S3RVER', options: S3ClientConfig = {}, accessKeyId = 'S3RVER'): S3Client {
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${store.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...options,
  })
  clients.push(client)
  return client
}
const put = (Key: string, Body: string | Readable, ContentLength?: number) =>
  new PutObjectCommand({ Bucket: assetBucket, Key, Body, ContentLength })

test('an object is stored and loaded with the right key, and by its URL without one', async () => {
  await connect().send(put(key, 'kept'))
  const got = await connect().send(new GetObjectCommand({ Bucket: assetBucket, Key: key }))
  expect(await got.Body?.transformToString()).toBe('kept')
  const path = key.split('/').map(encodeURIComponent).join('/')
  expect(await (await fetch(`${store.url}/${path}`)).text()).toBe('kept')
  expect((await fetch(`${store.url}/${path}`, { method: 'PUT', body: 'changed' })).status).toBe(403)
  expect((await fetch(`${store.url}/${path}`, { method: 'DELETE' })).status).toBe(403)
  expect(await (await fetch(`${store.url}/${path}`)).text()).toBe('kept')
})

test('no browser may guess the type of an object', async () => {
  await connect().send(put('shared-assets/page.txt', '<html>'))
  const { status, headers } = await fetch(`${store.url}/shared-assets/page.txt`)
  expect([status, headers.get('x-content-type-options')]).toEqual([200, 'nosniff'])
})

test('a wrong secret and an unknown access key are refused with 403', async () => {
  const refused = { $metadata: { httpStatusCode: 403 } }
  for (const client of [connect('wrong'), connect('S3RVER', {}, 'UNKNOWN')]) {
    await expect(client.send(put(key, 'changed'))).rejects.toMatchObject(refused)
    await expect(client.send(new GetObjectCommand({ Bucket: assetBucket, Key: key }))).rejects.toMatchObject(refused)
  }
  const list = new ListObjectsV2Command({ Bucket: assetBucket })
  await expect(connect('S3RVER', {}, 'UNKNOWN').send(list)).rejects.toMatchObject(refused)
})

test('pages of any origin may read public objects, and nothing else', async () => {
  await connect().send(put('shared-assets/page.txt', 'kept'))
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const url = `http://127.0.0.1:${store.port}/${path}`
    const response = await fetch(url, { method, headers: { origin: 'https://app.example', ...headers } })
    return [response.status, response.headers.get('access-control-allow-origin')]
  }
  const preflight = (method: string) => ({
    'access-control-request-method': method,
    'access-control-request-headers': 'range',
  })
  const [object, template] = [`${assetBucket}/shared-assets/page.txt`, `${templateBucket}/demo/1.0.0/prompt.md`]
  expect(await ask('GET', object)).toEqual([200, '*'])
  expect(await ask('HEAD', object)).toEqual([200, '*'])
  expect(await ask('GET', `${assetBucket}/shared-assets/gone.txt`)).toEqual([404, '*'])
  expect(await ask('OPTIONS', object, preflight('GET'))).toEqual([204, '*'])
  expect((await ask('OPTIONS', object, preflight('PUT')))[0]).toBe(403)
  for (const [method, path] of [
    ['GET', template],
    ['GET', assetBucket],
    ['PUT', object],
    ['DELETE', object],
  ] as const)
    expect(await ask(method, path)).toEqual([403, null])
  expect(await ask('OPTIONS', template, preflight('GET'))).toEqual([403, null])
})

test('a signature for another region is refused as a wrong one, also for the bucket', async () => {
  const elsewhere = connect('S3RVER', { region: 'ca-central-1' })
  const refused = { name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } }
  await expect(elsewhere.send(put(key, 'changed'))).rejects.toMatchObject(refused)
  await expect(elsewhere.send(new ListObjectsV2Command({ Bucket: assetBucket }))).rejects.toMatchObject(refused)
})

test('an object of a private bucket, and a list, need a signature', async () => {
  const at = { Bucket: templateBucket, Key: 'demo/1.0.0/prompt.md' }
  await connect().send(new PutObjectCommand({ ...at, Body: 'private' }))
  const url = `http://127.0.0.1:${store.port}/${at.Bucket}/${at.Key}`
  expect((await fetch(url)).status).toBe(403)
  for (const list of [`${at.Bucket}?list-type=2`, `${assetBucket}?list-type=2`, `${assetBucket}/?list-type=2`, ''])
    expect((await fetch(`http://127.0.0.1:${store.port}/${list}`)).status).toBe(403)
  const got = await connect().send(new GetObjectCommand(at))
  expect(await got.Body?.transformToString()).toBe('private')
})

test('serves no other folder as a bucket, not even with the right key', async () => {
  const at = { Bucket: 'other-bucket', Key: 'a.txt' }
  const refused = { name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }
  await expect(connect().send(new PutObjectCommand({ ...at, Body: 'x' }))).rejects.toMatchObject(refused)
  await expect(connect().send(new GetObjectCommand(at))).rejects.toMatchObject(refused)
  await expect(connect().send(new CreateBucketCommand(at))).rejects.toMatchObject(refused)
})

test('a stream with a checksum in its trailer is refused, and not stored with the trailer', async () => {
  const client = connect('S3RVER', { requestChecksumCalculation: 'WHEN_SUPPORTED' })
  const upload = put('shared-assets/stream.txt', Readable.from([Buffer.from('bytes')]), 5)
  await expect(client.send(upload)).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } })
  expect(await store.keys()).not.toContain('shared-assets/stream.txt')
})

test('a list comes page by page', async () => {
  const names = Array.from({ length: 5 }, (_, n) => `pages/${n}.txt`)
  for (const name of names) await connect().send(put(name, 'x'))
  const found: (string | undefined)[] = []
  let ContinuationToken: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await connect().send(
      new ListObjectsV2Command({ Bucket: assetBucket, Prefix: 'pages/', MaxKeys: 2, ContinuationToken }),
    )
    found.push(...(page.Contents ?? []).map(({ Key }) => Key))
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  expect(found).toEqual(names)
})
