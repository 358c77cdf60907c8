import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from '../local/ports.ts'
import { adminConfig, startPostgres } from '../local/postgres.ts'
import { type Cluster, clusterConnections } from './cluster.ts'

/** A second Postgres that follows a first one by streaming replication, and answers reads. */
export type Standby = {
  port: number
  /** Resolves when the standby has everything that the first one has written. */
  catchUp(): Promise<void>
  /** Makes the standby a server of its own that accepts writes. */
  promote(): Promise<void>
  stop(): Promise<void>
}

/** Copies the files of a cluster, which restarts for it, and starts a standby on the copy. */
export async function startStandby(cluster: Cluster): Promise<Standby> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-standby-'))
  const run = promisify(execFile)
  await run('chmod', ['755', home])
  await cluster.halt()
  // With its owner, because Postgres refuses the files of another user.
  await run('cp', ['-a', join(cluster.home, 'postgres'), home])
  await cluster.resume()
  writeFileSync(join(home, 'postgres', 'data', 'standby.signal'), '')
  const { adminPassword } = cluster.secrets
  const { host, user } = adminConfig({ port: cluster.port, adminPassword }, 'postgres')
  const settings = {
    primary_conninfo: `host=${host} port=${cluster.port} user=${user} password=${adminPassword}`,
    fsync: 'off',
    // As many connections as the primary, or the standby does not start.
    max_connections: clusterConnections,
  }
  const port = await freePort()
  const postgres = await startPostgres({ home, port, adminPassword, settings }, () => {})
  const ask = async (at: number, query: string) => {
    const client = new pg.Client(adminConfig({ port: at, adminPassword }, 'postgres'))
    await client.connect()
    try {
      return (await client.query(query)).rows[0]
    } finally {
      await client.end()
    }
  }
  return {
    port,
    catchUp: async () => {
      const { lsn } = await ask(cluster.port, 'select pg_current_wal_lsn() as lsn')
      const query = `select coalesce(pg_last_wal_replay_lsn() >= '${lsn}', false) as caught_up`
      while (!(await ask(port, query)).caught_up) await new Promise((resolve) => setTimeout(resolve, 50))
    },
    promote: async () => {
      await ask(port, 'select pg_promote()')
    },
    stop: async () => {
      await postgres.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
