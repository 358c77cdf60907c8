import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Buckets } from './buckets.ts'
import { notBuilt } from './errors.ts'
import { check, readCaller, readJson } from './requests.ts'
import type { SigningKeys } from './tokens.ts'

const settings = {
  public: z.boolean().nullish(),
  file_size_limit: z.union([z.int().min(0), z.string()]).nullish(),
  allowed_mime_types: z.array(z.string()).nullish(),
  type: z.string().nullish(),
  versioning_status: z.string().nullish(),
}
const newBucket = z.object({ name: z.string(), id: z.string().optional(), ...settings })
const changedBucket = z.object(settings)
const listQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1)
    .optional(),
  offset: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
  search: z.string().optional(),
  sortColumn: z.enum(['id', 'name', 'created_at', 'updated_at']).optional(),
  sortOrder: z.enum(['asc', 'desc']).optional(),
})

type ById = { Params: { id: string } }

/** Creates, lists, changes, empties and deletes buckets. Policies decide, so mostly the service key can. */
export function addBucketRoutes(server: FastifyInstance, buckets: Buckets, keys: SigningKeys): void {
  server.post('/bucket', async (request) => {
    const caller = await readCaller(request, keys)
    const body = await readJson(request, newBucket)
    refuseKinds(body)
    // As in Storage, the name of a bucket is its id.
    await buckets.create(caller, body.id ?? body.name, toSettings(body))
    return { name: body.name }
  })

  server.get('/bucket', async (request) =>
    buckets.list(await readCaller(request, keys), check(listQuery, request.query, 'querystring')),
  )

  server.get<ById>('/bucket/:id', async (request) => buckets.find(await readCaller(request, keys), request.params.id))

  server.put<ById>('/bucket/:id', async (request) => {
    const caller = await readCaller(request, keys)
    const body = await readJson(request, changedBucket)
    refuseKinds(body)
    await buckets.update(caller, request.params.id, toSettings(body))
    return { message: 'Successfully updated' }
  })

  server.post<ById>('/bucket/:id/empty', async (request) => {
    await buckets.empty(await readCaller(request, keys), request.params.id)
    return { message: 'Successfully emptied' }
  })

  server.delete<ById>('/bucket/:id', async (request) => {
    await buckets.remove(await readCaller(request, keys), request.params.id)
    return { message: 'Successfully deleted' }
  })
}

function toSettings(body: z.infer<typeof changedBucket>) {
  return {
    public: body.public ?? undefined,
    fileSizeLimit: body.file_size_limit,
    allowedMimeTypes: body.allowed_mime_types,
  }
}

function refuseKinds({ type, versioning_status }: z.infer<typeof changedBucket>): void {
  if (type && type !== 'STANDARD') throw notBuilt('analytics buckets')
  if (versioning_status && versioning_status !== 'DISABLED') throw notBuilt('versions of objects')
}
