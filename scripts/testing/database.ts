import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'
import { notePlace } from '../database/migrate.ts'
import { startGateway } from '../local/gateway/gateway.ts'
import { signUserToken } from '../local/jwt.ts'
import { jwkSet, type LocalKeys, localKeys } from '../local/keys.ts'
import { freePort } from '../local/ports.ts'
import { startPostgrest } from '../local/services.ts'
import { asAdmin, databaseUrl, type LoginRole, tapTemplate, template } from './cluster.ts'

/** A fresh database of a test file, and connections for each kind of caller. */
export type TestDatabase = {
  name: string
  url(role?: LoginRole): string
  /** Does something as the superuser. */
  asAdmin<T>(work: (admin: pg.Client) => Promise<T>): Promise<T>
  /** Opens a connection, which is closed with the database. */
  connect(role?: 'postgres' | 'worker' | 'sidecar'): Promise<pg.Client>
  /** Opens a pool of role `worker`, which is closed with the database. */
  openPool(options?: pg.PoolConfig): pg.Pool
  drop(): Promise<void>
}

/** Creates a migrated and seeded database from a template. */
export async function createDatabase(options: { withPgtap?: boolean } = {}): Promise<TestDatabase> {
  const cluster = inject('cluster')
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  await asAdmin(cluster, 'postgres', (admin) =>
    admin.query(`create database ${name} template ${options.withPgtap ? tapTemplate : template} owner postgres`),
  )
  // A database does not copy the privileges of its template: these copies are exactly what the migrations left.
  await asAdmin(cluster, name, async (admin) => {
    await admin.query(
      `update pg_database as d set datacl = t.datacl from pg_database as t
       where d.datname = '${name}' and t.datname = '${template}'`,
    )
    await notePlace(admin)
  })
  return openDatabase(name)
}

/** Opens a database that exists. */
export function openDatabase(name: string): TestDatabase {
  const cluster = inject('cluster')
  const clients: (pg.Client | pg.Pool)[] = []
  return {
    name,
    url: (role = 'postgres') => databaseUrl(cluster, name, role),
    asAdmin: (work) => asAdmin(cluster, name, work),
    connect: async (role = 'postgres') => {
      const client = new pg.Client(databaseUrl(cluster, name, role))
      client.on('error', () => {})
      await client.connect()
      clients.push(client)
      return client
    },
    openPool: (options) => {
      const pool = new pg.Pool({ connectionString: databaseUrl(cluster, name, 'worker'), ...options })
      // A connection that is still closing when the database is dropped emits an error that nothing waits for.
      pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
      clients.push(pool)
      return pool
    },
    drop: async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => {})))
      await asAdmin(cluster, 'postgres', (admin) => admin.query(`drop database ${name} with (force)`))
    },
  }
}

/** A real PostgREST on a test database, behind the local gateway, with keys for it. */
export type Api = {
  /** The URL for `createClient` of supabase-js. */
  url: string
  /** PostgREST itself. */
  postgrestUrl: string
  anonKey: string
  serviceKey: string
  keys: LocalKeys
  tokenFor(user: { id: string; email: string }): Promise<string>
  stop(): Promise<void>
}

export async function startApi(database: TestDatabase): Promise<Api> {
  const keys = await localKeys(inject('cluster').secrets)
  const home = mkdtempSync(join(tmpdir(), 'plinth-api-'))
  const port = await freePort()
  const gatewayPort = await freePort()
  const url = `http://127.0.0.1:${gatewayPort}`
  const postgrest = await startPostgrest({
    home,
    port,
    adminPort: await freePort(),
    databaseUrl: database.url('authenticator'),
    jwtSecret: jwkSet(keys),
    publicUrl: url,
  })
  const gateway = await startGateway({ port: gatewayPort, keys, postgrestPort: port, sidecarPort: 9 })
  return {
    url,
    postgrestUrl: `http://127.0.0.1:${port}`,
    anonKey: keys.anonKey,
    serviceKey: keys.serviceRoleKey,
    keys,
    tokenFor: (user) => signUserToken(user, keys.jwtSecret),
    stop: async () => {
      await gateway.close()
      await postgrest.stop('SIGTERM', 2000)
      rmSync(home, { recursive: true, force: true })
    },
  }
}
