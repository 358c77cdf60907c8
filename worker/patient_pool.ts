import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'

type Callback = (error: Error | undefined, client: pg.PoolClient | undefined, release: () => void) => void

/**
 * The pool as graphile-worker gets it: while Postgres is away, `connect` waits, until it is back or the signal aborts.
 *
 * graphile-worker 0.18 does not try again to write down that a job has ended, stops taking jobs after a failure to do
 * so, and listens again up to a minute after an outage. With this, an outage is a pause, and jobs that run go on.
 */
export function makePatient(pool: pg.Pool, logger: Logger, signal: AbortSignal): pg.Pool {
  let isAway = false

  async function open(): Promise<pg.PoolClient> {
    for (let delay = 50; ; delay = Math.min(2 * delay, 1000)) {
      try {
        const client = await pool.connect()
        if (isAway) logger.info('Database is back')
        isAway = false
        return client
      } catch (error) {
        if (signal.aborted) throw error
        if (!isAway) logger.warn({ reason: (error as Error).message }, 'Database is away')
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
