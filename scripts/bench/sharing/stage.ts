import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { signApiKey } from '../../local/jwt.ts'
import { adminConfig } from '../../local/postgres.ts'
import { prepareSupabaseShim } from '../../local/supabase_shim.ts'
import { asAdmin, type ClusterInfo, prepareDatabase } from '../../testing/cluster.ts'
import { sampleFlow } from '../../testing/sample_flow.ts'
import type { Generator } from '../load.ts'
import type { Stage } from '../stage.ts'

/** A database with its own PostgREST, and a connection as `postgres`. */
type Served = { api: string; db: pg.Client }

/** Both sides with the same shares, on one Postgres, and the load on them. */
export type SharingStage = {
  generator: Generator
  /** How often each subject is measured, and for how long. */
  rounds: number
  seconds: number
  connections: number
  anonKey: string
  /** Ids of the shares that both databases hold. */
  shareIds: string[]
  plinth: Served
  /** Sessions of the worker and of the superuser in Plinth's database. */
  worker: pg.Client
  admin: pg.Client
  originBackend: string
  parallelBackend: string
  versions: Record<string, string>
}

/** Prepares both databases, a PostgREST on each, and the origin's backend in both versions. */
export async function prepareSharing(
  stage: Stage,
  shares: number,
  load: Pick<SharingStage, 'generator' | 'rounds' | 'seconds' | 'connections'>,
): Promise<SharingStage> {
  const { cluster } = stage
  await prepareDatabase(cluster, 'plinth')
  await prepareOrigin(cluster)
  const plinth = await serve(stage, 'plinth', 'sharing.sql')
  const origin = await serve(stage, 'origin', 'origin_schema.sql')
  const shareIds = await fillBoth(plinth.db, origin.db, shares)
  const anonKey = await signApiKey('anon', cluster.secrets.jwtSecret)
  const backend = (name: string) =>
    stage.startBackend(
      join(import.meta.dirname, name),
      { POSTGREST_URL: origin.api, SUPABASE_ANON_KEY: anonKey },
      `/api/shared/${shareIds[0]}`,
    )
  return {
    ...load,
    anonKey,
    shareIds,
    plinth,
    admin: await stage.connect('plinth', 'superuser'),
    worker: await stage.connect('plinth', 'worker'),
    originBackend: await backend('origin_backend.ts'),
    parallelBackend: await backend('parallel_backend.ts'),
    versions: await readVersions(plinth),
  }
}

/** Creates the origin's database: Supabase's shim without Plinth, and without its pre-request function. */
async function prepareOrigin(cluster: ClusterInfo): Promise<void> {
  await asAdmin(cluster, 'postgres', (admin) => admin.query('create database origin'))
  await prepareSupabaseShim(adminConfig({ port: cluster.port, adminPassword: cluster.secrets.adminPassword }, 'origin'))
  await asAdmin(cluster, 'origin', (admin) =>
    admin.query("alter role authenticator in database origin set pgrst.db_pre_request = ''"),
  )
}

async function serve(stage: Stage, database: string, file: string): Promise<Served> {
  const db = await stage.connect(database)
  await db.query(await readFile(join(import.meta.dirname, file), 'utf8'))
  return { api: await stage.serve(database), db }
}

/** Stores the same shares in both databases, each with its own 20 KB flow. */
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
    // Otherwise plans for empty tables would read the whole tables for each further share.
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

async function readVersions(plinth: Served): Promise<Record<string, string>> {
  const { rows } = await plinth.db.query<{ version: string }>("select current_setting('server_version') as version")
  const answer = await fetch(plinth.api, { method: 'HEAD' })
  return {
    node: process.versions.node,
    postgres: rows[0]?.version ?? '',
    postgrest: answer.headers.get('server')?.replace('postgrest/', '') ?? '',
  }
}
