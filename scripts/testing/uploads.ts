import type { Client, QueryResult } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject } from 'vitest'
import { createDatabase, type TestDatabase } from './database.ts'
import { type FaultyDatabase, startFaultyDatabase } from './faulty_database.ts'
import { startTestSidecar, type TestSidecar } from './sidecar.ts'
import { type FaultyStore, startFaultyStore, startTestStore, type TestStore } from './store.ts'

/** The largest file of these tests. */
export const mib = 2 ** 20

/** The JSON of an upload's answer: of an asset, or of an error. */
export type Answer = { assetId: string; details: string; hint: string | null }

/** Real sidecar processes on a real Postgres and a real S3 server, with proxies between them that can fail. */
export type Uploads = {
  database: TestDatabase
  db: Client
  store: TestStore
  faultyStore: FaultyStore
  faultyDatabase: FaultyDatabase
  /** Goes through both proxies. */
  sidecar: TestSidecar
  /** Goes straight to database and store, and checks tokens. */
  other: TestSidecar
  rows: (text: string, values?: unknown[]) => Promise<QueryResult['rows']>
  /** Lists the assets, the oldest first. */
  listAssets: () => Promise<QueryResult['rows']>
  /** Lists the uploads that are in progress or broken. */
  listUploads: () => Promise<QueryResult['rows']>
  /** Expects that neither store nor database has anything of an upload. */
  requireNothing: () => Promise<void>
  /** Sends a request to the first sidecar. */
  post: (init: RequestInit) => Promise<Response>
}

/**
 * Starts the processes for the tests of a file. Between two tests, store and tables are emptied and the proxies heal. The
 * first sidecar waits for a silent store for `storeTimeoutSeconds`.
 */
export function useUploads({ storeTimeoutSeconds = 60 } = {}): Uploads {
  const uploads = {} as Uploads
  beforeAll(async () => {
    const database = await createDatabase()
    const db = await database.connect()
    const store = await startTestStore()
    const faultyStore = await startFaultyStore(store.port)
    const faultyDatabase = await startFaultyDatabase(inject('cluster').port)
    await db.query('update app.settings set asset_max_bytes = $1, asset_uploads_per_minute = 100000', [mib])
    const [sidecar, other] = await Promise.all([
      startTestSidecar({
        databaseUrl: faultyDatabase.through(database.url('sidecar')),
        storePort: faultyStore.port,
        publicStorePort: store.port,
        // A failed upload deletes its object in the rest of this time.
        env: { SPACES_TIMEOUT_SECONDS: String(storeTimeoutSeconds) },
      }),
      startTestSidecar({
        databaseUrl: database.url('sidecar'),
        storePort: store.port,
        env: { JWT_SECRET: inject('cluster').secrets.jwtSecret },
      }),
    ])
    const rows = async (text: string, values: unknown[] = []) => (await db.query(text, values)).rows
    const listAssets = () =>
      rows('select a.* from assets as a join app.asset_times as t on t.asset_id = a.id order by t.created_at')
    const listUploads = () => rows('select * from app.asset_uploads')
    const requireNothing = async () => {
      expect(await store.keys()).toEqual([])
      expect(await listAssets()).toEqual([])
      expect(await listUploads()).toEqual([])
    }
    const post = (init: RequestInit) => fetch(`${sidecar.url}/api/assets`, init)
    const processes = { database, db, store, faultyStore, faultyDatabase, sidecar, other }
    Object.assign(uploads, processes, { rows, listAssets, listUploads, requireNothing, post })
  })
  beforeEach(async () => {
    await uploads.db.query('delete from app.asset_uploads')
    await uploads.db.query('delete from assets')
    for (const key of await uploads.store.keys()) await uploads.store.store.delete(key)
  })
  afterEach(() => {
    uploads.faultyStore.heal()
    uploads.faultyDatabase.heal()
  })
  afterAll(async () => {
    await Promise.all([uploads.sidecar.stop(), uploads.other.stop()])
    uploads.faultyStore.stop()
    uploads.faultyDatabase.stop()
    await uploads.store.stop()
    await uploads.database.drop()
  })
  return uploads
}

/** Returns the id of the asset that an answer names. */
export const idOf = async (response: Response) => ((await response.json()) as Answer).assetId

/** Returns the status and the slug of an error. */
export const slugOf = async (response: Response) => [response.status, ((await response.json()) as Answer).details]

/** A form as text, for what FormData would not write. */
export function rawForm(parts: { head: string; bytes?: Buffer | string }[], end = '--cut--\r\n') {
  const body = Buffer.concat([
    ...parts.flatMap(({ head, bytes = '' }) => [
      Buffer.from(`--cut\r\n${head}\r\n\r\n`),
      Buffer.from(bytes as string),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(end),
  ])
  return { method: 'POST', body, headers: { 'content-type': 'multipart/form-data; boundary=cut' } }
}

/** The header of the file in a form. A name that begins with * is in RFC 5987's form, which can hold any byte. */
export const fileHead = (name: string) =>
  `Content-Disposition: form-data; name="file"; filename${name.startsWith('*') ? name.replace('*', '*=') : `="${name}"`}`
