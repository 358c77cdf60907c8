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
import type { DramaDeps } from '../handlers/dramas/deps.ts'
import generateImage from '../handlers/dramas/generate_image.ts'
import generateVideo from '../handlers/dramas/generate_video.ts'
import { createSpaces, type Store } from '../shared/object_store.ts'
import type { Step } from '../steps/define_handler.ts'
import { createDramaMedia, type DramaMedia } from './drama_media.ts'

let real: TestStore
let faulty: FaultyStore
let store: Store
let media: DramaMedia
const dramaId = '6f1f4d1e-50d5-4f0e-9c50-0d1f0a3e7b11'
const signal = new AbortController().signal
const bytes = makePng('A lamp')

beforeAll(async () => {
  real = await startTestStore()
  faulty = await startFaultyStore(real.port)
  store = createSpaces(spacesConfig(faulty.port))
  media = createDramaMedia(store, assetsUrl(real.port))
})
beforeEach(() => faulty.heal())
afterAll(async () => {
  store.close()
  faulty.stop()
  await real.stop()
})

test('everybody can load a stored image, and storing it again returns the same URL', async () => {
  const url = await media.put({ dramaId, bytes, mimeType: 'image/png', signal })
  expect(url).toMatch(new RegExp(`^${real.url}/drama-assets/${dramaId}/[0-9a-f]{40}\\.png$`))
  const response = await fetch(url)
  expect(response.headers.get('content-type')).toBe('image/png')
  expect(response.headers.get('cache-control')).toBe('public, max-age=86400')
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  // Another process loads it once; the process that stored it does not load it at all.
  const other = createDramaMedia(store, assetsUrl(real.port))
  for (const one of [other, other, media]) {
    expect(await one.load(url, signal)).toEqual({ bytes, mimeType: 'image/png' })
  }
  expect(faulty.requests('GET')).toBe(1)
  expect(await media.put({ dramaId, bytes, mimeType: 'image/png', signal })).toBe(url)
  expect(await real.keys()).toHaveLength(1)
})

test('a file that is not of its declared type is refused', async () => {
  for (const [what, mimeType] of [
    [Buffer.from('<svg onload="alert(1)"/>'), 'image/png'],
    [bytes, 'image/jpeg'],
    [Buffer.from('<html>'), 'text/html'],
  ] as const) {
    await expect(media.put({ dramaId, bytes: what, mimeType, signal })).rejects.toMatchObject({
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
])('%s is never fetched', async (url) => {
  const before = faulty.requests('GET')
  expect(await media.load(url.replace('%', real.url), signal)).toBeUndefined()
  expect(faulty.requests('GET')).toBe(before)
})

test('a URL of another host that ends like the URL of a stored image is not the stored image', async () => {
  const url = await media.put({ dramaId, bytes, mimeType: 'image/png', signal })
  const foreign = url.replace('127.0.0.1', '128.0.0.1')
  expect(await createDramaMedia(store, assetsUrl(real.port)).load(foreign, signal)).toBeUndefined()
})

test('load gives undefined for a missing object and for a video', async () => {
  expect(await media.load(`${real.url}/drama-assets/${dramaId}/gone.png`, signal)).toBeUndefined()
  const video = Buffer.concat([Buffer.from('00000014667479706d70343200000000', 'hex'), Buffer.alloc(100)])
  const url = await media.put({ dramaId, bytes: video, mimeType: 'video/mp4', signal })
  expect(await media.load(url, signal)).toBeUndefined()
})

test('put survives a short outage of the store; a long outage is a retryable failure', async () => {
  faulty.fail('error', { method: 'PUT', times: 3 })
  await expect(media.put({ dramaId, bytes, mimeType: 'image/png', signal })).resolves.toMatch('.png')
  faulty.fail('error')
  for (const call of [
    () => media.put({ dramaId, bytes, mimeType: 'image/png', signal }),
    () => media.load(`${real.url}/drama-assets/${dramaId}/x.png`, signal),
  ]) {
    await expect(call()).rejects.toMatchObject({ slug: 'store_unavailable', isPermanent: false })
  }
})

test('a store that refuses a file is asked once, and the step fails permanently, before it buys another file', async () => {
  for (const [status, code] of [
    [403, 'AccessDenied'],
    [501, 'NotImplemented'],
  ] as const) {
    const before = faulty.requests('PUT')
    faulty.fail({ status, body: `<Error><Code>${code}</Code><Message>No.</Message></Error>` }, { method: 'PUT' })
    await expect(media.put({ dramaId, bytes, mimeType: 'image/png', signal })).rejects.toMatchObject({
      slug: 'store_unavailable',
      isPermanent: true,
    })
    expect(faulty.requests('PUT')).toBe(before + 1)
    faulty.heal()
  }
})

test('an aborted put throws the reason of the signal', async () => {
  faulty.fail('error')
  const reason = new Error('The run has ended, or another worker has the step.')
  const abort = new AbortController()
  setTimeout(() => abort.abort(reason), 100)
  await expect(media.put({ dramaId, bytes, mimeType: 'image/png', signal: abort.signal })).rejects.toBe(reason)
})

test('without a store, each call fails permanently, and a handler fails before it pays for a file', async () => {
  const none = createDramaMedia(undefined, undefined)
  const refusal = { slug: 'store_not_configured', isPermanent: true }
  await expect(none.put({ dramaId, bytes, mimeType: 'image/png', signal })).rejects.toMatchObject(refusal)
  await expect(none.load(`${assetsUrl(1)}/drama-assets/a/b.png`, signal)).rejects.toMatchObject(refusal)
  const step = { state: null, outputs: {}, signal } as unknown as Step
  const input = { drama_id: dramaId, target_id: dramaId, model: 'm', style: '', prompt: 'x', references: [] }
  // Any use of Gemini or of a template would be a TypeError.
  const deps = { media: none } as DramaDeps
  await expect(generateImage(deps)({ ...input, kind: 'image' }, step)).rejects.toMatchObject(refusal)
  await expect(generateVideo(deps)({ ...input, kind: 'video' }, step)).rejects.toMatchObject(refusal)
})
