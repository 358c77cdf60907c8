import { addAbortSignal, pipeline, type Readable, Transform } from 'node:stream'
import {
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { z } from 'zod'

/** Where the store is: the part of their environment that worker and sidecar share. */
export const spacesVariables = {
  /** The region's, without the bucket. */
  SPACES_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be a URL like https://fra1.digitaloceanspaces.com' }),
  SPACES_REGION: z.string().default('us-east-1'),
  SPACES_BUCKET: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  SPACES_ACCESS_KEY_ID: z.string(),
  SPACES_SECRET_ACCESS_KEY: z.string(),
  /** For servers that know buckets by path only, such as local ones. */
  SPACES_FORCE_PATH_STYLE: z.stringbool({ error: 'must be true or false' }).default(false),
  /** How long the store may be silent. */
  SPACES_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 60').min(1).max(60).default(15),
}

/** Where clients load what the bucket holds; for worker and sidecar. */
export const assetsVariables = {
  ASSETS_CDN_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://cdn.example.com' })
    .regex(/^https?:\/\/[^?#@\s]*[^/?#@\s]$/, 'must have no query, no user and no slash at its end'),
}

const environment = z.object(spacesVariables)

export type SpacesConfig = z.output<typeof environment>

/** An object to be written: `open` gives its bytes, from the first one at each call. */
export type NewObject = {
  key: string
  open: () => Readable
  length: number
  contentType: string
  cacheControl: string
  /** Whether only who has the keys may read it. */
  isPrivate?: boolean
}

export type StoredObject = { key: string; modifiedAt: Date }

/** An object store. Each call ends in a bounded time, and throws a StoreError when it fails. */
export type Store = {
  put(object: NewObject, signal?: AbortSignal): Promise<void>
  /** All its bytes; one that has more than `maxBytes` is refused. */
  get(key: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer>
  /** An object that is not there is deleted, too. */
  delete(key: string, signal?: AbortSignal): Promise<void>
  /** Whatever begins with this prefix, page by page, by key. */
  list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject[]>
  /** Where the store says that the bucket is. */
  region(signal?: AbortSignal): Promise<string>
  close(): void
}

/** A call of the store that failed. */
export class StoreError extends Error {
  /** Whether what was asked may have happened, or may still happen. */
  readonly isUncertain: boolean

  constructor(message: string, options: { cause: unknown; isUncertain: boolean }) {
    super(message, options)
    this.isUncertain = options.isUncertain
  }

  /** Whether the store gave no answer at all: it hangs, or is not to be reached. */
  get isSilence(): boolean {
    return statusOf(this.cause) === undefined && !this.isTooLarge && !this.isBroken
  }

  /** Whether the store began to answer, and broke off: asked again, it may get to the end. */
  get isBroken(): boolean {
    return this.cause instanceof BrokenOffError
  }

  /** Whether the store says that there is no such object. */
  get isMissing(): boolean {
    return statusOf(this.cause) === 404
  }

  /** Whether there is more of it than was to be read. */
  get isTooLarge(): boolean {
    return this.cause instanceof TooLargeError
  }
}

class TooLargeError extends Error {}
class BrokenOffError extends Error {}

/** What the store says of itself is XML: a page of a list, the largest, has a thousand keys. */
const answerMaxBytes = 8_388_608

/** A bucket of DigitalOcean Spaces, or of any other server that speaks S3. */
export function createSpaces(config: SpacesConfig, options: { sockets?: number } = {}): Store {
  const idleMs = config.SPACES_TIMEOUT_SECONDS * 1000
  const agent = { keepAlive: true, maxSockets: options.sockets ?? 50 }
  const client = new S3Client({
    endpoint: config.SPACES_ENDPOINT,
    region: config.SPACES_REGION,
    credentials: { accessKeyId: config.SPACES_ACCESS_KEY_ID, secretAccessKey: config.SPACES_SECRET_ACCESS_KEY },
    forcePathStyle: config.SPACES_FORCE_PATH_STYLE,
    // Checksums in trailers are not understood everywhere: some servers store them as part of the file.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 2,
    requestHandler: {
      connectionTimeout: Math.min(idleMs, 5000),
      socketTimeout: idleMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  })
  const Bucket = config.SPACES_BUCKET
  // The SDK collects whatever is no object's body in memory, errors included.
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const output = await next(args)
      const response = output.response as { statusCode: number; body?: Readable }
      const isObject = context.commandName === 'GetObjectCommand' && response.statusCode < 300
      if (response.body && !isObject) response.body = limit(response.body, answerMaxBytes)
      return output
    },
    // Next to the wire, before anybody reads.
    { step: 'deserialize', priority: 'low' },
  )

  /** Neither a silent store nor one that drips keeps anybody waiting for ever. */
  async function within<Result>(
    what: string,
    ms: number,
    signal: AbortSignal | undefined,
    call: (abortSignal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const timeout = AbortSignal.timeout(ms)
    try {
      return await call(signal ? AbortSignal.any([signal, timeout]) : timeout)
    } catch (cause) {
      const { message, code, name } = cause as NodeJS.ErrnoException
      const reason = timeout.aborted
        ? `no answer within ${ms / 1000} s`
        : /XML parse error/.test(message)
          ? 'what answers does not speak S3'
          : message || code || name
      throw new StoreError(`${what} failed: ${reason}`, { cause, isUncertain: isUncertain(cause) })
    }
  }

  return {
    async put({ key, open, length, contentType, cacheControl, isPrivate }, signal) {
      // The SDK repeats no request whose body is a stream; a connection that was kept may have been closed meanwhile.
      let hasFailedUncertainly = false
      // Long before the shortest grace of an upload is over, whatever the attempts.
      const timeout = AbortSignal.timeout(8 * idleMs)
      const both = signal ? AbortSignal.any([signal, timeout]) : timeout
      for (let attempt = 1; ; attempt++) {
        const Body = open()
        try {
          const { ETag } = await within('Putting an object', 8 * idleMs, both, (abortSignal) =>
            client.send(
              new PutObjectCommand({
                Bucket,
                Key: key,
                Body,
                ContentLength: length,
                ContentType: contentType,
                ContentDisposition: 'inline',
                CacheControl: cacheControl,
                // In Spaces whatever is not said to be public is private, for the CDN, too.
                ...(!isPrivate && { ACL: 'public-read' as const }),
              }),
              { abortSignal },
            ),
          )
          // What answers without one is no object store: a proxy's page, say.
          if (!ETag) throw new StoreError('Putting an object gave no ETag', { cause: undefined, isUncertain: true })
          return
        } catch (error) {
          const { message, cause, isUncertain } = error as StoreError
          hasFailedUncertainly ||= isUncertain
          if (attempt === 2 || both.aborted || !isTransient(cause)) {
            throw new StoreError(message, { cause, isUncertain: hasFailedUncertainly })
          }
        } finally {
          Body.destroy()
        }
      }
    },

    async get(key, maxBytes, signal) {
      return within('Getting an object', 2 * idleMs, signal, async (abortSignal) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: key }), { abortSignal })
        const chunks: Buffer[] = []
        let length = 0
        try {
          for await (const chunk of addAbortSignal(abortSignal, Body as Readable)) {
            chunks.push(chunk)
            length += chunk.length
            if (length > maxBytes) throw new TooLargeError(`it has more than ${maxBytes} bytes`)
          }
        } catch (cause) {
          if (abortSignal.aborted || cause instanceof TooLargeError) throw cause
          throw new BrokenOffError(`it broke off after ${length} bytes`, { cause })
        }
        return Buffer.concat(chunks)
      })
    },

    async delete(key, signal) {
      await within('Deleting an object', 2 * idleMs, signal, (abortSignal) =>
        client.send(new DeleteObjectCommand({ Bucket, Key: key }), { abortSignal }).catch((error: Error) => {
          if (error.name !== 'NoSuchKey') throw error
        }),
      )
    },

    async *list(prefix, signal) {
      let ContinuationToken: string | undefined
      do {
        const command = new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken })
        const page = await within('Listing objects', 2 * idleMs, signal, (abortSignal) =>
          client.send(command, { abortSignal }),
        )
        yield (page.Contents ?? []).flatMap(({ Key, LastModified }) =>
          Key !== undefined && LastModified !== undefined ? [{ key: Key, modifiedAt: LastModified }] : [],
        )
        ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (ContinuationToken !== undefined)
    },

    async region(signal) {
      const { LocationConstraint } = await within('Asking for the region', 2 * idleMs, signal, (abortSignal) =>
        client.send(new GetBucketLocationCommand({ Bucket }), { abortSignal }),
      )
      // Only the oldest region of S3 has no name here.
      return LocationConstraint || 'us-east-1'
    },

    close: () => client.destroy(),
  }
}

/** Ends with an error after so many bytes, and hangs up. */
function limit(body: Readable, maxBytes: number): Transform {
  let length = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length
      done(length > maxBytes ? new TooLargeError(`its answer has more than ${maxBytes} bytes`) : null, chunk)
    },
  })
  return pipeline(body, counted, () => {})
}

/**
 * A refusal says that nothing was done, and so does a connection that was never made. A 5xx does not: it may be a
 * gateway's, which has lost sight of the server behind it.
 */
function isUncertain(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  const status = statusOf(error)
  if (status !== undefined) return status >= 500
  return !['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)
}

/** Worth another attempt at once: a connection that broke, a server that says that it is too busy. */
function isTransient(error: unknown): boolean {
  const status = statusOf(error)
  if (status !== undefined) return status >= 500 || status === 429
  return ['ECONNRESET', 'EPIPE', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}
