import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SupabaseClient, type SupabaseClientOptions } from '@supabase/supabase-js'
import type pg from 'pg'
import { inject } from 'vitest'
import { readMails } from '../local/auth/mail.ts'
import { type AuthOptions, startAuth } from '../local/auth/server.ts'
import { startGateway } from '../local/gateway/gateway.ts'
import { type LocalKeys, localKeys } from '../local/keys.ts'
import { freePort } from '../local/ports.ts'
import { createDatabase, type TestDatabase } from './database.ts'

/** A local Auth server on a database of its own, behind the local gateway. */
export type LocalAuth = {
  url: string
  /** The server itself, without the gateway. */
  authUrl: string
  keys: LocalKeys
  database: TestDatabase
  db: pg.Client
  log: string[]
  mailFolder: string
  /** A client of supabase-js that nobody has used yet. */
  client(options?: SupabaseClientOptions<'public'>): SupabaseClient
  /** A client with the service key. */
  admin: SupabaseClient
  /** The newest mail to an address, with its code. */
  mailTo(address: string): Promise<{ subject: string; code: string }>
  /** Signs up and confirms; returns the client, which is signed in. */
  signUp(email: string, password?: string): Promise<SupabaseClient>
  stop(): Promise<void>
}

export async function startLocalAuth(options: Partial<AuthOptions> = {}): Promise<LocalAuth> {
  const database = await createDatabase()
  const db = await database.connect()
  await database.asAdmin((admin) => admin.query('update local_auth.settings set bcrypt_cost = 4'))
  const keys = await localKeys(inject('cluster').secrets)
  const mailFolder = mkdtempSync(join(tmpdir(), 'plinth-mail-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const log: string[] = []
  const auth = await startAuth({
    port: 0,
    databaseUrl: database.url('supabase_auth_admin'),
    keys,
    publicUrl: url,
    mailFolder,
    say: (line) => log.push(line),
    ...options,
  })
  const gateway = await startGateway({ port, keys, postgrestPort: 9, sidecarPort: 9, authPort: auth.port })
  const client = (key: string, more: SupabaseClientOptions<'public'> = {}) =>
    createClient(url, key, { ...more, auth: { persistSession: false, autoRefreshToken: false, ...more.auth } })
  const mailTo = async (address: string) => {
    const mail = (await readMails(mailFolder, 1000)).find(({ to }) => to === address)
    if (!mail) throw new Error(`No mail to ${address} was written.`)
    return { subject: mail.subject, code: /\b\d{6}\b/.exec(mail.text)?.[0] ?? '' }
  }
  return {
    url,
    authUrl: `http://127.0.0.1:${auth.port}`,
    keys,
    database,
    db,
    log,
    mailFolder,
    client: (more) => client(keys.anonKey, more),
    admin: client(keys.serviceRoleKey),
    mailTo,
    signUp: async (email, password = 'secret-123') => {
      const user = client(keys.anonKey)
      await user.auth.signUp({ email, password })
      const { error } = await user.auth.verifyOtp({ type: 'signup', email, token: (await mailTo(email)).code })
      if (error) throw error
      return user
    },
    stop: async () => {
      await gateway.close()
      await auth.close()
      await database.drop()
      rmSync(mailFolder, { recursive: true, force: true })
    },
  }
}
