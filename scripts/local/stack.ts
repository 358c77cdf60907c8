import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { migrate, seed, setPassword } from '../database/migrate.ts'
import { readShareBaseUrl, setShareBaseUrl } from '../database/share_base_url.ts'
import { type AuthServer, startAuth } from './auth/server.ts'
import { type Gateway, startGateway } from './gateway/gateway.ts'
import { openHome, removeEnv, type Secrets, writeEnv } from './home.ts'
import { jwkSet, localKeys } from './keys.ts'
import { acceptStandIn, type LocalPaymob, startLocalPaymob } from './paymob/local_paymob.ts'
import { openPorts } from './ports.ts'
import { adminConfig, startPostgres } from './postgres.ts'
import { type Child, claimHome, describeEnd, isPortTaken, releaseHome, stopStale } from './process.ts'
import { type Realtime, startRealtime } from './realtime/server.ts'
import {
  assetBucket,
  assetsUrl,
  launchService,
  spacesEnv,
  startGeminiStandIn,
  startObjectStore,
  startPostgrest,
  startService,
  storageEnv,
  templatesEnv,
} from './services.ts'
import { chooseStackPorts } from './stack_ports.ts'
import { importTemplates } from './storage/import_templates.ts'
import { type Storage, startStorage } from './storage/server.ts'
import { prepareSupabaseShim } from './supabase_shim.ts'
import { type Supervised, supervise } from './supervise.ts'

/** A running local stack. */
export type Stack = {
  /** The contents of `$PLINTH_HOME/env`. */
  env: Record<string, string>
  /** Resolves with a sentence when a part ends unexpectedly. Worker and sidecar are started again instead. */
  failed: Promise<string>
  /** Restarts the worker or the sidecar, after its code has changed. */
  restart(name: 'worker' | 'sidecar'): void
  /** Stops every part within 5 s; safe to call twice. */
  stop(): Promise<void>
}

const standInKey = 'stand-in'

/**
 * Settings for developers: extensions.pg_stat_statements counts statements, and logs/postgres.log gets the plans of slow ones,
 * both inside functions, too.
 */
const observation = {
  shared_preload_libraries: 'pg_stat_statements,auto_explain',
  'pg_stat_statements.track': 'all',
  'auto_explain.log_min_duration': '1s',
  'auto_explain.log_nested_statements': 'on',
}

/** Returns those of these variables that this process has, for a process of the stack. */
function given(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
}

/** Starts the whole platform in a home folder. Starts again with other ports if a program took one during the start. */
export async function startStack(home: string, say: (line: string) => void): Promise<Stack> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startParts(home, say)
    } catch (error) {
      if (attempt === 3 || !isPortTaken(error)) throw error
      say('Another program took a port of the stack during the start. Starting again with other ports.')
    }
  }
}

/** Starts each part. If a part does not start, stops all others again. */
async function startParts(home: string, say: (line: string) => void): Promise<Stack> {
  claimHome(home)
  const claims = openPorts()
  const children: Child[] = []
  let gateway: Gateway | undefined
  let auth: AuthServer | undefined
  let storage: Storage | undefined
  let realtime: Realtime | undefined
  let paymob: LocalPaymob | undefined
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= (async () => {
      removeEnv(home)
      const [postgres, ...others] = children
      // All at once, because together they have 3.5 s. The exit of this process closes a server that takes longer.
      const servers = [gateway?.close(), auth?.close(), storage?.close(), realtime?.close(), paymob?.standIn?.stop()]
      await Promise.all([
        ...others.map((child) => child.stop('SIGTERM', 3500)),
        Promise.race([Promise.allSettled(servers), sleep(3500, undefined, { ref: false })]),
      ])
      await postgres?.stop('SIGINT', 1800)
      claims.release()
      releaseHome(home)
    })()
    return stopping
  }

  const services: Partial<Record<'worker' | 'sidecar', Supervised>> = {}
  async function startSupervised(name: 'worker' | 'sidecar', env: Record<string, string>, healthUrl: string) {
    const first = await startService(home, name, env, healthUrl)
    const service = supervise(first, () => launchService(home, name, env), { say })
    services[name] = service
    return service
  }

  try {
    const secrets = openHome(home)
    const keys = await localKeys(secrets)
    removeEnv(home)
    for (const name of await stopStale(home)) say(`Stopped ${name}, which an earlier start left running.`)
    const ports = await chooseStackPorts(home, claims, say)

    const postgres = await startPostgres(
      { home, port: ports.postgres, adminPassword: secrets.adminPassword, settings: observation, limitsLog: true },
      say,
    )
    children.push(postgres.child)
    const url = (role: string, password: string) =>
      `postgres://${role}:${password}@127.0.0.1:${ports.postgres}/postgres`
    // A shell that exported the env file of a stack has the key of its stand-in.
    const geminiKey = process.env['GEMINI_API_KEY'] === standInKey ? undefined : process.env['GEMINI_API_KEY']
    const gemini: Record<string, string> = geminiKey
      ? { GEMINI_API_KEY: geminiKey, ...given('GEMINI_BASE_URL', 'GEMINI_VIDEO_POLL_SECONDS', 'GEMINI_VIDEO_HOSTS') }
      : {
          GEMINI_API_KEY: standInKey,
          GEMINI_BASE_URL: `http://127.0.0.1:${ports.gemini}`,
          GEMINI_VIDEO_POLL_SECONDS: '0.5',
        }
    const starting = [
      startObjectStore(home, ports.s3),
      geminiKey ? undefined : startGeminiStandIn(home, ports.gemini),
      prepareDatabase(ports, url('postgres', secrets.postgresPassword), secrets),
    ] as const
    // If one fails, Postgres must not stop while the database is being prepared.
    await Promise.allSettled(starting)
    const [objectStore, standIn] = await Promise.all(starting)
    children.push(objectStore)
    if (standIn !== undefined) {
      children.push(standIn)
      say('GEMINI_API_KEY is not set: a stand-in for Gemini invents texts and images.')
    } else {
      say(`GEMINI_API_KEY is set: dramas ask ${gemini['GEMINI_BASE_URL'] ?? 'Gemini'}, which costs money.`)
    }

    const gatewayUrl = `http://127.0.0.1:${ports.gateway}`
    paymob = await startLocalPaymob(home, { gatewayUrl, port: ports.paymob }, process.env)
    if (paymob.standIn) {
      await withDatabase(url('postgres', secrets.postgresPassword), acceptStandIn)
      say('PAYMOB_SECRET_KEY is not set: a stand-in for Paymob takes no money.')
    } else {
      say('PAYMOB_SECRET_KEY is set: orders are opened at Paymob.')
    }
    auth = await startAuth({
      port: ports.auth,
      databaseUrl: url('supabase_auth_admin', secrets.authAdminPassword),
      keys,
      publicUrl: gatewayUrl,
      mailFolder: join(home, 'mail'),
      say,
    })
    const s3 = { accessKeyId: secrets.storageAccessKeyId, secretAccessKey: secrets.storageSecretAccessKey }
    storage = await startStorage({
      port: ports.storage,
      databaseUrl: url('supabase_storage_admin', secrets.storageAdminPassword),
      folder: join(home, 'storage'),
      keys,
      s3: { ...s3, anonKey: keys.anonKey },
    })
    await importTemplates(home, storage.objects, say)
    realtime = await startRealtime({
      port: ports.realtime,
      databaseUrl: url('supabase_realtime_admin', secrets.realtimeAdminPassword),
      keys,
      say,
    })
    // Before the worker, which reaches Storage through the gateway.
    gateway = await startGateway({
      port: ports.gateway,
      keys,
      assetsUrl: assetsUrl(ports.s3),
      postgrestPort: ports.postgrest,
      sidecarPort: ports.sidecar,
      authPort: auth.port,
      storagePort: storage.port,
      realtimePort: realtime.port,
    })
    const storageApi = { endpoint: `${gatewayUrl}/storage/v1/s3`, ...s3 }
    const templates = templatesEnv(storageApi)
    const workerHealth = `http://127.0.0.1:${ports.worker}/healthz`
    const started = await Promise.allSettled([
      startPostgrest({
        home,
        port: ports.postgrest,
        adminPort: ports.postgrestAdmin,
        databaseUrl: url('authenticator', secrets.authenticatorPassword),
        jwtSecret: jwkSet(keys),
        publicUrl: `${gatewayUrl}/rest/v1`,
      }),
      startSupervised(
        'worker',
        {
          DATABASE_URL: url('worker', secrets.workerPassword),
          WORKER_HEALTH_PORT: String(ports.worker),
          // So that the stack stops within 5 s.
          WORKER_DRAIN_SECONDS: process.env['WORKER_DRAIN_SECONDS'] || '2',
          ...spacesEnv(ports.s3),
          ...templates,
          ...storageEnv(storageApi),
          // So that a published version is used at once.
          FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE: process.env['FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE'] || 'true',
          PLINTH_HOME: home,
          ...given(
            'LOG_LEVEL',
            'WORKER_CONCURRENCY',
            'WORKER_STEP_CONCURRENCY',
            'TEMPLATES_CACHE_TTL_SECONDS',
            'GEMINI_TIMEOUT_SECONDS',
          ),
          ...gemini,
          ...paymob.worker,
        },
        workerHealth,
      ),
      startSupervised(
        'sidecar',
        {
          DATABASE_URL: url('sidecar', secrets.sidecarPassword),
          SIDECAR_PORT: String(ports.sidecar),
          JWT_SECRET: jwkSet(keys),
          SIDECAR_CORS_ORIGINS: '*',
          ...given('LOG_LEVEL', 'SIDECAR_CORS_ORIGINS', 'SIDECAR_UPLOADS_AT_ONCE', 'SIDECAR_UPLOAD_TIMEOUT_SECONDS'),
          ...spacesEnv(ports.s3),
          ...paymob.sidecar,
        },
        `http://127.0.0.1:${ports.sidecar}/api/health`,
      ),
    ])
    for (const result of started) if (result.status === 'fulfilled') children.push(result.value)
    for (const result of started) if (result.status === 'rejected') throw result.reason

    const env = {
      SUPABASE_URL: gatewayUrl,
      SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
      SUPABASE_SECRET_KEY: keys.secretKey,
      SUPABASE_ANON_KEY: keys.anonKey,
      SUPABASE_SERVICE_ROLE_KEY: keys.serviceRoleKey,
      MAIL_URL: `${gatewayUrl}/mail`,
      JWT_SECRET: secrets.jwtSecret,
      DATABASE_URL: url('postgres', secrets.postgresPassword),
      AUTHENTICATOR_DATABASE_URL: url('authenticator', secrets.authenticatorPassword),
      WORKER_DATABASE_URL: url('worker', secrets.workerPassword),
      SIDECAR_DATABASE_URL: url('sidecar', secrets.sidecarPassword),
      POSTGREST_URL: `http://127.0.0.1:${ports.postgrest}`,
      SIDECAR_URL: `http://127.0.0.1:${ports.sidecar}`,
      WORKER_HEALTH_URL: workerHealth,
      ...(!geminiKey && gemini),
      ...(paymob.standIn && { PAYMOB_STAND_IN_URL: paymob.standIn.url }),
      S3_ENDPOINT: `http://127.0.0.1:${ports.s3}`,
      S3_REGION: 'us-east-1',
      S3_BUCKET: assetBucket,
      S3_ACCESS_KEY_ID: 'S3RVER',
      S3_SECRET_ACCESS_KEY: 'S3RVER',
      ...templates,
      VITE_SUPABASE_URL: gatewayUrl,
      VITE_SUPABASE_ANON_KEY: keys.anonKey,
      VITE_BACKEND_URL: gatewayUrl,
    }
    writeEnv(home, env)
    const failed = Promise.race(children.map(async (child) => describeEnd(child, await child.exited)))
    const restart = (name: 'worker' | 'sidecar') => void services[name]?.restart()
    return { env, failed, restart, stop }
  } catch (error) {
    await stop()
    // A process that never became ready has a record, too.
    await stopStale(home)
    throw error
  }
}

async function withDatabase(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

async function prepareDatabase(
  ports: { postgres: number; gateway: number },
  databaseUrl: string,
  secrets: Secrets,
): Promise<void> {
  const admin = adminConfig({ port: ports.postgres, adminPassword: secrets.adminPassword }, 'postgres')
  await prepareSupabaseShim(admin)
  const client = new pg.Client(admin)
  await client.connect()
  try {
    await setPassword(client, 'postgres', secrets.postgresPassword)
    await setPassword(client, 'authenticator', secrets.authenticatorPassword)
    await setPassword(client, 'supabase_auth_admin', secrets.authAdminPassword)
    await setPassword(client, 'supabase_storage_admin', secrets.storageAdminPassword)
    await setPassword(client, 'supabase_realtime_admin', secrets.realtimeAdminPassword)
    await migrate(databaseUrl)
    await seed(databaseUrl)
    await setPassword(client, 'worker', secrets.workerPassword)
    await setPassword(client, 'sidecar', secrets.sidecarPassword)
    await setShareBaseUrl(client, readShareBaseUrl() ?? `http://127.0.0.1:${ports.gateway}`)
    // The stack has no other Storage than the local one.
    await client.query('update app.settings set storage_url = $1', [`http://127.0.0.1:${ports.gateway}/storage/v1`])
    // The local gateway sets this header; see scripts/local/gateway.
    await client.query(
      "update app.settings set client_address_header = 'x-client-address' where client_address_header is null",
    )
  } finally {
    await client.end()
  }
}
