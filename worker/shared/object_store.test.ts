import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type FaultyStore,
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
  store = createSpaces(spacesConfig(faulty.port))
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

test('a put is uncertain if one of its attempts was, even if the store refuses the other one', async () => {
  faulty.fail('error', { method: 'PUT', times: 1 })
  faulty.fail('forbid', { method: 'PUT', times: 1 })
  await expect(put('a.txt', Buffer.from('a'))).rejects.toMatchObject({ isUncertain: true })
  expect(faulty.failures('PUT')).toBe(2)
  faulty.fail('forbid', { method: 'PUT', times: 1 })
  await expect(put('a.txt', Buffer.from('a'))).rejects.toMatchObject({ isUncertain: false })
  expect(faulty.failures('PUT')).toBe(3)
})

test('get returns an object of exactly the limit, and refuses an object that has one byte more', async () => {
  await put('ten.txt', Buffer.from('0123456789'))
  expect(String(await store.get('ten.txt', 10))).toBe('0123456789')
  await expect(store.get('ten.txt', 9)).rejects.toMatchObject({ isTooLarge: true, isSilence: false })
})
