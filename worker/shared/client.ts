import pg from 'pg'
import type { Attempt, Gate } from './connection_gate.ts'

/** The message of pg's error. */
const unanswered = 'Query read timeout'

type Callback = (error: Error | null, result?: unknown) => void

/** The state that the clients of a pool share. */
export type PoolState = {
  gate: Gate
  /** The clients that are connected. */
  members: Set<Client>
}

/**
 * A connection that closes after a query without an answer, because another query must not use it. `pool.query` discards
 * such a connection itself, but graphile-worker releases it without an error.
 *
 * After such a query, the connections of the pool that have been silent since then are closed, too: whatever drops the
 * packets of one connection probably drops the packets of all. A connection in the middle of a query has its own limit.
 */
export class Client extends pg.Client {
  #pool: PoolState
  #openQueries = 0
  #heardAt = 0

  constructor(config: pg.ClientConfig, poolState: PoolState) {
    super(config)
    this.#pool = poolState
    this.once('end', () => poolState.members.delete(this))
  }

  override connect(): Promise<pg.Client>
  override connect(callback: (error: Error | null) => void): void
  override connect(callback?: (error: Error | null) => void): Promise<pg.Client> | undefined {
    if (callback) {
      this.#connect(callback)
      return undefined
    }
    return new Promise((resolve, reject) => {
      this.#connect((error) => (error ? reject(error) : resolve(this)))
    })
  }

  #connect(callback: (error: Error | null) => void): void {
    let attempt: Attempt
    try {
      attempt = this.#pool.gate.enter()
    } catch (error) {
      process.nextTick(callback, error)
      return
    }
    super.connect((error: Error | null) => {
      if (error) return callback(attempt.fail(error))
      attempt.succeed()
      this.#heardAt = performance.now()
      this.#pool.members.add(this)
      callback(null)
    })
  }

  // pg's signatures return a promise, or call the last argument.
  override query(...args: unknown[]): never {
    const askedAt = performance.now()
    this.#openQueries += 1
    const query = super.query as (...args: unknown[]) => unknown
    const last = args.findLastIndex((arg) => typeof arg === 'function')
    if (last === -1) {
      const answered = query.apply(this, args) as Promise<unknown>
      return answered.then(
        (result) => {
          this.#hear(askedAt)
          return result
        },
        (error) => {
          this.#hear(askedAt, error)
          throw error
        },
      ) as never
    }
    const callback = args[last] as Callback
    args[last] = (error: Error | null, result: unknown) => {
      this.#hear(askedAt, error)
      callback(error, result)
    }
    return query.apply(this, args) as never
  }

  /** Called at the end of a query that was sent at `askedAt`. */
  #hear(askedAt: number, error?: Error | null): void {
    this.#openQueries -= 1
    if (isUnanswered(error)) {
      this.#discardSilent(askedAt)
      return
    }
    this.#heardAt = performance.now()
    // A statement that a migration made invalid stays invalid for this connection, and after a failover, a read-only server may
    // be the old one.
    if (isStaleStatement(error) || isReadOnly(error)) void this.end()
  }

  #discardSilent(since: number): void {
    // While a query has no answer, end() closes the socket at once, and a pool removes the client at its release.
    void this.end()
    for (const client of this.#pool.members) {
      if (client === this || client.#openQueries > 0 || client.#heardAt > since) continue
      // Unlike end(), an error tells the holder of an idle client, such as the pool or a listener.
      client.connection.stream.destroy(new Error('Another connection got no answer'))
    }
  }
}

/** Whether an error of a query, or of {@link Db.call}, says that no answer arrived in time. The server may still run the query. */
export function isUnanswered(error: unknown): boolean {
  const { message, cause } = (error ?? {}) as Error
  return message === unanswered || (cause as Error | undefined)?.message === unanswered
}

/** Whether the server accepts no writes. */
export function isReadOnly(error: unknown): boolean {
  return (error as pg.DatabaseError | undefined)?.code === '25006'
}

/**
 * Whether a prepared statement is not valid any more: the type of its result changed (0A000, which Postgres also uses for other
 * errors), or the server has no such statement (26000).
 */
export function isStaleStatement(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as pg.DatabaseError
  return code === '26000' || (code === '0A000' && routine === 'RevalidateCachedQuery')
}
