import type { FastifyInstance } from 'fastify'
import type pg from 'pg'
import { type LocalKeys, verifyJwt } from '../../keys.ts'
import type { Objects } from '../types.ts'
import { createS3Handler } from './handler.ts'

/** The keys of the S3 protocol. */
export type S3Keys = {
  accessKeyId: string
  secretAccessKey: string
  /** The secret key of requests with a user's session token. */
  anonKey: string
}

/** The region of the local Storage, as Supabase's CLI has it. */
export const storageRegion = 'local'

/** The reference of the local project: the access key of requests with a user's session token. */
export const projectRef = 'stub'

/** Adds the S3 protocol at `/s3`. Clients see and sign `/storage/v1/s3`, because the gateway strips the beginning. */
export function addS3Routes(
  server: FastifyInstance,
  {
    objects,
    pool,
    signers,
    keys,
  }: {
    objects: Objects
    pool: pg.Pool
    /** They check session tokens. */
    signers: Pick<LocalKeys, 'jwtSecret' | 'signingKey'>
    keys: S3Keys
  },
): void {
  const { anonKey, ...own } = keys
  const verifyToken = (token: string) => verifyJwt(token, signers)
  const handle = createS3Handler({
    objects,
    pool,
    region: storageRegion,
    prefix: '/storage/v1',
    ...own,
    session: { projectRef, anonKey, verifyToken },
  })
  for (const url of ['/s3', '/s3/*'])
    server.route({
      method: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
      url,
      handler: async ({ raw }, reply) => {
        // The signature covers the bytes of the request as they came, so this route reads and answers them itself.
        reply.hijack()
        await handle(raw, reply.raw)
      },
    })
}
