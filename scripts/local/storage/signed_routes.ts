import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { server as serverCaller } from './database.ts'
import { sendObject } from './downloads.ts'
import { invalidRequest, notBuilt } from './errors.ts'
import type { ByBucket, ByKey } from './object_routes.ts'
import { operations } from './operations.ts'
import { readCaller, readJson, readUserMetadata } from './requests.ts'
import { type SigningKeys, signUrl, verifyUrl } from './tokens.ts'
import type { Objects } from './types.ts'
import { readUpload } from './uploads.ts'

/** The last time that a JWT can name. */
const maxSeconds = Math.floor(Number.MAX_SAFE_INTEGER / 1000) - 10 ** 10
const expiresIn = z.int().min(1).max(maxSeconds)
const signBody = z.object({
  expiresIn,
  transform: z.record(z.string(), z.unknown()).optional(),
  versionId: z.unknown().optional(),
})
const signManyBody = z.object({ expiresIn, paths: z.array(z.string()).min(1).max(1000) })

/** As on hosted Supabase: two hours. */
const uploadSeconds = 7200

/** Signs URLs as the caller. A signed URL needs no account: its signature opens it. */
export function addSignedRoutes(server: FastifyInstance, objects: Objects, keys: SigningKeys): void {
  server.post<ByKey>('/object/sign/:bucket/*', async (request) => {
    const caller = await readCaller(request, keys)
    const { bucket, '*': name } = request.params
    const body = await readJson(request, signBody)
    if (Object.keys(body.transform ?? {}).length > 0) throw notBuilt('image transformations')
    if (body.versionId !== undefined) throw notBuilt('versions of objects')
    await objects.find(caller, bucket, name, operations.sign)
    return { signedURL: await signDownload(bucket, name, body.expiresIn) }
  })

  server.post<ByBucket>('/object/sign/:bucket', async (request) => {
    const caller = await readCaller(request, keys)
    const { bucket } = request.params
    const body = await readJson(request, signManyBody)
    const found = await objects.findNames(caller, bucket, body.paths)
    return Promise.all(
      body.paths.map(async (path) =>
        found.has(path)
          ? { error: null, path, signedURL: await signDownload(bucket, path, body.expiresIn) }
          : {
              error: 'Either the object does not exist or you do not have access to it',
              path,
              signedURL: null,
            },
      ),
    )
  })

  server.get<ByKey>('/object/sign/:bucket/*', async (request, reply) => {
    const { bucket, '*': name } = request.params
    const { exp } = await verifyUrl(keys, readToken(request.query), `${bucket}/${name}`, 'download')
    return sendObject(request, reply, await objects.openSigned(bucket, name), new Date(exp * 1000))
  })

  server.post<ByKey>('/object/upload/sign/:bucket/*', async (request) => {
    const caller = await readCaller(request, keys)
    const { bucket, '*': name } = request.params
    const upsert = request.headers['x-upsert'] === 'true'
    await objects.requirePut(caller, bucket, name, {
      contentType: request.headers['content-type'] ?? 'application/octet-stream',
      upsert,
      operation: operations.signUpload,
      userMetadata: readUserMetadata(request.headers['x-metadata']),
    })
    const owner = caller.claims.sub
    const url = `${bucket}/${name}`
    const token = await signUrl(keys, { url, scope: 'upload', upsert, ...(owner && { owner }) }, uploadSeconds)
    return { url: `/object/upload/sign/${url}?token=${token}`, token }
  })

  server.put<ByKey>('/object/upload/sign/:bucket/*', async (request) => {
    const { bucket, '*': name } = request.params
    const claims = await verifyUrl(keys, readToken(request.query), `${bucket}/${name}`, 'upload')
    const { body, options } = await readUpload(request)
    // The policies allowed the upload when its URL was signed.
    await objects.put(serverCaller, bucket, name, body, {
      ...options,
      upsert: claims.upsert === true,
      ownerId: claims.owner,
      operation: operations.putSigned,
    })
    return { Key: `${bucket}/${name}` }
  })

  async function signDownload(bucket: string, name: string, seconds: number): Promise<string> {
    const url = `${bucket}/${name}`
    return `/object/sign/${url}?token=${await signUrl(keys, { url, scope: 'download' }, seconds)}`
  }
}

function readToken(query: unknown): string {
  const { token } = query as { token?: unknown }
  if (typeof token !== 'string') throw invalidRequest("querystring must have required property 'token'")
  return token
}
