import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { openHome } from '../local/home.ts'
import { freePort } from '../local/ports.ts'
import { adminConfig, startPostgres } from '../local/postgres.ts'
import { startChild, stopStale, waitFor } from '../local/process.ts'
import { startPostgrest, startService } from '../local/services.ts'
import { type ClusterInfo, databaseUrl } from '../testing/cluster.ts'

/** A throw-away Postgres, durable as in production, and the other processes of a benchmark. */
export type Stage = {
  cluster: ClusterInfo
  /** Opens a session of a role in a database, which is closed with the stage. */
  connect(database: string, role?: 'postgres' | 'worker' | 'superuser'): Promise<pg.Client>
  /** Starts PostgREST on a database, and returns its URL. */
  serve(database: string): Promise<string>
  /** Starts the backend of an origin, waits until it answers `probe`, and returns its URL. */
  startBackend(file: string, env: Record<string, string>, probe: string): Promise<string>
  /** Starts a worker process on a database, waits until it is healthy, and returns what stops it. */
  startWorker(database: string, name: string, env: Record<string, string>): Promise<() => Promise<void>>
}

/** Passes a stage to `work`. Stops its processes and removes its files at the end, also if the benchmark is interrupted. */
export async function withStage<Result>(work: (stage: Stage) => Promise<Result>): Promise<Result> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
  const homes = [home]
  const clients: pg.Client[] = []
  let clearing: Promise<void> | undefined
  const clear = () => {
    clearing ??= (async () => {
      await Promise.allSettled(clients.map((client) => client.end()))
      // The first home holds Postgres, which stops last.
      for (const folder of homes.toReversed()) await stopStale(folder)
      rmSync(home, { recursive: true, force: true })
    })()
    return clearing
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void clear().finally(() => process.exit(1)))
  }
  try {
    // If we are root, Postgres runs as another user, who must be able to enter.
    await promisify(execFile)('chmod', ['755', home])
    const secrets = openHome(home)
    const port = await freePort()
    const settings = { max_wal_size: '4GB', checkpoint_timeout: '30min' }
    await startPostgres({ home, port, adminPassword: secrets.adminPassword, settings }, () => {})
    const cluster: ClusterInfo = { home, port, secrets }
    return await work({
      cluster,
      async connect(database, role = 'postgres') {
        const client = new pg.Client(
          role === 'superuser'
            ? adminConfig({ port, adminPassword: secrets.adminPassword }, database)
            : { connectionString: databaseUrl(cluster, database, role) },
        )
        client.on('error', () => {})
        await client.connect()
        clients.push(client)
        return client
      },
      async serve(database) {
        // A home of its own, because records of processes are by name and there may be several PostgRESTs.
        const folder = join(home, database)
        homes.push(folder)
        const apiPort = await freePort()
        const publicUrl = `http://127.0.0.1:${apiPort}`
        await startPostgrest({
          home: folder,
          port: apiPort,
          adminPort: await freePort(),
          databaseUrl: databaseUrl(cluster, database, 'authenticator'),
          jwtSecret: secrets.jwtSecret,
          publicUrl,
        })
        return publicUrl
      },
      async startBackend(file, env, probe) {
        const url = `http://127.0.0.1:${await freePort()}`
        const name = file.replace(/^.*\/|\.ts$/g, '')
        const child = startChild(home, name, process.execPath, [file], {
          env: { PATH: process.env['PATH'], NODE_ENV: 'production', BACKEND_PORT: new URL(url).port, ...env },
        })
        await waitFor(child, Number(new URL(url).port), 15, async () => (await fetch(`${url}${probe}`)).ok)
        return url
      },
      async startWorker(database, name, env) {
        // A home of its own, because records of processes are by name.
        const folder = join(home, name)
        homes.push(folder)
        const healthPort = await freePort()
        const worker = await startService(
          folder,
          'worker',
          {
            DATABASE_URL: databaseUrl(cluster, database, 'worker'),
            WORKER_HEALTH_PORT: String(healthPort),
            PLINTH_HOME: folder,
            LOG_LEVEL: 'warn',
            ...env,
          },
          `http://127.0.0.1:${healthPort}/healthz`,
        )
        return () => worker.stop('SIGTERM', 5000)
      },
    })
  } finally {
    await clear()
  }
}
