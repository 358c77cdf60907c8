import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { PNG } from 'pngjs'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { readMails } from '../local/auth/mail.ts'
import { type AuthServer, startAuth } from '../local/auth/server.ts'
import { type Gateway, startGateway } from '../local/gateway/gateway.ts'
import { type LocalKeys, localKeys } from '../local/keys.ts'
import { freePort } from '../local/ports.ts'
import { type Realtime, startRealtime } from '../local/realtime/server.ts'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import { startTestStorage, type TestStorage } from '../testing/storage.ts'
import { createStudio } from './app/studio.ts'
import { prepareStack } from './prepare.ts'
import { type Artifact, tellStory } from './story.ts'

let database: TestDatabase
let auth: AuthServer
let storage: TestStorage
let realtime: Realtime
let operator: pg.Client
let gateway: Gateway
let keys: LocalKeys
let url: string
let artifacts: [Artifact, Artifact]
const mailFolder = mkdtempSync(join(tmpdir(), 'plinth-mail-'))

beforeAll(async () => {
  database = await createDatabase()
  keys = await localKeys(inject('cluster').secrets)
  storage = await startTestStorage(database)
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const databaseUrl = database.url('supabase_auth_admin')
  auth = await startAuth({ port: 0, databaseUrl, keys, publicUrl: url, mailFolder, say: () => {} })
  const storagePort = Number(new URL(storage.ownUrl).port)
  realtime = await startRealtime({ databaseUrl: database.url('supabase_realtime_admin'), keys, say: () => {} })
  gateway = await startGateway({
    port,
    keys,
    postgrestPort: 9,
    sidecarPort: 9,
    authPort: auth.port,
    storagePort,
    realtimePort: realtime.port,
  })
  operator = await database.connect()
  artifacts = await prepareStack(operator, storage.templatesEnv)
})
afterAll(async () => {
  await gateway.close()
  await auth.close()
  await realtime.close()
  await storage.stop()
  await database.drop()
  rmSync(mailFolder, { recursive: true })
})

test('Ana signs up by a code, keeps photos in her folder, and downloads an artifact', async () => {
  // Takes the place of localStorage: the tabs of a browser share it.
  const kept = new Map<string, string>()
  const localStorage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  }
  const steps: string[] = []
  await tellStory({
    open: async ({ key = keys.anonKey, user } = {}) => {
      const auth = { storage: localStorage, autoRefreshToken: false, ...(user !== undefined && { storageKey: user }) }
      const load = () => createStudio(createClient(url, key, { auth }))
      const tab = { studio: load(), reload: async () => void Object.assign(tab.studio, load()), show, follow }
      return tab
    },
    mailTo: async (email) => (await readMails(mailFolder, 10)).find(({ to }) => to === email)?.text ?? '',
    server: createClient(url, keys.secretKey),
    operate: (sql, values) => operator.query(sql, values),
    artifacts,
    step: (what) => steps.push(what),
  })
  expect(steps.at(-1)).toMatch(/signs out/)
})

/** Loads a picture as a page of another origin does. */
async function show(src: string) {
  const answer = await fetch(src, { headers: { origin: 'http://localhost:5173' } })
  if (!answer.ok) return null
  expect(answer.headers.get('content-type')).toBe('image/png')
  expect(['*', 'http://localhost:5173']).toContain(answer.headers.get('access-control-allow-origin'))
  const { width, height, data } = PNG.sync.read(Buffer.from(await answer.arrayBuffer()))
  return { width, height, pixel: [...data.subarray(0, 4)] }
}

async function follow(link: string) {
  return await (await fetch(link, { headers: { accept: 'text/html' } })).text()
}
