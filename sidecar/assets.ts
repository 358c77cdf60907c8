import { setTimeout as sleep } from 'node:timers/promises'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fileTypeFromBuffer } from 'file-type'
import type { Logger } from 'pino'
import type { Db } from '../worker/shared/db.ts'
import { type Store, StoreError } from '../worker/shared/object_store.ts'
import { checkCredentials } from './credentials.ts'
import { type Problem, Refusal, refusal, refusalOf, refusalWith } from './problem.ts'
import { openSpool, type Spool, SpoolError, type Spooled } from './spool.ts'

export type AssetOptions = {
  db: Db
  store: Store
  /** Where clients load what the store holds; without a final slash. */
  cdnUrl: string
  /** Each may take as much disk as the largest file. */
  uploadsAtOnce: number
  /** How long a client may take to send a file. */
  uploadTimeoutMs: number
  /** Verifies the tokens of requests: a secret or a JWKS. Undefined: every token is refused. */
  jwtSecret: string | undefined
}

type Upload = Spooled & { name: string }

/** How large a file may be, and the refusal of a larger one; both come from sidecar.admit_file. */
type Limit = { maxBytes: number; tooLarge: () => Refusal }

/** Deleting an object does not purge the CDN, so the CDN may keep a file no longer than a share lives: an hour. */
const cacheControl = 'public, max-age=3600'

/** Headers that never reach Postgres, even if a setting names them by mistake. */
const secretHeaders = new Set(['authorization', 'proxy-authorization', 'cookie', 'apikey', 'x-api-key'])

/** Bytes that a form may have in addition to its file. */
const formBytes = 128 * 1024

/**
 * POST /api/assets: stores the file in field `file` of a form and answers `{ "assetId": … }`, which is the same for the
 * same bytes. The rules are in sidecar.admit_file and sidecar.reserve_asset.
 *
 * The file is spooled to disk, because its hash and size are known only after its last byte. Each object has a row
 * before it is put, and a key of its own: after any failure the worker finds the object, and deletes no other one.
 */
export async function assets(server: FastifyInstance, options: AssetOptions): Promise<void> {
  const { db, store, cdnUrl, uploadsAtOnce, uploadTimeoutMs } = options
  const check = checkCredentials(options)
  let uploads = 0

  server.removeAllContentTypeParsers()
  await server.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fileSize: Number.POSITIVE_INFINITY, fields: 20, fieldSize: 1024, parts: 22 },
  })

  // Without a parser, Fastify itself would refuse other content types.
  server.addContentTypeParser('*', (_request, _payload, done) => done(null))

  server.post('/api/assets', async (request, reply) => {
    if (!request.isMultipart()) {
      throw refusal(
        415,
        'media_type_unsupported',
        'The body must be multipart/form-data.',
        'Send a form with one file in its field file.',
      )
    }
    if (uploads >= uploadsAtOnce) throw noRoom()
    uploads += 1
    try {
      const asset_id = await upload(request)
      return await reply.code(201).send({ assetId: asset_id })
    } finally {
      uploads -= 1
    }
  })

  async function upload(request: FastifyRequest): Promise<string> {
    const limit = await admit(await addressHeader(request))
    // After the rate, so that guessing keys is limited, too.
    await check(request.headers)
    if (Number(request.headers['content-length'] ?? 0) > limit.maxBytes + formBytes) throw limit.tooLarge()

    const spool = await openSpool().catch(noRoomOr)
    try {
      const file = await receiveInTime(request, spool, limit)
      if (file.isTooLarge) throw limit.tooLarge()
      return await keep(file, request.log as Logger)
    } finally {
      await spool.close()
    }
  }

  /** Returns the header that names the client's address. Nothing else of a request reaches Postgres, whose log may have it. */
  async function addressHeader({ headers }: FastifyRequest): Promise<Record<string, unknown>> {
    const [row] = await call<{ client_address_header: string | null }>('sidecar.client_address_header', {})
    const name = row?.client_address_header
    return name && !secretHeaders.has(name) ? { [name]: headers[name] } : {}
  }

  async function admit(headers: Record<string, unknown>): Promise<Limit> {
    const [admitted] = await call<{ max_bytes: number; too_large: Problem }>('sidecar.admit_file', {
      headers: JSON.stringify(headers),
    })
    if (!admitted) throw new Error('sidecar.admit_file returned no row')
    return { maxBytes: admitted.max_bytes, tooLarge: () => refusalWith(admitted.too_large) }
  }

  async function receiveInTime(request: FastifyRequest, spool: Spool, limit: Limit): Promise<Upload> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const hint = 'Try again over a better connection, or send a smaller file.'
      const seconds = uploadTimeoutMs / 1000
      late.reject(refusal(408, 'upload_too_slow', `The upload took more than ${seconds} s.`, hint))
    }, uploadTimeoutMs)
    // A client that disconnects would never end its form.
    const gone = () => {
      if (request.raw.complete) return
      const message = 'The client disconnected before its form was complete.'
      late.reject(refusal(400, 'request_invalid', message, 'Send the whole form.'))
    }
    // Counts the whole form, because a form without a length could send fields without end.
    let left = limit.maxBytes + formBytes
    const count = (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) late.reject(limit.tooLarge())
    }
    request.raw.once('close', gone).on('data', count).pause()
    if (request.raw.destroyed) gone()
    const received = receive(request, spool, limit.maxBytes)
    received.catch(() => {})
    try {
      return await Promise.race([received, late.promise])
    } finally {
      clearTimeout(timer)
      request.raw.off('close', gone).off('data', count)
    }
  }

  async function keep(file: Upload, logger: Logger): Promise<string> {
    const type = await fileTypeFromBuffer(file.head)
    const [reserved] = await call<{ asset_id: string; object_key: string | null }>('sidecar.reserve_asset', {
      name: file.name,
      hash: file.hash,
      size_byte: file.size,
      mime_type: type?.mime ?? '',
    })
    if (!reserved) throw new Error('sidecar.reserve_asset returned no row')
    const { asset_id, object_key } = reserved
    if (object_key === null) return asset_id

    await put(asset_id, object_key, file, type?.mime ?? '', logger)
    const kept_id = await record(asset_id, object_key, logger)
    // Another upload of the same bytes was recorded first.
    if (kept_id !== asset_id && (await discard(asset_id, object_key, logger))) await forget(asset_id, logger)
    return kept_id
  }

  async function put(asset_id: string, key: string, file: Upload, contentType: string, logger: Logger): Promise<void> {
    try {
      await store.put({ key, open: file.open, length: file.size, contentType, cacheControl })
    } catch (cause) {
      logger.error({ err: cause, asset_id }, 'Object was not put')
      // A store that did not answer may still write the object after this delete. So the row stays, and the worker
      // deletes the object again after the grace period.
      if (cause instanceof StoreError && !cause.isUncertain) await forget(asset_id, logger)
      else await discard(asset_id, key, logger)
      throw refusal(503, 'store_unavailable', 'The file could not be stored.', 'Try again in a few seconds.', {
        retryAfter: 5,
        cause,
      })
    }
  }

  /** Repeats the call while the database does not answer, because the call may have committed. Safe to repeat. */
  async function record(asset_id: string, key: string, logger: Logger): Promise<string> {
    const file_path = `${cdnUrl}/${key}`
    for (let pause = 100; ; pause *= 2) {
      try {
        const [recorded] = await call<{ record_asset: string }>('sidecar.record_asset', { asset_id, file_path })
        if (!recorded) throw new Error('sidecar.record_asset returned no row')
        return recorded.record_asset
      } catch (error) {
        const slug = error instanceof Refusal ? error.problem.details : undefined
        // The upload can no longer become an asset.
        if (slug === 'upload_expired') await discard(asset_id, key, logger)
        // Otherwise the object may belong to an asset already; only the worker, which reads the rows, can tell.
        if (slug !== 'database_unavailable' || pause > 2000) throw error
        await sleep(pause)
      }
    }
  }

  /** Deletes the object of a failed upload. If the delete fails, the worker repeats it, because the row is still there. */
  async function discard(asset_id: string, key: string, logger: Logger): Promise<boolean> {
    try {
      await store.delete(key)
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
async function receive(request: FastifyRequest, spool: Spool, maxBytes: number): Promise<Upload> {
  let file: Upload | undefined
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') continue
      if (part.fieldname !== 'file') throw fileMissing()
      if (file !== undefined) {
        throw refusal(400, 'request_invalid', 'The form has more than one file.', 'Send one file at a time.')
      }
      file = { name: plainName(part.filename), ...(await spool.fill(part.file, maxBytes)) }
      if (file.isTooLarge) return file
    }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    if (cause instanceof SpoolError) return noRoomOr(cause)
    // All other errors come from the parser or from the client's connection.
    const { message, statusCode } = cause as Error & { statusCode?: number }
    if (statusCode === 413) {
      const hint = 'Send the file, and at most 20 other fields.'
      throw refusal(413, 'request_too_large', 'The form has too many fields.', hint, { cause })
    }
    const hint = 'Send multipart/form-data, as browsers and curl -F do.'
    throw refusal(400, 'request_invalid', `The form cannot be parsed: ${message}.`, hint, { cause })
  }
  if (file === undefined) throw fileMissing()
  return file
}

function fileMissing(): Refusal {
  const hint = 'Send the file, with a file name, in the field file, and no other file.'
  return refusal(400, 'file_missing', 'The form has no file in its field file.', hint)
}

/** The name without control characters: Postgres cannot store \u0000, and the others have no use in a name. */
function plainName(name: string | undefined): string {
  return (name ?? '').toWellFormed().replace(/\p{Cc}/gu, '')
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
