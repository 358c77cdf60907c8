import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { type Migrated, migrate, seed, setPassword } from '../database/migrate.ts'
import { openHome, type Secrets } from '../local/home.ts'
import { freePort } from '../local/ports.ts'
import { adminConfig, startPostgres } from '../local/postgres.ts'
import { stopStale } from '../local/process.ts'
import { prepareSupabaseShim } from '../local/supabase_shim.ts'

/** The template database, as in production, and a second one with pgTAP in schema `tests`. */
export const template = 'plinth_template'
export const tapTemplate = 'plinth_template_tap'

/** The address of a cluster, and its passwords. */
export type ClusterInfo = { home: string; port: number; secrets: Secrets }

/** A throw-away Postgres. */
export type Cluster = ClusterInfo & {
  /** Stops Postgres, and starts it again on the same port: a restart, as its clients see it. */
  halt(): Promise<void>
  resume(): Promise<void>
  /** Stops Postgres and removes its folder. */
  stop(): Promise<void>
}

/** Several test files use one Postgres at the same time, some of them with fifty sessions. */
export const clusterConnections = '400'

/** Starts a throw-away Postgres in a temporary folder: fast, and not durable. `bin` has its programs. */
export async function startCluster(options: { withPgCron?: boolean; bin?: string | undefined } = {}): Promise<Cluster> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-'))
  const secrets = openHome(home)
  const port = await freePort()
  const settings: Record<string, string> = {
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    max_connections: clusterConnections,
  }
  if (options.withPgCron) {
    // pg_cron keeps a connection to its database, which therefore cannot be a template.
    Object.assign(settings, {
      shared_preload_libraries: 'pg_cron',
      'cron.database_name': 'plinth_cron',
      'cron.use_background_workers': 'on',
      max_worker_processes: '20',
    })
  }
  const { adminPassword } = secrets
  const launch = () => startPostgres({ home, port, adminPassword, settings, bin: options.bin }, () => {})
  let postgres = await launch().catch((error: unknown) => {
    rmSync(home, { recursive: true, force: true })
    throw error
  })
  return {
    home,
    port,
    secrets,
    halt: () => postgres.stop(),
    resume: async () => {
      postgres = await launch()
    },
    stop: async () => {
      await postgres.stop()
      await stopStale(home)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Creates both template databases. */
export async function makeTemplates(cluster: ClusterInfo): Promise<void> {
  await prepareDatabase(cluster, template)
  await asAdmin(cluster, 'postgres', async (admin) => {
    // pgTAP files act as worker and sidecar; since Postgres 16 the creator of a role cannot become it.
    const { rows } = await admin.query<{ isNew: boolean }>(
      `select current_setting('server_version_num')::integer >= 160000 as "isNew"`,
    )
    await admin.query(`grant worker, sidecar to postgres ${rows[0]?.isNew ? 'with set true' : ''}`)
    await admin.query(`create database ${tapTemplate} template ${template} owner postgres`)
  })
  const client = new pg.Client(databaseUrl(cluster, tapTemplate))
  await client.connect()
  await client.query('create schema tests')
  await client.query('set search_path = tests')
  // Debian's pgTAP if it is installed, otherwise npm's.
  const { rows } = await client.query("select from pg_available_extensions where name = 'pgtap'")
  if (rows.length === 0) await client.query(await pgtap())
  else await asAdmin(cluster, tapTemplate, (admin) => admin.query('create extension pgtap with schema tests'))
  await client.query(await readFile(resolve(import.meta.dirname, '../../db/tests/helpers.sql'), 'utf8'))
  await client.end()
  await asAdmin(cluster, tapTemplate, async (admin) => {
    await admin.query('grant usage on schema tests to public')
    await admin.query('grant execute on all functions in schema tests to public')
  })
}

/** Creates a database and runs `npm run db:migrate` and `db:seed` on it, from the files of a `db` folder. */
export async function prepareDatabase(cluster: ClusterInfo, name: string, folder?: string): Promise<void> {
  await asAdmin(cluster, 'postgres', async (admin) => {
    await admin.query(`create database ${name}`)
  })
  await prepareSupabaseShim(adminConfig({ port: cluster.port, adminPassword: cluster.secrets.adminPassword }, name))
  await asAdmin(cluster, name, async (admin) => {
    await setPassword(admin, 'postgres', cluster.secrets.postgresPassword)
    await setPassword(admin, 'authenticator', cluster.secrets.authenticatorPassword)
    await setPassword(admin, 'supabase_storage_admin', cluster.secrets.storageAdminPassword)
    await setPassword(admin, 'supabase_realtime_admin', cluster.secrets.realtimeAdminPassword)
    await setPassword(admin, 'supabase_auth_admin', cluster.secrets.authAdminPassword)
  })
  await migrateAlone(cluster, name, folder)
  await seed(databaseUrl(cluster, name), folder)
  await asAdmin(cluster, name, async (admin) => {
    await setPassword(admin, 'worker', cluster.secrets.workerPassword)
    await setPassword(admin, 'sidecar', cluster.secrets.sidecarPassword)
  })
}

/** Migrates one database of the cluster at a time, because Postgres refuses two changes of a role at once. */
export async function migrateAlone(cluster: ClusterInfo, name: string, folder?: string): Promise<Migrated> {
  return asAdmin(cluster, 'postgres', async (admin) => {
    await admin.query("select pg_advisory_lock(hashtext('migrateAlone'))")
    return migrate(databaseUrl(cluster, name), folder)
  })
}

const passwords = {
  postgres: 'postgresPassword',
  authenticator: 'authenticatorPassword',
  worker: 'workerPassword',
  sidecar: 'sidecarPassword',
  supabase_auth_admin: 'authAdminPassword',
  supabase_storage_admin: 'storageAdminPassword',
  supabase_realtime_admin: 'realtimeAdminPassword',
} as const

/** A role that has a password. */
export type LoginRole = keyof typeof passwords

/** Returns the connection string of a role that has a password. */
export function databaseUrl(cluster: ClusterInfo, database: string, role: LoginRole = 'postgres'): string {
  return `postgres://${role}:${cluster.secrets[passwords[role]]}@127.0.0.1:${cluster.port}/${database}`
}

/** Does something as the superuser. */
export async function asAdmin<T>(
  cluster: ClusterInfo,
  database: string,
  work: (admin: pg.Client) => Promise<T>,
): Promise<T> {
  const admin = new pg.Client(
    adminConfig({ port: cluster.port, adminPassword: cluster.secrets.adminPassword }, database),
  )
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

async function pgtap(): Promise<string> {
  const folder = dirname(createRequire(import.meta.url).resolve('@electric-sql/pglite-pgtap'))
  const file = 'share/postgresql/extension/pgtap.sql'
  const { stdout } = await promisify(execFile)('tar', ['-xzOf', join(folder, 'pgtap.tar.gz'), file], {
    maxBuffer: 2 ** 24,
  })
  return stdout
}
