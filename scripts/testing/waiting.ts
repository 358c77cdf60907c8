import type { Client } from 'pg'

/** Resolves when the running query of `client` waits for a lock; `watcher` is a third connection. */
export async function untilWaiting(watcher: Client, client: Client): Promise<void> {
  const { processID } = client as unknown as { processID: number }
  for (let n = 0; n < 500; n++) {
    const { rows } = await watcher.query('select cardinality(pg_blocking_pids($1)) as blockers', [processID])
    if (rows[0].blockers > 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('The session never waited for a lock.')
}
