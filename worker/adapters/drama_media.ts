import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { fileTypeFromBuffer } from 'file-type'
import { StepError } from '../outcomes/outcome.ts'
import { type Store, StoreError } from '../shared/object_store.ts'
import type { Picture } from './gemini.ts'

/**
 * The media of dramas (images and videos), stored below `drama-assets/` in the bucket of assets. A call throws a retryable
 * StepError when the store does not answer, a permanent one when this process has no store, and the signal's reason when the
 * signal aborts.
 */
export type DramaMedia = {
  /** Throws when this process has no store. Call it before you pay for a file. */
  requireStore(): void
  /** Stores a file and returns the URL where clients load it. The key is a hash of the bytes, so a repetition is harmless. */
  put(file: { dramaId: string; bytes: Buffer; mimeType: string; signal: AbortSignal }): Promise<string>
  /**
   * Loads an image from our bucket. Returns undefined when the URL is outside our bucket, or when the object is missing or
   * not an image. URLs outside the bucket are never fetched, because an owner could use the worker to reach our network.
   */
  load(url: string, signal: AbortSignal): Promise<Picture | undefined>
}

const extensions: Record<string, string> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'video/mp4': 'mp4',
  'video/webm': 'webm',
}
const pictureMaxBytes = 20 * 2 ** 20
const rememberedMaxBytes = 32 * 2 ** 20

/** Without a store (a pool may have none), each call fails with `store_not_configured`. */
export function createDramaMedia(store: Store | undefined, publicUrl: string | undefined): DramaMedia {
  // Recently stored or loaded images. Each scene with a character loads its portrait, and bytes under a hash never change.
  const remembered = new Map<string, Picture>()
  let rememberedBytes = 0

  function remember(key: string, picture: Picture): void {
    if (!key.startsWith('drama-assets/') || remembered.has(key)) return
    remembered.set(key, picture)
    rememberedBytes += picture.bytes.length
    for (const [oldest, { bytes }] of remembered) {
      if (rememberedBytes <= rememberedMaxBytes) break
      remembered.delete(oldest)
      rememberedBytes -= bytes.length
    }
  }

  function recall(key: string): Picture | undefined {
    const picture = remembered.get(key)
    if (picture === undefined) return undefined
    // Move it to the end: the map is in order of last use.
    remembered.delete(key)
    remembered.set(key, picture)
    return picture
  }

  function requireStore(): { store: Store; publicUrl: string } {
    if (store !== undefined && publicUrl !== undefined) return { store, publicUrl }
    throw new StepError(
      'store_not_configured',
      'This worker has no object store. The operator must set SPACES_* and ASSETS_CDN_URL, or leave this type out of WORKER_TYPES.',
      { isPermanent: true },
    )
  }

  return {
    requireStore: () => void requireStore(),

    async put({ dramaId, bytes, mimeType, signal }) {
      const { store, publicUrl } = requireStore()
      const extension = extensions[mimeType]
      const found = await fileTypeFromBuffer(bytes)
      if (extension === undefined || found?.mime !== mimeType) {
        throw new StepError(
          'provider_answer_invalid',
          `The file does not have its declared type, ${mimeType.slice(0, 100)}.`,
        )
      }
      const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 40)
      const key = `drama-assets/${dramaId}/${hash}.${extension}`
      try {
        await store.put(
          {
            key,
            open: () => Readable.from([bytes]),
            length: bytes.length,
            contentType: mimeType,
            // A cache may show a deleted file for a day at most.
            cacheControl: 'public, max-age=86400',
            // The file is already paid for, so a short outage of the store must not lose it.
            attempts: 6,
          },
          signal,
        )
      } catch (error) {
        signal.throwIfAborted()
        throw unavailable(error)
      }
      if (mimeType.startsWith('image/')) remember(key, { bytes, mimeType })
      return `${publicUrl}/${key}`
    },

    async load(url, signal) {
      const { store, publicUrl } = requireStore()
      const key = url.startsWith(`${publicUrl}/`) ? url.slice(publicUrl.length + 1) : ''
      if (!/^(drama|shared)-assets\/[a-z0-9-]+(\/[a-z0-9-]+)*\.[a-z0-9]+$/i.test(key)) return undefined
      const known = recall(key)
      if (known !== undefined) return known
      try {
        const bytes = await store.get(key, pictureMaxBytes, signal)
        const mimeType = (await fileTypeFromBuffer(bytes))?.mime
        if (!mimeType || !/^image\/(png|jpeg|webp)$/.test(mimeType)) return undefined
        remember(key, { bytes, mimeType })
        return { bytes, mimeType }
      } catch (error) {
        signal.throwIfAborted()
        const cause = error instanceof StoreError ? (error.cause as Error | undefined) : undefined
        if (cause?.name === 'NoSuchKey') return undefined
        throw unavailable(error)
      }
    },
  }
}

/** A store that refuses a request refuses the same one after each retry, and each retry of a step may buy a file again. */
function unavailable(cause: unknown): StepError {
  if (cause instanceof StoreError && cause.isRefused) {
    const message = 'The object store refuses the file. Tell the operator, then retry the run.'
    return new StepError('store_unavailable', message, { cause, isPermanent: true })
  }
  return new StepError('store_unavailable', 'The object store does not answer. Retry the run later.', { cause })
}
