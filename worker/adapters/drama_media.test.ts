import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { makePng } from '../../scripts/local/gemini.ts'
import { assetsUrl } from '../../scripts/local/services.ts'
import {
  type FaultyStore,
  spacesConfig,
  startFaultyStore,
  startTestStore,
  type TestStore,
} from '../../scripts/testing/store.ts'
import { createSpaces, type Store } from '../shared/object_store.ts'
import { createDramaAssets, type DramaAssets } from './drama_media.ts'

let real: TestStore
let faulty: FaultyStore
let store: Store
let assets: DramaAssets
const dramaId = '6f1f4d1e-50d5-4f0e-9c50-0d1f0a3e7b11'
const signal = new AbortController().signal
const bytes = makePng('A lamp')

beforeAll(async () => {
  real = await startTestStore()
  faulty = await startFaultyStore(real.port)
  store = createSpaces(spacesConfig(faulty.port))
  assets = createDramaAssets(store, assetsUrl(real.port))
})
beforeEach(() => faulty.heal())
afterAll(async () => {
  store.close()
  faulty.stop()
  await real.stop()
})

test('what is put can be loaded by anybody and by us, and lies where it lay when it is put again', async () => {
  const url = await assets.put({ dramaId, bytes, mimeType: 'image/png', signal })
  expect(url).toMatch(new RegExp(`^${real.url}/drama-assets/${dramaId}/[0-9a-f]{40}\\.png$`))
  const response = await fetch(url)
  expect(response.headers.get('content-type')).toBe('image/png')
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  // Another process has to load it, and does so once; the one that has put it does not.
  const other = createDramaAssets(store, assetsUrl(real.port))
  for (const one of [other, other, assets]) {
    expect(await one.load(url, signal)).toEqual({ bytes, mimeType: 'image/png' })
  }
  expect(faulty.requests('GET')).toBe(1)
  expect(await assets.put({ dramaId, bytes, mimeType: 'image/png', signal })).toBe(url)
  expect(await real.keys()).toHaveLength(1)
})

test('what is not what it says it is, is not put', async () => {
  for (const [what, mimeType] of [
    [Buffer.from('<svg onload="alert(1)"/>'), 'image/png'],
    [bytes, 'image/jpeg'],
    [Buffer.from('<html>'), 'text/html'],
  ] as const) {
    await expect(assets.put({ dramaId, bytes: what, mimeType, signal })).rejects.toMatchObject({
      slug: 'provider_answer_invalid',
    })
  }
})

test.each([
  'http://169.254.169.254/latest/meta-data',
  'https://elsewhere.example/drama-assets/x/y.png',
  '%/../template-artifacts/drama/v1.0.0/outline_prompt.en.md',
  '%/drama-assets/../secret.png',
  '%/drama-assets/x/y.png?versionId=1',
  '%.evil.example/drama-assets/x/y.png',
  '%/templates/x.png',
])('%s is not loaded', async (url) => {
  const before = faulty.requests('GET')
  expect(await assets.load(url.replace('%', real.url), signal)).toBeUndefined()
  expect(faulty.requests('GET')).toBe(before)
})

test('what is not there, or is no picture, is left out', async () => {
  expect(await assets.load(`${real.url}/drama-assets/${dramaId}/gone.png`, signal)).toBeUndefined()
  const video = Buffer.concat([Buffer.from('00000014667479706d70343200000000', 'hex'), Buffer.alloc(100)])
  const url = await assets.put({ dramaId, bytes: video, mimeType: 'video/mp4', signal })
  expect(await assets.load(url, signal)).toBeUndefined()
})

test('a store that is away for a moment costs no picture; one that stays away is worth another attempt', async () => {
  faulty.fail('error', { method: 'PUT', times: 3 })
  await expect(assets.put({ dramaId, bytes, mimeType: 'image/png', signal })).resolves.toMatch('.png')
  faulty.fail('error')
  for (const call of [
    () => assets.put({ dramaId, bytes, mimeType: 'image/png', signal }),
    () => assets.load(`${real.url}/drama-assets/${dramaId}/x.png`, signal),
  ]) {
    await expect(call()).rejects.toMatchObject({ slug: 'store_unavailable', isPermanent: false })
  }
})

test('a step that is stopped says why', async () => {
  faulty.fail('error')
  const reason = new Error('The step is not wanted any more.')
  const abort = new AbortController()
  setTimeout(() => abort.abort(reason), 100)
  await expect(assets.put({ dramaId, bytes, mimeType: 'image/png', signal: abort.signal })).rejects.toBe(reason)
})
