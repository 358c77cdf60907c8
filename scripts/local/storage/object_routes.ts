import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { sendHead, sendInfo, sendObject } from './downloads.ts'
import { noSuchBucket, notBuilt, StorageError } from './errors.ts'
import { operations } from './operations.ts'
import { readCaller, readCallerIfAny, readJson, readUserMetadata } from './requests.ts'
import type { SigningKeys } from './tokens.ts'
import type { Entry, Objects, Opened } from './types.ts'
import { readUpload } from './uploads.ts'

/** A route that names an object; the key is the rest of the path. */
export type ByKey = { Params: { bucket: string; '*': string } }
export type ByBucket = { Params: { bucket: string } }

const count = z.int().max(2 ** 31 - 1)
const order = z.enum(['asc', 'desc']).optional()
const searchBody = z.object({
  prefix: z.string(),
  limit: count.min(1).optional(),
  offset: count.min(0).optional(),
  search: z.string().optional(),
  sortBy: z.object({ column: z.enum(['name', 'updated_at', 'created_at', 'last_accessed_at']), order }).optional(),
})
const listBody = z.object({
  prefix: z.string().optional(),
  limit: count.min(1).optional(),
  cursor: z.string().optional(),
  with_delimiter: z.boolean().optional(),
  sortBy: z.object({ column: z.enum(['name', 'updated_at', 'created_at']), order }).optional(),
})
const cursor = z.object({ after: z.string(), afterTime: z.string().optional(), sortBy: listBody.shape.sortBy })
const removeBody = z.object({ prefixes: z.array(z.string()).min(1) })
const moveBody = z.object({
  bucketId: z.string(),
  sourceKey: z.string(),
  destinationKey: z.string(),
  destinationBucket: z.string().optional(),
  sourceVersionId: z.string().optional(),
})
const copyBody = moveBody.extend({
  copyMetadata: z.boolean().optional(),
  metadata: z.object({ cacheControl: z.string().optional(), mimetype: z.string().optional() }).optional(),
})
const pageSize = 1000

/** Uploads, reads, lists, moves, copies and removes objects, as the caller. */
export function addObjectRoutes(server: FastifyInstance, objects: Objects, keys: SigningKeys): void {
  async function upload(request: FastifyRequest<ByKey>, upsert: boolean) {
    const caller = await readCaller(request, keys)
    const { bucket, '*': name } = request.params
    const { body, options } = await readUpload(request)
    const operation = request.method === 'PUT' ? operations.update : operations.put
    const { id } = await objects.put(caller, bucket, name, body, { ...options, upsert, operation })
    return { Id: id, Key: `${bucket}/${name}` }
  }

  /** Opens an object as the caller; an object of a public bucket for anybody. */
  async function open(request: FastifyRequest<ByKey>, operation: string): Promise<Opened> {
    const { bucket, '*': name } = request.params
    const caller = await readCallerIfAny(request, keys)
    const isPublic = await objects.isPublic(bucket)
    if (isPublic) return objects.openPublic(bucket, name)
    if (!caller || isPublic === undefined) throw noSuchBucket()
    return objects.open(caller, bucket, name, operation)
  }

  async function openAsCaller(request: FastifyRequest<ByKey>, operation: string): Promise<Opened> {
    await readCaller(request, keys)
    return open(request, operation)
  }

  const openPublic = ({ params }: FastifyRequest<ByKey>) => objects.openPublic(params.bucket, params['*'])

  server.post<ByKey>('/object/:bucket/*', (request) => upload(request, request.headers['x-upsert'] === 'true'))
  server.put<ByKey>('/object/:bucket/*', (request) => upload(request, true))

  const readers = [
    { path: '', find: open },
    { path: 'authenticated/', find: openAsCaller },
    { path: 'public/', find: openPublic },
  ]
  for (const { path, find } of readers) {
    server.get<ByKey>(`/object/${path}:bucket/*`, async (request, reply) =>
      sendObject(request, reply, await find(request, operations.get)),
    )
    server.head<ByKey>(`/object/${path}:bucket/*`, async (request, reply) =>
      sendHead(request, reply, (await find(request, operations.head)).row),
    )
    server.get<ByKey>(`/object/info/${path}:bucket/*`, async (request, reply) =>
      sendInfo(request, reply, (await find(request, operations.info)).row),
    )
  }

  server.delete<ByKey>('/object/:bucket/*', async (request) => {
    await objects.removeOne(await readCaller(request, keys), request.params.bucket, request.params['*'])
    return { message: 'Successfully deleted' }
  })

  server.delete<ByBucket>('/object/:bucket', async (request) => {
    const caller = await readCaller(request, keys)
    const { prefixes } = await readJson(request, removeBody)
    return objects.remove(caller, request.params.bucket, prefixes)
  })

  server.post<ByBucket>('/object/list/:bucket', async (request) => {
    const caller = await readCaller(request, keys)
    return objects.search(caller, request.params.bucket, await readJson(request, searchBody))
  })

  server.post<ByBucket>('/object/list-v2/:bucket', async (request) => {
    const caller = await readCaller(request, keys)
    const body = await readJson(request, listBody)
    const last = body.cursor === undefined ? undefined : readCursor(body.cursor)
    const sortBy = last?.sortBy ?? body.sortBy
    const limit = Math.min(body.limit ?? pageSize, pageSize)
    const entries = await objects.list(caller, request.params.bucket, {
      prefix: body.prefix ?? '',
      withFolders: body.with_delimiter ?? false,
      // One more, which tells whether there is another page.
      limit: limit + 1,
      after: last?.after,
      afterTime: last?.afterTime,
      sortBy,
    })
    const page = entries.slice(0, limit)
    const end = entries.length > limit ? page.at(-1) : undefined
    return {
      hasNext: end !== undefined,
      ...(end && { nextCursor: writeCursor(end, sortBy), nextCursorKey: end.name }),
      folders: page.filter(({ id }) => id === null).map((entry) => ({ ...entry, key: keyOf(entry) })),
      objects: page.filter(({ id }) => id !== null).map((entry) => ({ ...entry, key: keyOf(entry) })),
    }
  })

  server.post('/object/move', async (request) => {
    const caller = await readCaller(request, keys)
    const { from, to } = readPaths(await readJson(request, moveBody))
    const { id, name } = await objects.move(caller, from, to)
    return { message: 'Successfully moved', Id: id, Key: name }
  })

  server.post('/object/copy', async (request) => {
    const caller = await readCaller(request, keys)
    const body = await readJson(request, copyBody)
    const { from, to } = readPaths(body)
    const row = await objects.copy(caller, from, to, {
      upsert: request.headers['x-upsert'] === 'true',
      ...(body.copyMetadata === false && {
        contentType: body.metadata?.mimetype,
        cacheControl: body.metadata?.cacheControl,
        userMetadata: readUserMetadata(request.headers['x-metadata']) ?? {},
      }),
    })
    return { ...row, Id: row.id, Key: `${to.bucket}/${to.name}` }
  })
}

function readPaths(body: z.infer<typeof moveBody>) {
  if (body.sourceVersionId !== undefined) throw notBuilt('versions of objects')
  return {
    from: { bucket: body.bucketId, name: body.sourceKey },
    to: { bucket: body.destinationBucket ?? body.bucketId, name: body.destinationKey },
  }
}

/** Returns the last segment of a path. */
function keyOf({ name }: Entry): string {
  return name.replace(/\/$/, '').split('/').at(-1) ?? ''
}

function writeCursor(last: Entry, sortBy: z.infer<typeof listBody>['sortBy']): string {
  const time = sortBy && sortBy.column !== 'name' ? last[sortBy.column]?.toISOString() : undefined
  return Buffer.from(JSON.stringify({ after: last.name, afterTime: time, sortBy })).toString('base64url')
}

function readCursor(text: string): z.infer<typeof cursor> {
  try {
    return cursor.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
  } catch (cause) {
    throw new StorageError(400, 'InvalidParameter', 'Invalid Parameter continuation token', { cause })
  }
}
