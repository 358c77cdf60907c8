import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'

/** The database as worker and sidecar see it: the functions behind one door. */
export type Db = {
  /**
   * Runs `select * from schema.function(arg => $1, …)` and returns the rows. A scalar is one row with one column, named like
   * the function. Pass JSON as text (`JSON.stringify(value)`), because an array becomes a Postgres array. Throws
   * `<name> failed: <reason>` with pg's error as `cause`.
   */
  call<Row extends pg.QueryResultRow>(name: string, args?: Record<string, unknown>): Promise<Row[]>
}

/** Opens a pool that connects on demand and survives restarts of Postgres. */
export function openPool(options: {
  url: string
  name: string
  max: number
  /** How long a query waits for its answer. Default: no limit. */
  queryTimeoutMs?: number
  logger: Logger
}): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.max,
    connectionTimeoutMillis: 5000,
    ...(options.queryTimeoutMs && { query_timeout: options.queryTimeoutMs }),
    keepAlive: true,
  })
  // pg drops broken connections itself and fails their queries. Without listeners the error event would end the process.
  pool.on('connect', (client) => {
    client.on('error', (error) => options.logger.warn({ reason: error.message }, 'Database connection was lost'))
  })
  pool.on('error', () => {})
  return pool
}

/** Calls functions of the database. All SQL in TypeScript is such a call, and it is built here. */
export function createDb(pool: Pick<pg.Pool, 'query'>): Db {
  const names = new Map<string, string>()
  /** Names a prepared statement: at most 63 bytes, and recognisable in a log. */
  const nameOf = (call: string, text: string) => {
    const name = names.get(text) ?? `${call.slice(0, 50)} ${createHash('sha1').update(text).digest('hex').slice(0, 12)}`
    names.set(text, name)
    return name
  }
  return {
    async call<Row extends pg.QueryResultRow>(name: string, args: Record<string, unknown> = {}) {
      requireIdentifiers(name, Object.keys(args))
      // Quoted, because an argument may have the name of a keyword, such as "limit".
      const list = Object.keys(args).map((arg, index) => `"${arg}" => $${index + 1}`)
      try {
        const text = `select * from ${name}(${list.join(', ')})`
        // A prepared statement, so that each connection plans a call once.
        const { rows } = await pool.query<Row>({ name: nameOf(name, text), text, values: Object.values(args) })
        return rows
      } catch (cause) {
        // Node's error for a host with several addresses has a code but no message.
        const { message, code } = cause as pg.DatabaseError
        throw new Error(`${name} failed: ${message || code}`, { cause })
      }
    },
  }
}

/**
 * Returns a function that tells whether, for example, `worker.ping` answers within 1 s. It makes one call at a time, because
 * each further call to a hanging database would occupy a connection.
 */
export function createPing(db: Db, name: string): () => Promise<boolean> {
  let pending: Promise<boolean> | undefined
  return () => {
    pending ??= db
      .call(name)
      .then(() => true)
      .catch(() => false)
      .finally(() => {
        pending = undefined
      })
    return Promise.race([pending, sleep(1000, false, { ref: false })])
  }
}

function requireIdentifiers(name: string, args: string[]): void {
  if (!/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/.test(name)) throw new Error(`"${name}" is not schema.function`)
  const wrong = args.find((arg) => !/^[a-z_][a-z0-9_]*$/.test(arg))
  if (wrong !== undefined) throw new Error(`"${wrong}" is not the name of an argument of ${name}`)
}
