import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'

type Callback = (error: Error | undefined, client: pg.PoolClient | undefined, release: () => void) => void

/**
 * Wraps the pool for graphile-worker: while Postgres is down, `connect` waits until Postgres is back or the signal aborts.
 *
 * Without this, graphile-worker 0.18 cannot record the end of jobs during an outage (its issue 636), so it ends and aborts
 * every running job. It also takes up to a minute after the outage to listen again.
 */
export function makePatient(pool: pg.Pool, logger: Logger, signal: AbortSignal): pg.Pool {
  let isAway = false

  async function open(): Promise<pg.PoolClient> {
    for (let delay = 50; ; delay = Math.min(2 * delay, 1000)) {
      try {
        const client = await pool.connect()
        if (isAway) logger.info('Database answers again')
        isAway = false
        return client
      } catch (error) {
        if (signal.aborted) throw error
        if (!isAway) logger.warn({ reason: (error as Error).message }, 'Database does not answer')
        isAway = true
        await sleep(delay, undefined, { signal }).catch(() => {})
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
