import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { spacesEnv } from '../scripts/local/services.ts'
import { createDatabase, type TestDatabase } from '../scripts/testing/database.ts'
import { someGif } from '../scripts/testing/sidecar.ts'
import { createDb } from '../worker/shared/db.ts'
import { createLogger } from '../worker/shared/log.ts'
import { createSpaces } from '../worker/shared/object_store.ts'
import { parseConfig } from './config.ts'
import { buildServer } from './server.ts'
import { openSpool } from './spool.ts'

/** The errors that the disk returns at the next open and at each write. */
const disk = vi.hoisted((): { openCode?: string; writeCode?: string } => ({}))
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const failure = (code: string) => Object.assign(new Error(`${code}: no`), { code })
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>): Promise<FileHandle> => {
      if (disk.openCode !== undefined) throw failure(disk.openCode)
      const file = await real.open(...args)
      const { writeCode } = disk
      if (writeCode !== undefined) file.write = () => Promise.reject(failure(writeCode))
      return file
    },
  }
})
beforeEach(() => {
  delete disk.openCode
  delete disk.writeCode
})

test('accepts exactly as many bytes as allowed, and stops at one more', async () => {
  const spool = await openSpool()
  const fill = (maxBytes: number) => spool.fill(Readable.from([Buffer.from('12345'), Buffer.from('67890')]), maxBytes)
  expect(await fill(10)).toMatchObject({ size: 10, isTooLarge: false })
  expect(await fill(9)).toMatchObject({ isTooLarge: true })
  await spool.close()
})

describe('an upload', () => {
  let database: TestDatabase
  let upload: () => Promise<{ statusCode: number; headers: object; json(): unknown }>

  beforeAll(async () => {
    database = await createDatabase()
    const server = buildServer({
      db: createDb(database.openPool({ connectionString: database.url('sidecar') })),
      // Nothing listens on port 1.
      store: createSpaces(parseConfig({ DATABASE_URL: 'postgres://h/d', ASSETS_CDN_URL: 'http://h', ...spacesEnv(1) })),
      logger: createLogger('sidecar', 'silent'),
      corsOrigins: [],
      cdnUrl: 'http://127.0.0.1:1/bucket',
      uploadsAtOnce: 1,
      uploadTimeoutMs: 5000,
      jwtSecret: undefined,
    })
    upload = async () => {
      const form = new FormData()
      form.append('file', new Blob([someGif(100)]), 'x.gif')
      const request = new Request('http://h', { method: 'POST', body: form })
      const headers = { 'content-type': request.headers.get('content-type') ?? '' }
      const payload = Buffer.from(await request.arrayBuffer())
      return server.inject({ method: 'POST', url: '/api/assets', headers, payload })
    }
  })
  afterAll(() => database.drop())

  test.each(['ENOSPC', 'EDQUOT'])('can be tried again later if a write fails with %s', async (code) => {
    disk.writeCode = code
    const answer = await upload()
    expect([answer.statusCode, answer.json()]).toMatchObject([503, { details: 'uploads_busy' }])
    expect(answer.headers).toMatchObject({ 'retry-after': '5' })
  })

  test.each(['EMFILE', 'ENFILE', 'ENOSPC'])(
    'can be tried again later if its file cannot be opened: %s',
    async (code) => {
      disk.openCode = code
      const answer = await upload()
      expect([answer.statusCode, answer.json()]).toMatchObject([503, { details: 'uploads_busy' }])
    },
  )

  test('fails if the disk is broken', async () => {
    disk.writeCode = 'EIO'
    expect((await upload()).statusCode).toBe(500)
  })
})
