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
import { within } from './within.ts'

/** The part of the environment that says where the store is; worker and sidecar share it. */
export const spacesVariables = {
  /** The endpoint of the region, without the bucket. */
  SPACES_ENDPOINT: z.url({ protocol: /^https?$/, error: 'must be a URL like https://fra1.digitaloceanspaces.com' }),
  SPACES_REGION: z.string().default('us-east-1'),
  SPACES_BUCKET: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  SPACES_ACCESS_KEY_ID: z.string(),
  SPACES_SECRET_ACCESS_KEY: z.string(),
  /** True for servers that address buckets by path only, such as local ones. */
  SPACES_FORCE_PATH_STYLE: z.stringbool({ error: 'must be true or false' }).default(false),
  /** How long the store may be silent. */
  SPACES_TIMEOUT_SECONDS: z.coerce.number('must be a number from 1 to 60').min(1).max(60).default(15),
}

/** The public URL of the bucket; worker and sidecar share it. */
export const assetsVariables = {
  ASSETS_CDN_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://cdn.example.com' })
    .regex(/^https?:\/\/[^?#@\s]*[^/?#@\s]$/, 'must have no query, no user and no slash at its end'),
}

const environment = z.object(spacesVariables)

export type SpacesConfig = z.output<typeof environment>

/** An object to store. Each call of `open` returns its bytes from the start. */
export type NewObject = {
  key: string
  open: () => Readable
  length: number
  contentType: string
  cacheControl: string
  /** True if only holders of the keys may read it. */
  isPrivate?: boolean
}

export type StoredObject = { key: string; modifiedAt: Date }

/** An object store. Each call ends in a bounded time and throws a StoreError when it fails. */
export type Store = {
  put(object: NewObject, signal?: AbortSignal): Promise<void>
  /** Returns all bytes of an object; throws when it has more than `maxBytes`. */
  get(key: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer>
  /** Deletes an object. A missing object counts as deleted. */
  delete(key: string, signal?: AbortSignal): Promise<void>
  /** Lists the objects whose key has this prefix, in the order of keys, page by page. */
  list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject[]>
  /** Asks the store for the region of the bucket. */
  region(signal?: AbortSignal): Promise<string>
  close(): void
}

/** A failed call of the store. */
export class StoreError extends Error {
  /** Whether the request may have taken effect, or may still do so. */
  readonly isUncertain: boolean

  constructor(message: string, options: { cause: unknown; isUncertain: boolean }) {
    super(message, options)
    this.isUncertain = options.isUncertain
  }

  /** Whether the store did not answer: it hangs or cannot be reached. */
  get isSilence(): boolean {
    return statusOf(this.cause) === undefined && !this.isTooLarge && !this.isBroken
  }

  /** Whether the store began to answer and broke off. Another attempt may succeed. */
  get isBroken(): boolean {
    return this.cause instanceof BrokenOffError
  }

  /** Whether the store says that the object does not exist. */
  get isMissing(): boolean {
    return statusOf(this.cause) === 404
  }

  /** Whether the object or the answer is larger than allowed. */
  get isTooLarge(): boolean {
    return this.cause instanceof TooLargeError
  }
}

class TooLargeError extends Error {}
class BrokenOffError extends Error {}

/** The limit for answers in XML. The largest one is a page of a listing, with a thousand keys. */
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
  // The SDK collects every answer that is not the body of an object in memory, errors included, so limit its size.
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const output = await next(args)
      const response = output.response as { statusCode: number; body?: Readable }
      const isObject = context.commandName === 'GetObjectCommand' && response.statusCode < 300
      if (response.body && !isObject) response.body = limit(response.body, answerMaxBytes)
      return output
    },
    // Closest to the wire, before anything reads the answer.
    { step: 'deserialize', priority: 'low' },
  )

  /** Bounds a request, because the store may be silent or send its answer in drops. */
  async function request<Result>(
    what: string,
    ms: number,
    signal: AbortSignal | undefined,
    call: (abortSignal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await within(ms, signal, call)
    } catch (cause) {
      const { message, code, name } = cause as NodeJS.ErrnoException
      const reason = /XML parse error/.test(message) ? 'the server does not speak S3' : message || code || name
      throw new StoreError(`${what} failed: ${reason}`, { cause, isUncertain: isUncertain(cause) })
    }
  }

  return {
    async put({ key, open, length, contentType, cacheControl, isPrivate }, signal) {
      // A second attempt here, because the SDK does not retry a stream, and a kept connection may be closed already.
      let hasFailedUncertainly = false
      // For both attempts together; far shorter than the shortest grace of an upload.
      const timeout = AbortSignal.timeout(8 * idleMs)
      const both = signal ? AbortSignal.any([signal, timeout]) : timeout
      for (let attempt = 1; ; attempt++) {
        const Body = open()
        try {
          const { ETag } = await request('Putting an object', 8 * idleMs, both, (abortSignal) =>
            client.send(
              new PutObjectCommand({
                Bucket,
                Key: key,
                Body,
                ContentLength: length,
                ContentType: contentType,
                ContentDisposition: 'inline',
                CacheControl: cacheControl,
                // Spaces objects are private by default, for the CDN, too.
                ...(!isPrivate && { ACL: 'public-read' as const }),
              }),
              { abortSignal },
            ),
          )
          // An answer without an ETag does not come from an object store, but for example from a proxy.
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
      return request('Getting an object', 2 * idleMs, signal, async (abortSignal) => {
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
      await request('Deleting an object', 2 * idleMs, signal, (abortSignal) =>
        client.send(new DeleteObjectCommand({ Bucket, Key: key }), { abortSignal }).catch((error: Error) => {
          if (error.name !== 'NoSuchKey') throw error
        }),
      )
    },

    async *list(prefix, signal) {
      let ContinuationToken: string | undefined
      do {
        const command = new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken })
        const page = await request('Listing objects', 2 * idleMs, signal, (abortSignal) =>
          client.send(command, { abortSignal }),
        )
        yield (page.Contents ?? []).flatMap(({ Key, LastModified }) =>
          Key !== undefined && LastModified !== undefined ? [{ key: Key, modifiedAt: LastModified }] : [],
        )
        ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (ContinuationToken !== undefined)
    },

    async region(signal) {
      const { LocationConstraint } = await request('Asking for the region', 2 * idleMs, signal, (abortSignal) =>
        client.send(new GetBucketLocationCommand({ Bucket }), { abortSignal }),
      )
      // Only the oldest region of S3 is reported without a name.
      return LocationConstraint || 'us-east-1'
    },

    close: () => client.destroy(),
  }
}

/** Passes a body on, up to a size; a larger one ends with an error and closes the connection. */
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
 * Whether a failed request may have taken effect. After a refusal or without a connection it has not. After a 5xx it may
 * have, because the answer may come from a gateway that lost the server behind it.
 */
function isUncertain(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  const status = statusOf(error)
  if (status !== undefined) return status >= 500
  return !['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)
}

/** Whether an immediate second attempt may succeed: after a broken connection, or when the server is busy. */
function isTransient(error: unknown): boolean {
  const status = statusOf(error)
  if (status !== undefined) return status >= 500 || status === 429
  return ['ECONNRESET', 'EPIPE', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}
