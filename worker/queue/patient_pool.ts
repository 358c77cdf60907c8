import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import { isAway, pauseAfter } from '../shared/connection_gate.ts'

type Callback = (error: Error | undefined, client: pg.PoolClient | undefined, release: () => void) => void

/**
 * Wraps the pool for graphile-worker: while Postgres is down, `connect` waits until Postgres is back or the signal aborts.
 *
 * Without this, graphile-worker 0.18 cannot record the end of jobs during an outage (its issue 636), so it ends and aborts
 * every running job. It also takes up to a minute after the outage to listen again.
 */
export function makePatient(pool: pg.Pool, logger: Logger, signal: AbortSignal): pg.Pool {
  async function open(): Promise<pg.PoolClient> {
    for (let delay = 50; ; delay = Math.min(2 * delay, 1000)) {
      try {
        return await pool.connect()
      } catch (error) {
        if (signal.aborted) throw error
        // Without this reason, all connections of the pool are in use.
        if (!isAway(error)) logger.warn({ reason: (error as Error).message }, 'Queue waits for a connection')
        await sleep(pauseAfter(error, delay), undefined, { signal }).catch(() => {})
      }
    }
  }

  function connect(callback?: Callback): Promise<pg.PoolClient> | undefined {
    const opened = open()
    if (callback === undefined) return opened
    opened.then(
      (client) => callback(undefined, client, () => client.release()),
      (error: Error) => callback(error, undefined, () => {}),
    )
    return undefined
  }

  return Object.assign(Object.create(pool), { connect })
}
