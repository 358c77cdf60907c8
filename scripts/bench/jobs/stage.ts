import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { type ClusterInfo, prepareDatabase } from '../../testing/cluster.ts'
import { testTypes } from '../../testing/handlers.ts'
import type { Stage } from '../stage.ts'

/** The stage of all measurements of jobs. */
export type JobsStage = {
  cluster: ClusterInfo
  /** A session as `postgres` in the database `plinth`. */
  admin: pg.Client
  rounds: number
  /** How many steps a worker process runs at a time. */
  concurrency: number
  /** Creates a database with Plinth, and opens a session in it. */
  open(name: string): Promise<pg.Client>
}

export async function prepareJobs(
  { cluster, connect }: Stage,
  load: Pick<JobsStage, 'rounds' | 'concurrency'>,
): Promise<JobsStage> {
  async function open(name: string): Promise<pg.Client> {
    await prepareDatabase(cluster, name)
    const client = await connect(name)
    await client.query(testTypes)
    return client
  }
  return { cluster, admin: await open('plinth'), open, ...load }
}

/** Resolves when a query returns no rows. */
export async function until(client: pg.Client, query: string, values: unknown[] = []): Promise<void> {
  while ((await client.query(query, values)).rowCount !== 0) await sleep(3)
}

/** Prints a lost connection, which would end the process otherwise. */
export function watch(pool: pg.Pool): void {
  const notice = (error: Error) => console.error(`A connection was lost: ${error.message}`)
  pool.on('error', notice).on('connect', (client) => {
    client.on('error', notice)
  })
}
