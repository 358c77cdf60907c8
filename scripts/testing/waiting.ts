import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'

/** Resolves when the fact holds; fails with its description if the fact does not hold in time. */
export async function until(what: string, fact: () => unknown, seconds = 100): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!(await fact())) {
    if (performance.now() > end) throw new Error(`It never happened: ${what}.`)
    await sleep(25)
  }
}

/** Resolves when the running query of `client` waits for a lock; `watcher` is a third connection. */
export async function untilWaiting(watcher: Client, client: Client): Promise<void> {
  const { processID } = client as unknown as { processID: number }
  for (let n = 0; n < 6000; n++) {
    const { rows } = await watcher.query('select cardinality(pg_blocking_pids($1)) as blockers', [processID])
    if (rows[0].blockers > 0) return
    await sleep(10)
  }
  throw new Error('The session never waited for a lock.')
}
