import { setTimeout as sleep } from 'node:timers/promises'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fileTypeFromBuffer } from 'file-type'
import type { Logger } from 'pino'
import type { Db } from '../worker/shared/db.ts'
import { type Store, StoreError } from '../worker/shared/object_store.ts'
import { Refusal, refusal, refusalOf } from './problem.ts'
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
}

type Upload = Spooled & { name: string }

/** A CDN is not purged by a delete, so what it keeps may not outlive a share, which lives for an hour. */
const cacheControl = 'public, max-age=3600'

/** More than any limit may be, whatever it is by now. */
const beyondAnyLimit = 2 ** 31

/** What a form may have around its file. */
const formBytes = 128 * 1024

/**
 * POST /api/assets: takes one file, as field `file` of a form, and answers `{ "assetId": … }`, the same for bytes that
 * are known. The rules are those of sidecar.admit_upload and sidecar.reserve_asset.
 *
 * The file waits on disk until all of it is there: only then are its hash and size known. Each object has a row before
 * it is put and a key of its own, so whatever breaks, the worker finds what is left, and deletes nobody else's bytes.
 */
export async function assets(server: FastifyInstance, options: AssetOptions): Promise<void> {
  const { db, store, cdnUrl, uploadsAtOnce, uploadTimeoutMs } = options
  let uploads = 0

  server.removeAllContentTypeParsers()
  await server.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fileSize: Number.POSITIVE_INFINITY, fields: 20, fieldSize: 1024, parts: 22 },
  })

  // What is no form comes to the same refusal as what has no body.
  server.addContentTypeParser('*', (_request, _payload, done) => done(null))

  server.post('/api/assets', async (request, reply) => {
    if (!request.isMultipart()) {
      throw refusal(
        415,
        'media_type_unsupported',
        'Only multipart/form-data is read here.',
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
    const headers = JSON.stringify(publicHeaders(request))
    const [admitted] = await call<{ admit_upload: number }>('sidecar.admit_upload', { headers })
    const maxBytes = admitted?.admit_upload ?? 0
    if (Number(request.headers['content-length'] ?? 0) > maxBytes + formBytes) await refuseTooLarge()

    const spool = await openSpool().catch(noRoomOr)
    try {
      const file = await receiveInTime(request, spool, maxBytes)
      if (file.isTooLarge) await refuseTooLarge()
      return await keep(file, request.log as Logger)
    } finally {
      await spool.close()
    }
  }

  /** The limit and its sentence stand in SQL. */
  async function refuseTooLarge(): Promise<never> {
    await call('sidecar.reserve_asset', { name: '', hash: '', size_byte: beyondAnyLimit, mime_type: '' })
    throw new Error('sidecar.reserve_asset took a file of any size')
  }

  async function receiveInTime(request: FastifyRequest, spool: Spool, maxBytes: number): Promise<Upload> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      const hint = 'Try again over a better connection, or send a smaller file.'
      const seconds = uploadTimeoutMs / 1000
      late.reject(refusal(408, 'upload_too_slow', `The file was not there after ${seconds} s.`, hint))
    }, uploadTimeoutMs)
    // A client that went away before its form is read would never end it.
    const gone = () => {
      if (!request.raw.complete) late.reject(refusal(400, 'request_invalid', 'The client went away.', null))
    }
    // What is around the file counts too, or a form without a length could go on for ever.
    let left = maxBytes + formBytes
    const count = (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) late.reject(tooLarge)
    }
    const tooLarge = new Error('The form is larger than any file may be')
    request.raw.once('close', gone).on('data', count).pause()
    if (request.raw.destroyed) gone()
    const received = receive(request, spool, maxBytes)
    received.catch(() => {})
    try {
      return await Promise.race([received, late.promise])
    } catch (error) {
      if (error === tooLarge) await refuseTooLarge()
      throw error
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
    if (!reserved) throw new Error('sidecar.reserve_asset gave nothing')
    const { asset_id, object_key } = reserved
    if (object_key === null) return asset_id

    await put(asset_id, object_key, file, type?.mime ?? '', logger)
    const kept_id = await record(asset_id, object_key, logger)
    // The same bytes came first by another upload.
    if (kept_id !== asset_id && (await discard(asset_id, object_key, logger))) await forget(asset_id, logger)
    return kept_id
  }

  async function put(asset_id: string, key: string, file: Upload, contentType: string, logger: Logger): Promise<void> {
    try {
      await store.put({ key, open: file.open, length: file.size, contentType, cacheControl })
    } catch (cause) {
      logger.error({ err: cause, asset_id }, 'Object was not put')
      // A store that has said nothing may still write it, after we have deleted it: then the row stays, and the worker
      // deletes once more when the grace is over.
      if (cause instanceof StoreError && !cause.isUncertain) await forget(asset_id, logger)
      else await discard(asset_id, key, logger)
      throw refusal(503, 'store_unavailable', 'The file could not be stored.', 'Try again in a few seconds.', {
        retryAfter: 5,
        cause,
      })
    }
  }

  /** Repeated while the database is away, for it may have happened; it is safe to repeat. */
  async function record(asset_id: string, key: string, logger: Logger): Promise<string> {
    const file_path = `${cdnUrl}/${key}`
    for (let pause = 100; ; pause *= 2) {
      try {
        const [recorded] = await call<{ record_asset: string }>('sidecar.record_asset', { asset_id, file_path })
        if (!recorded) throw new Error('sidecar.record_asset gave nothing')
        return recorded.record_asset
      } catch (error) {
        const slug = error instanceof Refusal ? error.problem.details : undefined
        // It can never be recorded any more.
        if (slug === 'upload_expired') await discard(asset_id, key, logger)
        // Else the object may be an asset's by now: only the worker, which reads the rows, can tell.
        if (slug !== 'database_unavailable' || pause > 2000) throw error
        await sleep(pause)
      }
    }
  }

  /** Deletes the object of an upload that came to nothing. What fails is left to the worker, which finds the row. */
  async function discard(asset_id: string, key: string, logger: Logger): Promise<boolean> {
    try {
      await store.delete(key)
      return true
    } catch (err) {
      logger.warn({ err, asset_id }, 'Object was left to the worker')
      return false
    }
  }

  /** Forgets an upload that has no object; the worker does, where this fails. */
  async function forget(asset_id: string, logger: Logger): Promise<void> {
    try {
      await call('sidecar.drop_upload', { asset_id })
    } catch (err) {
      logger.warn({ err, asset_id }, 'Upload was left to the worker')
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

/** Takes the form apart and writes its file to the disk. Nothing counts before the form has ended as it should. */
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
    // Whatever else there is comes from the parser, or from the client's connection.
    const { message, statusCode } = cause as Error & { statusCode?: number }
    if (statusCode === 413) throw refusal(413, 'request_too_large', 'The form has too many fields.', null, { cause })
    const hint = 'Send multipart/form-data, as browsers and curl -F do.'
    throw refusal(400, 'request_invalid', `The form cannot be read: ${message}.`, hint, { cause })
  }
  if (file === undefined) throw fileMissing()
  return file
}

function fileMissing(): Refusal {
  const hint = 'Send the file, with a file name, in the field file, and no other file.'
  return refusal(400, 'file_missing', 'The form has no file in its field file.', hint)
}

/** Postgres takes no \u0000, and nobody needs the other control characters. */
function plainName(name: string | undefined): string {
  return (name ?? '').toWellFormed().replace(/\p{Cc}/gu, '')
}

/** What rate limits may go by: no secrets. */
function publicHeaders(request: FastifyRequest): Record<string, unknown> {
  const { authorization, cookie, apikey, ...headers } = request.headers
  return headers
}

/** A disk without room for another upload is no fault of the request. */
function noRoomOr(error: unknown): never {
  const { code } = (error as Error).cause as NodeJS.ErrnoException
  throw ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'].includes(code ?? '') ? noRoom(error) : error
}

function noRoom(cause?: unknown): Refusal {
  const message = 'The sidecar has no room for another upload at the moment.'
  return refusal(503, 'uploads_busy', message, 'Try again in a few seconds.', { retryAfter: 5, cause })
}
