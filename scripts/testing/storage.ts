import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { inject } from 'vitest'
import { startGateway } from '../local/gateway/gateway.ts'
import { localKeys, signUserJwt } from '../local/keys.ts'
import { freePort } from '../local/ports.ts'
import { templatesEnv } from '../local/services.ts'
import { type Storage, startStorage } from '../local/storage/server.ts'
import type { TestDatabase } from './database.ts'

type StorageClient = SupabaseClient['storage']

/** A local Storage server on a test database, behind the local gateway. */
export type TestStorage = {
  /** The URL of the gateway, and of the server itself. */
  url: string
  ownUrl: string
  folder: string
  anonKey: string
  serviceKey: string
  /** The environment of a process that uses templates there, by the S3 protocol. */
  templatesEnv: Record<string, string>
  tokenOf(userId: string): Promise<string>
  /** Clients of supabase-js. */
  service: StorageClient
  anon: StorageClient
  as(userId: string): Promise<StorageClient>
  /** Restarts the server; resolves with the number of files that the start removed. */
  restart(): Promise<number>
  /** Returns the paths of the files below the folder. */
  files(): string[]
  stop(): Promise<void>
}

/** Adds users, and lets them upload files of any type and size, as the tests of the server do. */
export async function loosenUserBuckets(admin: pg.Client, userIds: string[]): Promise<void> {
  await admin.query(
    "insert into auth.users (id, email) select id, id || '@example.com' from unnest($1::uuid[]) as id",
    [userIds],
  )
  await admin.query('update storage.buckets set file_size_limit = null, allowed_mime_types = null')
}

export async function startTestStorage(
  database: TestDatabase,
  options: { maxBytes?: number } = {},
): Promise<TestStorage> {
  const { secrets } = inject('cluster')
  const keys = await localKeys(secrets)
  const s3 = { accessKeyId: secrets.storageAccessKeyId, secretAccessKey: secrets.storageSecretAccessKey }
  const folder = mkdtempSync(join(tmpdir(), 'plinth-storage-'))
  const port = await freePort()
  const start = () =>
    startStorage({
      port,
      databaseUrl: database.url('supabase_storage_admin'),
      folder,
      keys,
      s3: { ...s3, anonKey: keys.anonKey },
      ...options,
    })
  let storage: Storage = await start()
  const gatewayPort = await freePort()
  const url = `http://127.0.0.1:${gatewayPort}`
  const gateway = await startGateway({ port: gatewayPort, keys, postgrestPort: 9, sidecarPort: 9, storagePort: port })
  const tokenOf = (sub: string) =>
    signUserJwt({ sub, role: 'authenticated', aud: 'authenticated', exp: Math.floor(Date.now() / 1000) + 3600 }, keys)
  return {
    url,
    ownUrl: `http://127.0.0.1:${port}`,
    folder,
    anonKey: keys.anonKey,
    serviceKey: keys.serviceRoleKey,
    templatesEnv: templatesEnv({ endpoint: `${url}/storage/v1/s3`, ...s3 }),
    tokenOf,
    service: createClient(url, keys.serviceRoleKey).storage,
    anon: createClient(url, keys.anonKey).storage,
    as: async (userId) => {
      const token = await tokenOf(userId)
      return createClient(url, keys.anonKey, { accessToken: async () => token }).storage
    },
    restart: async () => {
      await storage.close()
      storage = await start()
      return storage.swept
    },
    files: () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('/#')),
    stop: async () => {
      await gateway.close()
      await storage.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
