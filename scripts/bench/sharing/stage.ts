import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { openHome } from '../local/home.ts'
import { signApiKey } from '../local/jwt.ts'
import { freePort } from '../local/ports.ts'
import { adminConfig, startPostgres } from '../local/postgres.ts'
import { startChild, stopStale, waitFor } from '../local/process.ts'
import { startPostgrest } from '../local/services.ts'
import { preparePlatform } from '../local/supabase_shim.ts'
import { asAdmin, type ClusterInfo, databaseUrl, prepareDatabase } from '../testing/cluster.ts'
import { sampleFlow } from '../testing/sample_flow.ts'

/** A database with a PostgREST of its own, and a connection as `postgres`. */
type Served = { api: string; db: pg.Client }

/** Everything that is measured, on one throw-away Postgres. */
export type Stage = {
  anonKey: string
  /** Ids of the shares that both databases hold. */
  shareIds: string[]
  plinth: Served
  origin: Served
  /** Plinth's database as the worker process sees it, and as the superuser does. */
  worker: pg.Client
  admin: pg.Client
  originBackend: string
  parallelBackend: string
  versions: Record<string, string>
  stop(): Promise<void>
}

/** Starts Postgres as production would run it (durable), a PostgREST on each database, and both replicas. */
export async function startStage(shares: number): Promise<Stage> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
  await promisify(execFile)('chmod', ['755', home])
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= clear(home)
    return stopping
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void stop().finally(() => process.exit(1))
    })
  }
  try {
    const secrets = openHome(home)
    const port = await freePort()
    const settings = { max_wal_size: '4GB', checkpoint_timeout: '30min' }
    await startPostgres({ home, port, adminPassword: secrets.adminPassword, settings }, () => {})
    const cluster: ClusterInfo = { home, port, secrets }
    const anonKey = await signApiKey('anon', secrets.jwtSecret)
    await prepareDatabase(cluster, 'plinth')
    await prepareOrigin(cluster)
    const plinth = await serve(cluster, 'plinth', 'sharing/sharing.sql')
    const origin = await serve(cluster, 'origin', 'sharing/origin_schema.sql')
    const shareIds = await fillBoth(plinth.db, origin.db, shares)
    const backend = async (name: string) => {
      const url = `http://127.0.0.1:${await freePort()}`
      const child = startChild(home, name, process.execPath, [join(import.meta.dirname, `sharing/${name}.ts`)], {
        env: {
          PATH: process.env['PATH'],
          NODE_ENV: 'production',
          BACKEND_PORT: new URL(url).port,
          POSTGREST_URL: origin.api,
          SUPABASE_ANON_KEY: anonKey,
        },
      })
      await waitFor(child, 15, async () => (await fetch(`${url}/api/shared/${shareIds[0]}`)).ok)
      return url
    }
    const admin = await connect(adminConfig({ port, adminPassword: secrets.adminPassword }, 'plinth'))
    const worker = await connect({ connectionString: databaseUrl(cluster, 'plinth', 'worker') })
    return {
      anonKey,
      shareIds,
      plinth,
      origin,
      worker,
      admin,
      originBackend: await backend('origin_backend'),
      parallelBackend: await backend('parallel_backend'),
      versions: await versions(plinth),
      stop: async () => {
        await Promise.allSettled([plinth.db, origin.db, admin, worker].map((client) => client.end()))
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Stops every process of the stage and removes what it left on disk. */
async function clear(home: string): Promise<void> {
  // Each PostgREST has a home of its own; Postgres comes last.
  for (const folder of ['plinth', 'origin', '.']) await stopStale(join(home, folder))
  rmSync(home, { recursive: true, force: true })
}

/** The origin's database: Supabase's platform, and nothing of Plinth's, its pre-request function least of all. */
async function prepareOrigin(cluster: ClusterInfo): Promise<void> {
  await asAdmin(cluster, 'postgres', (admin) => admin.query('create database origin'))
  await preparePlatform(adminConfig({ port: cluster.port, adminPassword: cluster.secrets.adminPassword }, 'origin'))
  await asAdmin(cluster, 'origin', (admin) =>
    admin.query("alter role authenticator in database origin set pgrst.db_pre_request = ''"),
  )
}

async function serve(cluster: ClusterInfo, database: string, file: string): Promise<Served> {
  const db = await connect({ connectionString: databaseUrl(cluster, database) })
  await db.query(await readFile(join(import.meta.dirname, file), 'utf8'))
  const port = await freePort()
  const api = `http://127.0.0.1:${port}`
  await startPostgrest({
    home: join(cluster.home, database),
    port,
    adminPort: await freePort(),
    databaseUrl: databaseUrl(cluster, database, 'authenticator'),
    jwtSecret: cluster.secrets.jwtSecret,
    publicUrl: api,
  })
  return { api, db }
}

/** Puts the same shares into both databases: each its own 20 KB flow. */
async function fillBoth(plinth: pg.Client, origin: pg.Client, shares: number): Promise<string[]> {
  const ids = Array.from({ length: shares }, () => crypto.randomUUID())
  const flows = ids.map((_id, number) => JSON.stringify(sampleFlow(number)))
  const fill = async (client: pg.Client, call: string) => {
    const share = (from: number, to?: number) =>
      client.query(`select ${call} from unnest($1::json[], $2::uuid[]) as new(flow, id)`, [
        flows.slice(from, to),
        ids.slice(from, to),
      ])
    await share(0, 50)
    // Plans made for empty tables would read them whole, for every share that follows.
    await client.query('vacuum analyze')
    await share(50)
    await client.query('vacuum analyze')
  }
  await Promise.all([
    fill(plinth, 'public.share_flow(new.flow, new.id)'),
    fill(origin, 'bench.share_flow(new.flow, new.id)'),
  ])
  return ids
}

async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config)
  client.on('error', () => {})
  await client.connect()
  return client
}

async function versions(plinth: Served): Promise<Record<string, string>> {
  const { rows } = await plinth.db.query<{ version: string }>("select current_setting('server_version') as version")
  const answer = await fetch(plinth.api, { method: 'HEAD' })
  return {
    node: process.versions.node,
    postgres: rows[0]?.version ?? '',
    postgrest: answer.headers.get('server')?.replace('postgrest/', '') ?? '',
  }
}
