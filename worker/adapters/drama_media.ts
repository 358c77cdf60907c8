import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileTypeFromBuffer } from 'file-type'
import { type Store, StoreError } from '../shared/object_store.ts'
import { StepError } from '../steps/outcome.ts'
import type { Picture } from './gemini.ts'

/**
 * The images and videos of dramas, below `drama-assets/` in the bucket of assets. Each call throws a StepError when the store
 * does not answer, which is worth another attempt, or what the signal was aborted with.
 */
export type DramaAssets = {
  /** Puts a file, and says where clients load it. Its name is the hash of its bytes: put again, it lies where it lay. */
  put(file: { dramaId: string; bytes: Buffer; mimeType: string; signal: AbortSignal }): Promise<string>
  /**
   * A picture of our bucket; undefined where the URL is none of ours, or there is no picture. Whatever else an owner may have
   * written there is never fetched: a worker that did would be a way into our network.
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
const attempts = 4
const rememberedMaxBytes = 32 * 2 ** 20

export function createDramaAssets(store: Store, publicUrl: string): DramaAssets {
  // What was put or loaded lately: a portrait is wanted for each of its scenes, and what lies under a hash stays as it is.
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
    // The last one to be forgotten.
    remembered.delete(key)
    remembered.set(key, picture)
    return picture
  }

  return {
    async put({ dramaId, bytes, mimeType, signal }) {
      const extension = extensions[mimeType]
      const found = await fileTypeFromBuffer(bytes)
      if (extension === undefined || found?.mime !== mimeType) {
        throw new StepError('provider_answer_invalid', `What came as ${mimeType.slice(0, 100)} is none.`)
      }
      const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 40)
      const key = `drama-assets/${dramaId}/${hash}.${extension}`
      // It is paid for: a store that is away for a moment must not cost it.
      for (let attempt = 1; ; attempt++) {
        try {
          await store.put(
            {
              key,
              open: () => Readable.from([bytes]),
              length: bytes.length,
              contentType: mimeType,
              cacheControl: 'public, max-age=31536000, immutable',
            },
            signal,
          )
          if (mimeType.startsWith('image/')) remember(key, { bytes, mimeType })
          return `${publicUrl}/${key}`
        } catch (error) {
          signal.throwIfAborted()
          if (attempt === attempts) throw unavailable(error)
          await sleep(250 * 2 ** attempt, undefined, { signal }).catch(() => signal.throwIfAborted())
        }
      }
    },

    async load(url, signal) {
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

function unavailable(cause: unknown): StepError {
  return new StepError('store_unavailable', `The object store does not answer: ${(cause as Error).message}.`, { cause })
}
