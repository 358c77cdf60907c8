import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type FaultyStore,
  slowDown,
  spacesConfig,
  startFaultyStore,
  startTestStore,
  type TestStore,
} from '../../scripts/testing/store.ts'
import { createSpaces, type Store } from './object_store.ts'

let real: TestStore
let faulty: FaultyStore
let store: Store

beforeAll(async () => {
  real = await startTestStore()
  faulty = await startFaultyStore(real.port)
  store = createSpaces(spacesConfig(faulty.port, undefined, 3))
})
beforeEach(() => faulty.heal())
afterAll(async () => {
  store.close()
  faulty.stop()
  await real.stop()
})

const put = (key: string, bytes: Buffer) =>
  store.put({
    key,
    open: () => Readable.from([bytes]),
    length: bytes.length,
    contentType: 'text/plain',
    cacheControl: 'no-store',
  })

const s3 = (status: number, code: string, message = 'No.') => ({
  status,
  body: `<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
})
/** Each call of the store, with its method. */
const calls = {
  put: ['PUT', () => put('a.txt', Buffer.from('a'))],
  get: ['GET', () => store.get('a.txt', 10)],
  delete: ['DELETE', () => store.delete('b.txt')],
  list: ['GET', () => Array.fromAsync(store.list(''))],
} as const

describe.each(Object.entries(calls))('%s', (_name, [method, call]) => {
  beforeEach(() => put('a.txt', Buffer.from('a')))

  test('is repeated while the store says SlowDown', async () => {
    const failed = faulty.failures(method)
    faulty.fail({ status: 503, body: slowDown }, { method, times: 2 })
    await call()
    expect(faulty.failures(method)).toBe(failed + 2)
  })

  test('is not repeated at NotImplemented, which is certain', async () => {
    const failed = faulty.failures(method)
    faulty.fail(s3(501, 'NotImplemented'), { method })
    await expect(call()).rejects.toMatchObject({ isUncertain: false, isRefused: true })
    expect(faulty.failures(method)).toBe(failed + 1)
  })

  test('is repeated four times at a gateway without a store, and is uncertain', async () => {
    const failed = faulty.failures(method)
    faulty.fail({ status: 502, body: '<html><body>Bad gateway' }, { method })
    await expect(call()).rejects.toMatchObject({ isUncertain: true, isRefused: false })
    expect(faulty.failures(method)).toBe(failed + 4)
  })
})

test('no call waits longer for a silent store than SPACES_TIMEOUT_SECONDS, with all its attempts', async () => {
  faulty.fail('hang')
  // The fastest of some rounds, because other work on this machine only adds time.
  let seconds = Number.POSITIVE_INFINITY
  for (let round = 1; round <= 10 && seconds > 5.5; round++) {
    const startedAt = performance.now()
    const outcomes = await Promise.allSettled(Object.values(calls).map(([, call]) => call()))
    seconds = (performance.now() - startedAt) / 1000
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { message: expect.stringContaining('no answer within 3 s') } })
    }
    expect(seconds).toBeGreaterThan(2.9)
  }
  // Twice as long before.
  expect(seconds).toBeLessThan(5.5)
})

test('a pause that the store asks for is kept, and growing pauses replace one that is longer than the rest of the time', async () => {
  const asksFor = (seconds: number) => ({ status: 503, body: slowDown, headers: { 'retry-after': String(seconds) } })
  faulty.fail(asksFor(1), { method: 'PUT', times: 1 })
  const startedAt = performance.now()
  await put('a.txt', Buffer.from('a'))
  expect(performance.now() - startedAt).toBeGreaterThan(990)

  const failed = faulty.failures('PUT')
  faulty.fail(asksFor(120), { method: 'PUT', times: 2 })
  await put('a.txt', Buffer.from('a'))
  expect(faulty.failures('PUT')).toBe(failed + 2)
})

test('refusals before the body is read leave no connection behind', async () => {
  const narrow = createSpaces(spacesConfig(faulty.port), { sockets: 2 })
  const bytes = Buffer.alloc(1_500_000)
  const object = { key: 'early.txt', length: bytes.length, contentType: 'text/plain', cacheControl: 'no-store' }
  const send = () => narrow.put({ ...object, open: () => Readable.from([bytes]) })
  faulty.fail({ ...s3(403, 'AccessDenied'), isEarly: true }, { method: 'PUT' })
  for (let n = 0; n < 6; n++) await expect(send()).rejects.toThrow('Putting an object failed')
  faulty.heal()
  await send()
  narrow.close()
})

test('an answer without an ETag is not from an object store, so the put is uncertain', async () => {
  faulty.fail({ status: 200 }, { method: 'PUT' })
  await expect(put('a.txt', Buffer.from('a'))).rejects.toMatchObject({
    message: expect.stringContaining('no ETag'),
    isUncertain: true,
  })
})

test('an answer to a delete that is a page is not from an object store, so nothing counts as deleted', async () => {
  const page = { status: 200, body: '<html>Welcome', headers: { 'content-type': 'text/html' } }
  faulty.fail(page, { method: 'DELETE' })
  await expect(store.delete('a.txt')).rejects.toMatchObject({
    message: expect.stringContaining('not from an object store'),
    isUncertain: true,
  })
  faulty.heal()
  faulty.fail({ status: 200 }, { method: 'DELETE' })
  await store.delete('a.txt')
})

test.each([
  ['nothing', undefined],
  ['no listing', '<ListBucketResult></ListBucketResult>'],
  ['no token for its next page', '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'],
])('a listing with %s is an error, not the end of the objects', async (_what, body) => {
  faulty.fail({ status: 200, ...(body && { body }) }, { method: 'GET' })
  await expect(Array.fromAsync(store.list(''))).rejects.toThrow('Listing objects failed')
})

test('a listing and an error may begin with a byte order mark', async () => {
  const listing = '\uFEFF<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>'
  faulty.fail({ status: 200, body: listing }, { method: 'GET', times: 1 })
  expect(await Array.fromAsync(store.list(''))).toEqual([[]])
  faulty.heal()
  const { body } = s3(403, 'AccessDenied', 'Not yours.')
  faulty.fail({ status: 403, body: `\uFEFF${body}` }, { method: 'DELETE' })
  await expect(store.delete('a.txt')).rejects.toThrow('Not yours.')
})

test('public objects get the ACL public-read, private objects get no ACL, and with SPACES_ACL=none no object gets an ACL', async () => {
  const acl = () => faulty.headers('PUT')['x-amz-acl']
  await put('a.txt', Buffer.from('a'))
  expect(acl()).toBe('public-read')
  const object = {
    key: 'b.txt',
    open: () => Readable.from(['b']),
    length: 1,
    contentType: 'text/plain',
    cacheControl: 'no-store',
  }
  await store.put({ ...object, isPrivate: true })
  expect(acl()).toBeUndefined()
  const without = createSpaces({ ...spacesConfig(faulty.port), SPACES_ACL: 'none' })
  await without.put(object)
  without.close()
  expect(acl()).toBeUndefined()
})

test('the region of the bucket is found with a wrong region, and a wrong region is named as the reason elsewhere', async () => {
  const elsewhere = createSpaces(
    { ...spacesConfig(faulty.port), SPACES_REGION: 'ca-central-1' },
    { variables: 'TEMPLATES_STORE' },
  )
  expect(await elsewhere.region()).toBe('us-east-1')
  await expect(elsewhere.get('a.txt', 10)).rejects.toThrow(
    'Correct TEMPLATES_STORE_REGION, which is ca-central-1, or TEMPLATES_STORE_SECRET_ACCESS_KEY.',
  )
  const body =
    '<Error><Code>AuthorizationHeaderMalformed</Code><Message>No.</Message><Region>eu-west-3</Region></Error>'
  faulty.fail({ status: 400, body })
  expect(await elsewhere.region()).toBe('eu-west-3')
  elsewhere.close()
})

test('a put is uncertain if one of its attempts was, even if the store refuses the other one', async () => {
  const failed = faulty.failures('PUT')
  faulty.fail('error', { method: 'PUT', times: 1 })
  faulty.fail('forbid', { method: 'PUT', times: 1 })
  await expect(put('a.txt', Buffer.from('a'))).rejects.toMatchObject({ isUncertain: true })
  expect(faulty.failures('PUT')).toBe(failed + 2)
  faulty.fail('forbid', { method: 'PUT', times: 1 })
  await expect(put('a.txt', Buffer.from('a'))).rejects.toMatchObject({ isUncertain: false })
  expect(faulty.failures('PUT')).toBe(failed + 3)
})

test('get returns an object of exactly the limit, and refuses an object that has one byte more', async () => {
  await put('ten.txt', Buffer.from('0123456789'))
  expect(String(await store.get('ten.txt', 10))).toBe('0123456789')
  await expect(store.get('ten.txt', 9)).rejects.toMatchObject({ isTooLarge: true, isSilence: false })
})

test('get with an ETag returns only the object that has it', async () => {
  await put('photo.txt', Buffer.from('first'))
  const eTag = createHash('md5').update('first').digest('hex')
  for (const spelling of [eTag, `"${eTag}"`]) {
    expect(String(await store.get('photo.txt', 10, undefined, spelling))).toBe('first')
  }
  await put('photo.txt', Buffer.from('second'))
  await expect(store.get('photo.txt', 10, undefined, eTag)).rejects.toMatchObject({ isChanged: true, isMissing: false })
  await expect(store.get('none.txt', 10, undefined, eTag)).rejects.toMatchObject({ isChanged: false, isMissing: true })
})

test.each(['..', 'a/../b', './a', 'a/.', 'a/..'])('sends no request for the key %j', async (key) => {
  const before = ['PUT', 'GET', 'DELETE'].map(faulty.requests)
  const isOurs = expect.objectContaining({ isRefused: true, isSilence: false, isUncertain: false })
  await expect(put(key, Buffer.from('a'))).rejects.toEqual(isOurs)
  await expect(store.get(key, 10)).rejects.toEqual(isOurs)
  await expect(store.delete(key)).rejects.toEqual(isOurs)
  expect(['PUT', 'GET', 'DELETE'].map(faulty.requests)).toEqual(before)
})
