import { Readable } from 'node:stream'
import { fileTypeFromBuffer } from 'file-type'
import { z } from 'zod'
import { StepError } from '../outcomes/outcome.ts'
import { createByteRoom } from '../shared/byte_room.ts'
import { createSpaces, type Store, StoreError } from '../shared/object_store.ts'
import type { Picture } from './gemini.ts'

/** The limit of bucket user_uploads. */
const photoMaxBytes = 20 * 2 ** 20

/** The part of the worker's environment that says where the files of users are: the S3 API of Supabase Storage. */
export const storageVariables = {
  /** Optional, with the three variables below it. */
  STORAGE_S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://<project>.storage.supabase.co/storage/v1/s3' })
    .optional(),
  STORAGE_S3_REGION: z.string().optional(),
  STORAGE_S3_ACCESS_KEY_ID: z.string().optional(),
  STORAGE_S3_SECRET_ACCESS_KEY: z.string().optional(),
  /** How long a call waits for the store: for all its attempts, and for the pauses between them. */
  STORAGE_S3_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 60').min(1).max(60).default(15),
  /** How many bytes of photos this process works on at a time. Each byte needs about seven bytes of memory. */
  WORKER_PHOTOS_MAX_BYTES: z.coerce
    .number('must be a number from 20971520')
    .int()
    .min(photoMaxBytes, `must be a number from ${photoMaxBytes}`)
    .default(5 * photoMaxBytes),
}

const environment = z.object(storageVariables)
const complete = environment.required()

export type StorageConfig = z.output<typeof environment>

/** If one of the variables is set, reports each variable that is missing. */
export function requireWholeStorage(config: StorageConfig, context: z.RefinementCtx): void {
  const needed = [
    'STORAGE_S3_ENDPOINT',
    'STORAGE_S3_REGION',
    'STORAGE_S3_ACCESS_KEY_ID',
    'STORAGE_S3_SECRET_ACCESS_KEY',
  ] as const
  const missing = needed.filter((name) => config[name] === undefined)
  if (missing.length === needed.length) return
  for (const name of missing) context.addIssue({ code: 'custom', path: [name], message: 'is missing' })
}

/** The buckets of users' files: the photos that users upload, and the images that the worker makes of them. */
export type UserBuckets = {
  user_uploads: Store
  generations: Store
  photosMaxBytes: number
  close(): void
}

/** Opens both buckets; undefined if no Storage is configured. */
export function openUserBuckets(config: StorageConfig): UserBuckets | undefined {
  const parsed = complete.safeParse(config)
  if (!parsed.success) return undefined
  const open = (bucket: string) =>
    createSpaces(
      {
        SPACES_ENDPOINT: parsed.data.STORAGE_S3_ENDPOINT,
        SPACES_REGION: parsed.data.STORAGE_S3_REGION,
        SPACES_BUCKET: bucket,
        SPACES_ACCESS_KEY_ID: parsed.data.STORAGE_S3_ACCESS_KEY_ID,
        SPACES_SECRET_ACCESS_KEY: parsed.data.STORAGE_S3_SECRET_ACCESS_KEY,
        SPACES_FORCE_PATH_STYLE: true,
        SPACES_TIMEOUT_SECONDS: parsed.data.STORAGE_S3_TIMEOUT_SECONDS,
        // Storage knows no ACLs: the bucket says who may read.
        SPACES_ACL: 'none',
      },
      { variables: 'STORAGE_S3' },
    )
  const [user_uploads, generations] = [open('user_uploads'), open('generations')]
  return {
    user_uploads,
    generations,
    photosMaxBytes: parsed.data.WORKER_PHOTOS_MAX_BYTES,
    close() {
      user_uploads.close()
      generations.close()
    },
  }
}

/**
 * The photos of users, and the images made of them. A call throws a StepError whose message is for the user. The error is
 * permanent if another attempt would fail, too. It throws the signal's reason when the signal aborts.
 */
export type UserFiles = {
  /**
   * Loads the photo that a user has uploaded, if it is still the same one, checks that it is a photo, and passes it to `use`.
   * Waits while other photos take up the memory that this process may use for photos.
   */
  withPhoto<Result>(
    original: { path: string; etag: string; size: number },
    signal: AbortSignal,
    use: (photo: Picture) => Promise<Result>,
  ): Promise<Result>
  /** Stores an image below a key without an extension, and returns the key with the extension of the image's type. */
  store(target: string, image: Picture, signal: AbortSignal): Promise<string>
}

/** The types that Gemini reads, as the buckets allow them. */
const photoTypes = /^image\/(png|jpeg|webp|heic|heif)$/
const extensions: Record<string, string> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp' }

/** Without buckets, each call fails with `store_not_configured`. */
export function createUserFiles(buckets: UserBuckets | undefined): UserFiles {
  function requireBuckets(): UserBuckets {
    if (buckets !== undefined) return buckets
    const message = 'This worker has no Storage. The operator must set STORAGE_S3_*.'
    throw new StepError('store_not_configured', message, { isPermanent: true })
  }

  const room = createByteRoom(buckets?.photosMaxBytes ?? 0)

  async function load({ path, etag }: { path: string; etag: string }, signal: AbortSignal): Promise<Picture> {
    const { user_uploads } = requireBuckets()
    const bytes = await user_uploads.get(path, photoMaxBytes, signal, etag).catch((error: unknown) => {
      signal.throwIfAborted()
      throw explainLoad(error)
    })
    const mimeType = (await fileTypeFromBuffer(bytes))?.mime ?? ''
    if (!photoTypes.test(mimeType)) {
      throw permanent('original_invalid', 'The file is not a photo. Upload a JPEG, PNG, WebP or HEIC image.')
    }
    return { bytes, mimeType }
  }

  return {
    withPhoto: (original, signal, use) =>
      room.use(original.size, signal, async () => use(await load(original, signal))),

    async store(target, { bytes, mimeType }, signal) {
      const { generations } = requireBuckets()
      const extension = extensions[mimeType]
      if (extension === undefined) {
        throw new StepError('provider_answer_invalid', 'The image has a type that cannot be stored.')
      }
      const key = `${target}.${extension}`
      const image = {
        key,
        open: () => Readable.from([bytes]),
        length: bytes.length,
        contentType: mimeType,
        // A cache may show a deleted image for an hour at most.
        cacheControl: 'public, max-age=3600',
        // The image is already paid for, so a short outage of the store must not lose it.
        attempts: 6,
      }
      await generations.put(image, signal).catch((error: unknown) => {
        signal.throwIfAborted()
        throw unavailable(error)
      })
      return key
    },
  }
}

function explainLoad(error: unknown): StepError {
  if (!(error instanceof StoreError)) return unavailable(error)
  if (error.isMissing) {
    return permanent('original_missing', 'The photo does not exist any more. Upload it again.', error)
  }
  if (error.isChanged) {
    return permanent('original_changed', 'Another photo has replaced this photo. Request it again.', error)
  }
  if (error.isTooLarge) return permanent('original_invalid', 'The photo has more than 20 MB.', error)
  return unavailable(error)
}

/** A store that refuses a request refuses the same one after each retry, and each retry of a step may buy an image again. */
function unavailable(cause: unknown): StepError {
  if (cause instanceof StoreError && cause.isRefused) {
    return permanent('store_unavailable', 'The photo store of this server refuses the file. Tell the operator.', cause)
  }
  return new StepError('store_unavailable', 'The photo store does not answer. Try again later.', { cause })
}

function permanent(slug: string, message: string, cause?: unknown): StepError {
  return new StepError(slug, message, { isPermanent: true, cause })
}
