import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { inject } from 'vitest'
import { readMails } from '../local/auth/mail.ts'
import { startAuth } from '../local/auth/server.ts'
import { startGateway } from '../local/gateway/gateway.ts'
import { type StandIn, startGemini } from '../local/gemini.ts'
import { jwkSet, localKeys } from '../local/keys.ts'
import { freePort } from '../local/ports.ts'
import { startPostgrest, storageEnv } from '../local/services.ts'
import { createDatabase, type TestDatabase } from './database.ts'
import { startTestStorage, type TestStorage } from './storage.ts'
import { type FaultyStore, startFaultyStore } from './store.ts'
import { until } from './waiting.ts'
import { createTestWorkers, type TestWorker } from './workers.ts'

/** The whole backend of the studio on a database of its own: Auth, PostgREST and Storage behind one gateway, and workers. */
export type TestStudio = {
  url: string
  anonKey: string
  database: TestDatabase
  admin: pg.Client
  storage: TestStorage
  /** The proxy between workers and Storage. */
  faulty: FaultyStore
  gemini: StandIn
  /** A client with the service key. */
  service: SupabaseClient
  /** Starts a worker process that runs generations and deletes files. */
  startWorker(env?: Record<string, string>): Promise<TestWorker>
  stopWorkers(): Promise<void>
  /** Signs up by the code of a mail, as an app does. */
  signUp(email?: string): Promise<{ client: SupabaseClient; id: string; email: string }>
  stop(): Promise<void>
}

export async function startStudio(): Promise<TestStudio> {
  const database = await createDatabase()
  const admin = await database.connect()
  await database.asAdmin((superuser) => superuser.query('update local_auth.settings set bcrypt_cost = 4'))
  const keys = await localKeys(inject('cluster').secrets)
  const home = mkdtempSync(join(tmpdir(), 'plinth-studio-'))
  const storage = await startTestStorage(database)
  const [port, postgrestPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const postgrest = await startPostgrest({
    home,
    port: postgrestPort,
    adminPort: await freePort(),
    databaseUrl: database.url('authenticator'),
    jwtSecret: jwkSet(keys),
    publicUrl: `${url}/rest/v1`,
  })
  const mailFolder = join(home, 'mail')
  const databaseUrl = database.url('supabase_auth_admin')
  const auth = await startAuth({ port: 0, databaseUrl, keys, publicUrl: url, mailFolder, say: () => {} })
  const storagePort = Number(new URL(storage.ownUrl).port)
  const gateway = await startGateway({ port, keys, postgrestPort, sidecarPort: 9, authPort: auth.port, storagePort })
  await admin.query('update app.settings set storage_url = $1', [`${url}/storage/v1`])
  await admin.query("update job_types set backoff = '20 ms' where name in ('process_image', 'analyze_face')")
  const faulty = await startFaultyStore(port)
  const gemini = await startGemini()
  const workers = createTestWorkers()
  const options = { auth: { persistSession: false, autoRefreshToken: false } }
  let started = 0
  return {
    url,
    anonKey: keys.anonKey,
    database,
    admin,
    storage,
    faulty,
    gemini,
    service: createClient(url, keys.serviceRoleKey, options),
    async startWorker(env = {}) {
      started += 1
      const worker = await workers.start(`studio-${started}`, database.url('worker'), {
        program: [join(import.meta.dirname, '../../worker/main.ts')],
        env: {
          PLINTH_HOME: home,
          GEMINI_API_KEY: 'key',
          GEMINI_BASE_URL: gemini.url,
          ...storageEnv({
            endpoint: `http://127.0.0.1:${faulty.port}/storage/v1/s3`,
            accessKeyId: String(storage.templatesEnv['TEMPLATES_STORE_ACCESS_KEY_ID']),
            secretAccessKey: String(storage.templatesEnv['TEMPLATES_STORE_SECRET_ACCESS_KEY']),
          }),
          ...env,
        },
      })
      await until('the worker is healthy', async () => (await worker.health()) === 200)
      return worker
    },
    stopWorkers: () => workers.stop(),
    async signUp(email = `${crypto.randomUUID()}@example.com`) {
      const client = createClient(url, keys.anonKey, options)
      const password = 'secret-123'
      const { error: refused } = await client.auth.signUp({ email, password })
      if (refused) throw refused
      const mail = (await readMails(mailFolder, 1000)).find(({ to }) => to === email)
      const token = /\b\d{6}\b/.exec(mail?.text ?? '')?.[0] ?? ''
      const { data, error } = await client.auth.verifyOtp({ type: 'signup', email, token })
      if (error) throw error
      return { client, id: data.user?.id ?? '', email }
    },
    async stop() {
      await workers.stop()
      await gemini.stop()
      faulty.stop()
      await gateway.close()
      await auth.close()
      await postgrest.stop('SIGTERM', 2000)
      await storage.stop()
      await database.drop()
      workers.remove()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
