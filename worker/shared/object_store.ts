import { addAbortSignal, pipeline, type Readable, Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { z } from 'zod'
import { type StoreClock, startStoreClock } from './store_clock.ts'
import {
  BrokenOffError,
  ChangedError,
  ForeignAnswerError,
  readStoreFault,
  statusOf,
  TooLargeError,
} from './store_fault.ts'
import { untilAbort } from './within.ts'

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
  /** The ACL of new public objects. `none` is for stores that refuse ACLs; the bucket's policy then lets everybody read. */
  SPACES_ACL: z.enum(['public-read', 'none'], 'must be public-read or none').default('public-read'),
  /** How long a call waits for the store: for all its attempts, and for the pauses between them. */
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
  /** How often to try when the store fails for a moment; four times if not given. */
  attempts?: number
}

export type StoredObject = { key: string; modifiedAt: Date }

/**
 * An object store. A call repeats what may succeed later, with growing pauses, and ends in a bounded time; then it throws a
 * StoreError. While the bytes of a large object move, a call has a second more for each 256 KiB.
 */
export type Store = {
  /** How long a call waits for the store. */
  readonly timeoutMs: number
  put(object: NewObject, signal?: AbortSignal): Promise<void>
  /**
   * Returns all bytes of an object. Throws when it has more than `maxBytes`, and when it has another ETag than `eTag`, which
   * may be quoted or not.
   */
  get(key: string, maxBytes: number, signal?: AbortSignal, eTag?: string): Promise<Buffer>
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
  /** Whether the store refused the request, and would refuse it again. */
  readonly isRefused: boolean

  constructor(message: string, options: { cause: unknown; isUncertain: boolean; isRefused?: boolean }) {
    super(message, options)
    this.isUncertain = options.isUncertain
    this.isRefused = options.isRefused ?? false
  }

  /** Whether the store did not answer: it hangs or cannot be reached. */
  get isSilence(): boolean {
    return statusOf(this.cause) === undefined && !this.isRefused && !this.isTooLarge && !this.isBroken
  }

  /** Whether the store began to answer and broke off. */
  get isBroken(): boolean {
    return this.cause instanceof BrokenOffError
  }

  /** Whether the store says that the object does not exist. */
  get isMissing(): boolean {
    return statusOf(this.cause) === 404 && !this.isTooLarge
  }

  /** Whether the object has another ETag than the caller asked for. */
  get isChanged(): boolean {
    return this.cause instanceof ChangedError || statusOf(this.cause) === 412
  }

  /** Whether the object or the answer is larger than allowed. */
  get isTooLarge(): boolean {
    return this.cause instanceof TooLargeError
  }
}

/** The limit for answers in XML. The largest one is a page of a listing, with a thousand keys. */
const answerMaxBytes = 8_388_608
const byteOrderMark = Buffer.from('\uFEFF')

/** Attempts at a store that fails for a moment. Attempts at a busy store continue until the time is over. */
const attemptsMax = 4
const firstPauseMs = 200
const pauseMaxMs = 5000

/** Every server accepts this region in a request for the region of a bucket. */
const firstRegion = 'us-east-1'

/**
 * A bucket of DigitalOcean Spaces, or of any other server that speaks S3. `variables` begins the names of the variables
 * that messages tell operators to correct.
 */
export function createSpaces(config: SpacesConfig, options: { sockets?: number; variables?: string } = {}): Store {
  const timeoutMs = config.SPACES_TIMEOUT_SECONDS * 1000
  const agent = { keepAlive: true, maxSockets: options.sockets ?? 50 }
  const connect = (region: string) =>
    new S3Client({
      endpoint: config.SPACES_ENDPOINT,
      region,
      credentials: { accessKeyId: config.SPACES_ACCESS_KEY_ID, secretAccessKey: config.SPACES_SECRET_ACCESS_KEY },
      forcePathStyle: config.SPACES_FORCE_PATH_STYLE,
      // Checksums in trailers are not understood everywhere: some servers store them as part of the file.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // Otherwise the SDK writes its warnings to stderr.
      logger: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
      // This file repeats calls, not the SDK, because only `store_fault.ts` knows what an error means.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: Math.min(timeoutMs, 5000),
        // The clock of the call ends a slow request.
        socketTimeout: 0,
        httpAgent: agent,
        httpsAgent: agent,
      },
    })
  const client = connect(config.SPACES_REGION)
  const Bucket = config.SPACES_BUCKET
  const description = { variables: options.variables ?? 'SPACES', region: config.SPACES_REGION, hasAcl: false }
  // The SDK collects every answer that is not the body of an object in memory, errors included, so limit its size.
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const output = await next(args)
      const response = output.response as Answer
      const isDone = response.statusCode < 300
      if (isDone && context.commandName === 'DeleteObjectCommand' && isPage(response)) {
        response.body?.destroy()
        throw new ForeignAnswerError('the answer to the delete is a page, so it is not from an object store')
      }
      const isObject = isDone && context.commandName === 'GetObjectCommand'
      if (response.body && !isObject) response.body = readable(response.body)
      return output
    },
    // Runs before the SDK reads anything of the answer.
    { step: 'deserialize', priority: 'low' },
  )

  /** Makes attempts until one succeeds, none can, or the time is over. The store may be silent, or send its answer in drops. */
  async function request<Result>(
    what: string,
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal, clock: StoreClock) => Promise<Result>,
    { hasAcl = false, attempts = attemptsMax } = {},
  ): Promise<Result> {
    const clock = startStoreClock(timeoutMs, signal)
    let isUncertain = false
    try {
      for (let attempt = 1, failed = 0; ; attempt++) {
        try {
          return await untilAbort(clock.signal, (inTime) => call(inTime, clock))
        } catch (error) {
          // Throws the reason of the clock, because the error of an aborted call says less.
          const cause = clock.signal.aborted ? clock.signal.reason : error
          const fault = readStoreFault(cause, { ...description, hasAcl })
          isUncertain ||= fault.isUncertain
          if (fault.advice === 'repeat') failed += 1
          // Some stores always ask for more time than a call has: MinIO for 120 s. Growing pauses replace such a pause.
          const asked = fault.retryAfterMs < clock.leftMs() ? fault.retryAfterMs : 0
          const pause = Math.max(pauseAfter(attempt), asked)
          if (fault.advice === 'stop' || failed === attempts || pause >= clock.leftMs()) {
            const times = attempt > 1 ? `, ${attempt} times` : ''
            const isRefused = fault.advice === 'stop' && !fault.isUncertain && statusOf(cause) !== undefined
            throw new StoreError(`${what} failed${times}: ${fault.reason}`, { cause, isUncertain, isRefused })
          }
          await sleep(pause, undefined, { signal: clock.signal }).catch(() => {})
        }
      }
    } finally {
      clock.stop()
    }
  }

  return {
    timeoutMs,

    async put({ key, open, length, contentType, cacheControl, isPrivate, attempts }, signal) {
      requirePath(key)
      // Objects of Spaces are private by default, for the CDN, too.
      const hasAcl = !isPrivate && config.SPACES_ACL === 'public-read'
      const send = async (signal: AbortSignal, clock: StoreClock) => {
        const ended = new AbortController()
        const source = open()
        const Body = count(source, clock)
        try {
          const { ETag } = await client.send(
            new PutObjectCommand({
              Bucket,
              Key: key,
              Body,
              ContentLength: length,
              ContentType: contentType,
              ContentDisposition: 'inline',
              CacheControl: cacheControl,
              ...(hasAcl && { ACL: 'public-read' as const }),
            }),
            { abortSignal: AbortSignal.any([signal, ended.signal]) },
          )
          if (!ETag) throw new ForeignAnswerError('the answer has no ETag, so it is not from an object store')
        } finally {
          // A store may refuse a request before it has read its body. The connection cannot be used for another one.
          if (!Body.readableEnded) ended.abort()
          Body.destroy()
          source.destroy()
        }
      }
      await request('Putting an object', signal, send, { hasAcl, ...(attempts !== undefined && { attempts }) })
    },

    async get(key, maxBytes, signal, eTag) {
      requirePath(key)
      return request('Getting an object', signal, async (abortSignal, clock) => {
        const IfMatch = eTag === undefined ? undefined : `"${bare(eTag)}"`
        const { Body, ETag } = await client.send(new GetObjectCommand({ Bucket, Key: key, IfMatch }), { abortSignal })
        const chunks: Buffer[] = []
        let length = 0
        try {
          // Storage of Supabase ignores If-Match.
          if (eTag !== undefined && bare(ETag ?? '') !== bare(eTag)) throw new ChangedError('it has another ETag')
          for await (const chunk of addAbortSignal(abortSignal, Body as Readable)) {
            chunks.push(chunk)
            length += chunk.length
            clock.move(length)
            if (length > maxBytes) throw new TooLargeError(`it has more than ${maxBytes} bytes`)
          }
        } catch (cause) {
          if (cause instanceof ChangedError) (Body as Readable).destroy()
          if (abortSignal.aborted || cause instanceof TooLargeError || cause instanceof ChangedError) throw cause
          throw new BrokenOffError(`it broke off after ${length} bytes`, { cause })
        }
        return Buffer.concat(chunks)
      })
    },

    async delete(key, signal) {
      requirePath(key)
      await request('Deleting an object', signal, (abortSignal) =>
        client.send(new DeleteObjectCommand({ Bucket, Key: key }), { abortSignal }).catch((error: Error) => {
          if (error.name !== 'NoSuchKey') throw error
        }),
      )
    },

    async *list(prefix, signal) {
      let ContinuationToken: string | undefined
      do {
        const command = new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken })
        const page = await request('Listing objects', signal, async (abortSignal) => {
          const answer = await client.send(command, { abortSignal })
          requirePage(answer, ContinuationToken)
          return answer
        })
        yield (page.Contents ?? []).flatMap(({ Key, LastModified }) =>
          Key !== undefined && LastModified !== undefined ? [{ key: Key, modifiedAt: LastModified }] : [],
        )
        ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (ContinuationToken !== undefined)
    },

    async region(signal) {
      const ask = async (asked: S3Client) =>
        request('Asking for the region', signal, async (abortSignal) => {
          const { LocationConstraint } = await asked.send(new GetBucketLocationCommand({ Bucket }), { abortSignal })
          // Only the oldest region of S3 is reported without a name.
          return LocationConstraint || firstRegion
        })
      try {
        return await ask(client)
      } catch (error) {
        const { name, Region } = ((error as StoreError).cause ?? {}) as Error & { Region?: string }
        if (name === 'AuthorizationHeaderMalformed' && Region) return Region
        // Storage of Supabase calls a signature for another region wrong, as it calls one with a wrong key.
        if (name !== 'SignatureDoesNotMatch' && name !== 'AuthorizationHeaderMalformed') throw error
        if (config.SPACES_REGION === firstRegion) throw error
        const other = connect(firstRegion)
        try {
          return await ask(other)
        } catch {
          throw error
        } finally {
          other.destroy()
        }
      }
    },

    close: () => client.destroy(),
  }
}

/** Throws for a key that a server on the way may read as the key of another object, because "." and ".." name folders. */
function requirePath(key: string): void {
  if (!key.split('/').some((segment) => segment === '.' || segment === '..')) return
  const message = 'A key of the store has "." or ".." between its slashes, so it may name another object'
  throw new StoreError(message, { cause: undefined, isUncertain: false, isRefused: true })
}

/** Doubles the pause with each attempt. Up to a half of a pause is random, so that callers do not return together. */
function pauseAfter(attempt: number): number {
  return Math.min(firstPauseMs * 2 ** (attempt - 1), pauseMaxMs) * (0.5 + Math.random() / 2)
}

function ignore(): void {}

/** Returns an ETag without quotes, and without the mark of a weak one. */
function bare(eTag: string): string {
  return eTag.replace(/^(?:W\/)?"(.*)"$/, '$1')
}

type Answer = { statusCode: number; headers: Record<string, string>; body?: Readable }

/** Whether an answer has a body that no object store sends, such as the HTML of a proxy. */
function isPage({ statusCode, headers }: Answer): boolean {
  return statusCode !== 204 && headers['content-length'] !== '0' && /html|json/.test(headers['content-type'] ?? '')
}

/**
 * Throws if an answer is not a whole page of a listing. The SDK reads an answer without a body as a listing without objects,
 * and a caller would conclude that there is nothing left to delete.
 */
function requirePage(page: ListObjectsV2CommandOutput, token: string | undefined): void {
  const { Name, KeyCount, Contents, IsTruncated, NextContinuationToken: next } = page
  if ([Name, KeyCount, Contents, IsTruncated].every((value) => value === undefined)) {
    throw new ForeignAnswerError('the answer has no listing, so it is not from an object store')
  }
  if (IsTruncated && (next === undefined || next === token)) {
    throw new ForeignAnswerError('the listing ends in the middle: it has no token for its next page')
  }
}

/** Passes a body on, and tells the clock how much of it is sent. */
function count(body: Readable, clock: StoreClock): Transform {
  let length = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length
      clock.move(length)
      done(null, chunk)
    },
  })
  return pipeline(body, counted, () => {})
}

/**
 * Passes an answer in XML on, without a byte order mark, which the parser of the SDK does not accept. An answer that is too
 * large ends with an error and closes the connection.
 */
function readable(body: Readable): Transform {
  let length = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const isMarked = length === 0 && chunk.subarray(0, 3).equals(byteOrderMark)
      length += chunk.length
      const error =
        length > answerMaxBytes ? new TooLargeError(`its answer has more than ${answerMaxBytes} bytes`) : null
      done(error, isMarked ? chunk.subarray(3) : chunk)
    },
  })
  return pipeline(body, counted, () => {})
}
