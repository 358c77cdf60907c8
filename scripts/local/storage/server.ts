import { mkdirSync } from 'node:fs'
import { Readable } from 'node:stream'
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import pg from 'pg'
import { drain } from '../../../sidecar/drain.ts'
import { addBucketRoutes } from './bucket_routes.ts'
import { createBuckets } from './buckets.ts'
import { accessDenied, fromPostgres, notBuilt, StorageError } from './errors.ts'
import { addObjectRoutes } from './object_routes.ts'
import { createObjects } from './objects.ts'
import { readCaller } from './requests.ts'
import { addS3Routes, type S3Keys } from './s3/routes.ts'
import { addSignedRoutes } from './signed_routes.ts'
import type { SigningKeys } from './tokens.ts'
import type { Objects } from './types.ts'

export type StorageOptions = {
  /** A free port by default. */
  port?: number
  /** The database, as role `supabase_storage_admin`. */
  databaseUrl: string
  /** The folder of the bytes, such as `.local/storage`. */
  folder: string
  keys: SigningKeys
  /** The keys of the S3 protocol at `/s3`. Their holder has the rights of `service_role`. No protocol without them. */
  s3?: S3Keys
  /** The largest object of any bucket: 50 MiB by default. */
  maxBytes?: number
}

export type Storage = {
  port: number
  objects: Objects
  /** Resolves when the files that a killed process left are removed, with their number. */
  swept: Promise<number>
  close(): Promise<void>
}

/**
 * Serves what supabase-js' `storage` asks for, as Supabase Storage does behind its gateway: for development and tests. Rows of
 * `storage.objects` are changed as the caller, so that policies decide; the bytes are files.
 */
export async function startStorage(options: StorageOptions): Promise<Storage> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 })
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: 5,
    application_name: 'storage',
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 30_000,
    connectionTimeoutMillis: 15_000,
  })
  // An idle connection that breaks is replaced by the next request.
  pool.on('error', () => {})
  const limits = options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }
  const objects = createObjects({ pool, folder: options.folder, ...limits })
  const buckets = createBuckets({ pool, objects, ...limits })

  const server = fastify({
    forceCloseConnections: true,
    // A slow client has half an hour for an upload, and 20 s for its headers.
    requestTimeout: 1_800_000,
    http: { headersTimeout: 20_000, connectionsCheckingInterval: 1000 },
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 4096 },
    frameworkErrors: (error, request, reply) =>
      refuse(request as FastifyRequest, reply as FastifyReply, new StorageError(400, 'InvalidKey', error.message)),
  })
  // Each route reads its body itself.
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', (_request, _payload, done) => done(null))
  server.setErrorHandler<Error>((error, request, reply) => refuse(request, reply, error))
  server.setNotFoundHandler((request, reply) =>
    refuse(
      request,
      reply,
      new StorageError(404, 'InvalidRequest', `Route ${request.method}:${request.url.split('?')[0]} not found`, {
        error: 'Not Found',
        status: 404,
      }),
    ),
  )
  server.get('/status', async () => '')
  server.get('/health', async () => ({ healthy: true }))
  addBucketRoutes(server, buckets, options.keys)
  addSignedRoutes(server, objects, options.keys)
  addObjectRoutes(server, objects, options.keys)
  if (options.s3) addS3Routes(server, { objects, pool, signers: options.keys, keys: options.s3 })
  // Nothing is cached here, so there is nothing to purge.
  server.delete('/cdn/*', async (request) => {
    if ((await readCaller(request, options.keys)).role !== 'service_role')
      throw accessDenied('Access denied: Invalid role')
    return { message: 'success' }
  })
  for (const [path, feature] of unbuilt)
    server.all(path, () => {
      throw notBuilt(feature)
    })

  await server.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  const swept = objects.sweep().catch((error: unknown) => {
    console.error(`Storage could not look for files without a row: ${String(error)}`)
    return 0
  })
  return {
    port: (server.server.address() as { port: number }).port,
    objects,
    swept,
    async close() {
      await server.close()
      await swept
      await pool.end()
    },
  }
}

const unbuilt: [path: string, feature: string][] = [
  ['/render/image/*', 'image transformations'],
  ['/upload/resumable', 'resumable uploads'],
  ['/upload/resumable/*', 'resumable uploads'],
  ['/iceberg/*', 'analytics buckets'],
  ['/vector/*', 'vector buckets'],
  ['/bucket/:id/lifecycle', 'lifecycles of buckets'],
]

/** Sends an error as Storage does. If the client still sends, keeps the connection until the client has read the error. */
function refuse({ raw, method }: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = toStorageError(thrown)
  if (error.status >= 500 && error.code !== 'NotImplemented')
    console.error(`Storage answered ${error.status} to ${method}: ${error.message}`, error.cause ?? '')
  const body = JSON.stringify({
    statusCode: String(error.statusCode),
    code: error.code,
    error: error.error,
    message: error.message,
  })
  for (const name of ['content-disposition', 'content-range', 'etag', 'expires', 'last-modified'])
    reply.removeHeader(name)
  reply.code(error.status).headers({
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  if (raw.complete || raw.destroyed) return reply.send(body)
  async function* parts() {
    yield body
    await drain(raw)
  }
  return reply.header('connection', 'close').send(Readable.from(parts(), { objectMode: false }))
}

function toStorageError(thrown: unknown): StorageError {
  const error = fromPostgres(thrown)
  if (error instanceof StorageError) return error
  if ((error as NodeJS.ErrnoException | null)?.code === 'ECONNRESET')
    return new StorageError(499, 'Aborted', 'The request was interrupted.')
  const status = (error as Partial<FastifyError> | null)?.statusCode ?? 500
  return status < 500
    ? new StorageError(status, 'InvalidRequest', (error as Error).message)
    : new StorageError(500, 'InternalError', 'Internal Server Error', { error: 'Internal', cause: error })
}
