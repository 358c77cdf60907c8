import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Db } from '../worker/shared/db.ts'
import { type Store, StoreError } from '../worker/shared/object_store.ts'
import { checkCredentials } from './credentials.ts'
import { FormError, type Part, readBoundary, readForm } from './form.ts'
import { type Pace, slowestPace, watchPace } from './pace.ts'
import { countPixels } from './picture_size.ts'
import { readPictureType } from './picture_type.ts'
import { createPlaces } from './places.ts'
import { withoutText } from './png_text.ts'
import { type Problem, Refusal, refusal, refusalOf, refusalWith } from './problem.ts'
import { openSpool, type Spool, SpoolError, type Spooled } from './spool.ts'

export type AssetOptions = {
  db: Db
  store: Store
  /** Where clients load what the store holds; without a final slash. */
  cdnUrl: string
  /** Each may take as much disk as the largest file. A caller has a tenth of them. */
  uploadsAtOnce: number
  /** How long a client may take to send a file. */
  uploadTimeoutMs: number
  /** How fast a client must send; by default `slowestPace`. */
  pace?: Pace
  /** Verifies the tokens of requests: a secret or a JWKS. Undefined: every token is refused. */
  jwtSecret: string | undefined
}

/** The caller's name for limits. All callers share one name while `app.settings.client_address_header` is null. */
type Caller = { caller: string; is_everybody: boolean; network: string | undefined }

/** The cost of an upload so far, the size of the largest file, and the refusal of a larger one: from sidecar.start_upload. */
type Limit = { units: number; maxBytes: number; tooLarge: () => Refusal }

type Asset = { id: string; url: string }

/** The bytes to store. */
type Stored = { open: () => Readable; length: number }

/** Deleting an object does not purge the CDN, so the CDN may keep a file no longer than a share lives: an hour. */
const cacheControl = 'public, max-age=3600'

/** Headers that never reach Postgres, even if a setting names them by mistake. */
const secretHeaders = new Set(['authorization', 'proxy-authorization', 'cookie', 'apikey', 'x-api-key'])

/** Bytes that a form may have in addition to its file. */
const formBytes = 128 * 1024

/** The file, and other fields, which are ignored. */
const partsMax = 22

/**
 * POST /api/assets: stores the file in field `file` of a form and answers `{ "assetId": …, "url": … }`, which is the same
 * for the same bytes. The rules are in sidecar.start_upload and sidecar.reserve_upload.
 *
 * The file is spooled to disk, because its hash and size are known only after its last byte. Each object has a row
 * before it is put, and a key of its own: after any failure the worker finds the object, and deletes no other one.
 */
export async function assets(server: FastifyInstance, options: AssetOptions): Promise<void> {
  const { db, store, cdnUrl, uploadsAtOnce, uploadTimeoutMs, pace = slowestPace } = options
  const check = checkCredentials(options)
  const places = createPlaces()
  const placesOfCaller = Math.ceil(uploadsAtOnce / 10)

  server.removeAllContentTypeParsers()
  // Without a parser, Fastify itself would refuse all content types.
  server.addContentTypeParser('*', (_request, _payload, done) => done(null))

  server.post('/api/assets', async (request, reply) => {
    if (!/^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '')) {
      throw refusal(
        415,
        'media_type_unsupported',
        'The body must be multipart/form-data.',
        'Send a form with one file in its field file.',
      )
    }
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding.toLowerCase() !== 'identity') {
      throw refusal(
        415,
        'media_type_unsupported',
        'The form is compressed.',
        'Send it without Content-Encoding, because pictures are compressed already.',
      )
    }
    const caller = await findUploader(request)
    const leave = takePlaces(caller)
    try {
      const { id, url } = await upload(request, caller)
      return await reply.code(201).send({ assetId: id, url })
    } finally {
      leave()
    }
  })

  /** Takes a place of the process, one of the caller, and one of the caller's IPv6 network, which has four times as many. */
  function takePlaces({ caller, network, is_everybody }: Caller): () => void {
    const taken: (() => void)[] = []
    const leave = () => {
      for (const giveBack of taken) giveBack()
    }
    const take = (name: string, limit: number, refuse: () => Refusal) => {
      const giveBack = places.take(name, limit)
      if (giveBack) return void taken.push(giveBack)
      leave()
      throw refuse()
    }
    // While all callers share one name, a limit per caller would only reduce the places of all.
    if (!is_everybody) {
      take(caller, placesOfCaller, () => tooManyUploads(placesOfCaller))
      if (network) take(network, 4 * placesOfCaller, () => tooManyUploads(4 * placesOfCaller))
    }
    take('all', uploadsAtOnce, noRoom)
    return leave
  }

  async function upload(request: FastifyRequest, { caller }: Caller): Promise<Asset> {
    const announced = Number(request.headers['content-length'] ?? 0)
    const limit = await start(caller, announced)
    // After the rate, so that guessing keys is limited, too.
    await check(request.headers)
    if (announced > limit.maxBytes + formBytes) throw limit.tooLarge()

    const spool = await openSpool().catch(noRoomOr)
    try {
      const file = await receiveInTime(request, spool, limit)
      if (file.isTooLarge) throw limit.tooLarge()
      return await keep(file, caller, limit, request.log as Logger)
    } finally {
      await spool.close()
    }
  }

  /** Sends Postgres only the header that names the client's address, because Postgres may log the parameters of a call. */
  async function findUploader({ headers }: FastifyRequest): Promise<Caller> {
    const [row] = await call<{ client_address_header: string | null }>('sidecar.client_address_header', {})
    const name = row?.client_address_header
    const sent = name && !secretHeaders.has(name) ? { [name]: headers[name] } : {}
    const headersText = JSON.stringify(sent)
    const [found, network] = await call<Omit<Caller, 'network'>>('sidecar.find_uploader', { headers: headersText })
    if (!found) throw new Error('sidecar.find_uploader returned no row')
    return { ...found, network: network?.caller }
  }

  async function start(caller: string, announced: number): Promise<Limit> {
    const [started] = await call<{ max_bytes: number; too_large: Problem; units: number }>('sidecar.start_upload', {
      caller,
      announced_bytes: announced,
    })
    if (!started) throw new Error('sidecar.start_upload returned no row')
    const { units, max_bytes, too_large } = started
    return { units, maxBytes: max_bytes, tooLarge: () => refusalWith(too_large) }
  }

  async function receiveInTime(request: FastifyRequest, spool: Spool, limit: Limit): Promise<Spooled> {
    const late = Promise.withResolvers<never>()
    const refuseSlow = (message: string) => {
      const hint = 'Try again over a better connection, or send a smaller file.'
      late.reject(refusal(408, 'upload_too_slow', message, hint))
    }
    const timer = setTimeout(
      () => refuseSlow(`The upload took more than ${uploadTimeoutMs / 1000} s.`),
      uploadTimeoutMs,
    )
    const watch = watchPace(pace, () =>
      refuseSlow(`The upload was slower than ${Math.round(pace.bytesPerSecond / 1024)} KB/s.`),
    )
    // A client that disconnects would never end its form.
    const gone = () => {
      if (request.raw.complete) return
      const message = 'The client disconnected before its form was complete.'
      late.reject(refusal(400, 'request_invalid', message, 'Send the whole form.'))
    }
    // Counts the whole form, because a form without a length could send fields without end.
    let left = limit.maxBytes + formBytes
    const count = (chunk: Buffer) => {
      watch.count(chunk.length)
      left -= chunk.length
      if (left < 0) late.reject(limit.tooLarge())
    }
    // A separate stream, so that a refused request can still be read to its end.
    const body = new PassThrough()
    request.raw.once('close', gone).on('data', count).pipe(body)
    if (request.raw.destroyed) gone()
    const received = receive(body, request.headers['content-type'] ?? '', spool, limit.maxBytes)
    received.catch(() => {})
    try {
      return await Promise.race([received, late.promise])
    } finally {
      clearTimeout(timer)
      watch.stop()
      request.raw.off('close', gone).off('data', count).unpipe(body)
      body.destroy()
    }
  }

  async function keep(file: Spooled, caller: string, { units }: Limit, logger: Logger): Promise<Asset> {
    const type = await readPictureType(file.head)
    const stored = await withoutPrivateText(file, type)
    const [reserved] = await call<Asset & { object_key: string | null }>('sidecar.reserve_upload', {
      caller,
      units,
      hash: file.hash,
      received_bytes: file.size,
      stored_bytes: stored.length,
      mime_type: type,
      pixels: await countPixels(file, type),
    })
    if (!reserved) throw new Error('sidecar.reserve_upload returned no row')
    const { id, object_key, url } = reserved
    if (object_key === null) return { id, url }

    await put(id, object_key, stored, type, logger)
    const kept = await record(id, object_key, logger)
    // Another upload of the same bytes was recorded first.
    if (kept.id !== id && (await discard(id, object_key, logger))) await forget(id, logger)
    return kept
  }

  async function put(
    asset_id: string,
    key: string,
    stored: Stored,
    contentType: string,
    logger: Logger,
  ): Promise<void> {
    // The delete has the rest of the time, so that the client waits no longer than for the put.
    const inTime = AbortSignal.timeout(store.timeoutMs)
    try {
      await store.put({ key, ...stored, contentType, cacheControl })
    } catch (cause) {
      logger.error({ err: cause, asset_id }, 'Object was not put')
      const failure = cause instanceof StoreError ? cause : undefined
      // A store that did not answer may still write the object after this delete. So the row stays, and the worker
      // deletes the object again after the grace period.
      if (failure && !failure.isUncertain) await forget(asset_id, logger)
      else if (!inTime.aborted) await discard(asset_id, key, logger, inTime)
      throw failure?.isRefused
        ? refusal(
            503,
            'store_unavailable',
            'The store refuses the file.',
            'Tell the operator: the log of the sidecar has the reason.',
            { cause },
          )
        : refusal(503, 'store_unavailable', 'The file could not be stored.', 'Try again in a few seconds.', {
            retryAfter: 5,
            cause,
          })
    }
  }

  /** Repeats the call while the database does not answer, because the call may have committed. Safe to repeat. */
  async function record(upload_id: string, key: string, logger: Logger): Promise<Asset> {
    const file_path = `${cdnUrl}/${key}`
    for (let pause = 100; ; pause *= 2) {
      try {
        const [recorded] = await call<Asset>('sidecar.record_upload', { upload_id, file_path })
        if (!recorded) throw new Error('sidecar.record_upload returned no row')
        return recorded
      } catch (error) {
        const slug = error instanceof Refusal ? error.problem.details : undefined
        // The upload can no longer become an asset.
        if (slug === 'upload_expired') await discard(upload_id, key, logger)
        // Otherwise the object may belong to an asset already; only the worker, which reads the rows, can tell.
        if (slug !== 'database_unavailable' || pause > 2000) throw error
        await sleep(pause)
      }
    }
  }

  /** Deletes the object of a failed upload. If the delete fails, the worker repeats it, because the row is still there. */
  async function discard(asset_id: string, key: string, logger: Logger, signal?: AbortSignal): Promise<boolean> {
    try {
      await store.delete(key, signal)
      return true
    } catch (err) {
      logger.warn({ err, asset_id }, 'Object was not deleted; the worker deletes it later')
      return false
    }
  }

  /** Deletes the row of an upload that has no object. If that fails, the worker does it. */
  async function forget(asset_id: string, logger: Logger): Promise<void> {
    try {
      await call('sidecar.drop_upload', { asset_id })
    } catch (err) {
      logger.warn({ err, asset_id }, 'Upload was not dropped; the worker deletes it later')
    }
  }

  async function call<Row extends Record<string, unknown>>(
    name: string,
    args: Record<string, unknown>,
  ): Promise<Row[]> {
    try {
      return await db.call<Row>(name, args)
    } catch (error) {
      throw refusalOf(error)
    }
  }
}

/** Parses the form and writes its file to disk. Returns only after the form has ended properly. */
async function receive(body: Readable, contentType: string, spool: Spool, maxBytes: number): Promise<Spooled> {
  const boundary = readBoundary(contentType)
  if (boundary === undefined) throw formInvalid('its content type has no boundary')
  let file: Spooled | undefined
  let hasFileName = false
  let parts = 0
  try {
    for await (const part of readForm(body, boundary)) {
      parts += 1
      if (parts > partsMax) {
        const hint = `Send the file, and at most ${partsMax - 1} other fields.`
        throw refusal(413, 'request_too_large', 'The form has too many fields.', hint)
      }
      if (part.hasFileName && !part.isFileNamed) {
        const bytes = await unlessEmpty(part.bytes)
        // A browser sends this for a field in which no file is chosen.
        if (bytes === undefined) continue
        part.bytes = bytes
      }
      if (part.name !== 'file') {
        if (part.hasFileName) throw fileMissing()
        await requireHarmless(part)
      } else if (part.encoding !== '') {
        throw formInvalid(`its file is encoded as ${part.encoding}`)
      } else if (part.hasFileName || file === undefined) {
        if (hasFileName) {
          throw refusal(400, 'request_invalid', 'The form has more than one file.', 'Send one file at a time.')
        }
        // A text field of the same name may precede the file.
        file = await spool.fill(part.bytes, maxBytes)
        hasFileName = part.hasFileName
        if (file.isTooLarge) return file
      }
    }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    if (cause instanceof SpoolError) return noRoomOr(cause)
    if (cause instanceof FormError) throw formInvalid(cause.message, cause)
    // All other errors come from the client's connection.
    throw formInvalid((cause as Error).message, cause)
  }
  // A part without a file name counts as a file only if it is a picture.
  if (file === undefined || (!hasFileName && (await readPictureType(file.head)) === '')) throw fileMissing()
  return file
}

/** Returns the same bytes; undefined if there are none. */
async function unlessEmpty(bytes: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer> | undefined> {
  const rest = bytes[Symbol.asyncIterator]()
  const { done, value } = await rest.next()
  if (done) return undefined
  return (async function* () {
    yield value
    yield* { [Symbol.asyncIterator]: () => rest }
  })()
}

/** Refuses a field whose name is that of a property of every object, or whose JSON is too large or invalid. */
async function requireHarmless({ name, contentType, bytes }: Part): Promise<void> {
  if (name !== undefined && name in Object.prototype) throw formInvalid(`a field cannot be called ${name}`)
  if (!/^application\/json\b/i.test(contentType)) return
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of bytes) {
    length += chunk.length
    // JSON.parse needs twenty times the memory of its text.
    if (length > formBytes) {
      const hint = `Send the file, and other fields of at most ${formBytes / 1024} KiB.`
      throw refusal(413, 'request_too_large', 'The form has a field that is too large.', hint)
    }
    chunks.push(chunk)
  }
  try {
    JSON.parse(Buffer.concat(chunks).toString())
  } catch (cause) {
    throw formInvalid('a field whose content type is JSON is not JSON', cause)
  }
}

function formInvalid(reason: string, cause?: unknown): Refusal {
  const hint = 'Send multipart/form-data, as browsers and curl -F do.'
  return refusal(400, 'request_invalid', `The form cannot be parsed: ${reason}.`, hint, { cause })
}

/** Leaves out the text in a PNG, because a card inside an icon is private until it is shared. */
async function withoutPrivateText(file: Spooled, type: string): Promise<Stored> {
  if (type !== 'image/png' && type !== 'image/apng') return { open: file.open, length: file.size }
  let length = 0
  for await (const bytes of withoutText(file.open(), file.size)) length += bytes.length
  return { open: () => Readable.from(withoutText(file.open(), file.size), { objectMode: false }), length }
}

function fileMissing(): Refusal {
  const hint = 'Send the file in the field file, and no other file.'
  return refusal(400, 'file_missing', 'The form has no file in its field file.', hint)
}

/** Refuses with 503 if the disk has no room for another upload; throws any other error unchanged. */
function noRoomOr(error: unknown): never {
  const { code } = (error as Error).cause as NodeJS.ErrnoException
  throw ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'].includes(code ?? '') ? noRoom(error) : error
}

function noRoom(cause?: unknown): Refusal {
  const message = 'The sidecar has no room for another upload at the moment.'
  return refusal(503, 'uploads_busy', message, 'Try again in a few seconds.', { retryAfter: 5, cause })
}

function tooManyUploads(places: number): Refusal {
  const message = `Your client address has ${places} uploads in progress, and no more are allowed.`
  const hint = 'Wait until one of them is done. Send fewer files at the same time.'
  return refusal(429, 'too_many_uploads', message, hint, { retryAfter: 1 })
}
