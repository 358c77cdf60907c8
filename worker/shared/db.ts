import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'

/** The database: functions behind one door, and nothing else. */
export type Db = {
  /**
   * Runs `select * from schema.function(arg => $1, …)` and gives its rows; a scalar is a row with one column, named
   * like the function. An array is sent as a Postgres array, so JSON is sent as text: `JSON.stringify(value)`.
   * Throws `<name> failed: <reason>` with pg's error as `cause`.
   */
  call<Row extends pg.QueryResultRow>(name: string, args?: Record<string, unknown>): Promise<Row[]>
}

/** A pool that opens connections when they are needed and outlives restarts of Postgres. */
export function openPool(options: {
  url: string
  name: string
  max: number
  /** How long a query may go without an answer; for ever, by default. */
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
  // pg drops a broken connection by itself, and a query on it fails. Without listeners the process would end.
  pool.on('connect', (client) => {
    client.on('error', (error) => options.logger.warn({ reason: error.message }, 'Database connection was lost'))
  })
  pool.on('error', () => {})
  return pool
}

/** The only SQL in TypeScript is a call of one function: this is where it is made. */
export function createDb(pool: Pick<pg.Pool, 'query'>): Db {
  const names = new Map<string, string>()
  /** Of a prepared statement: 63 bytes at most, and to be recognised in a log. */
  const nameOf = (call: string, text: string) => {
    const name = names.get(text) ?? `${call.slice(0, 50)} ${createHash('sha1').update(text).digest('hex').slice(0, 12)}`
    names.set(text, name)
    return name
  }
  return {
    async call<Row extends pg.QueryResultRow>(name: string, args: Record<string, unknown> = {}) {
      requireIdentifiers(name, Object.keys(args))
      // Quoted, because an argument may be called "limit".
      const list = Object.keys(args).map((arg, index) => `"${arg}" => $${index + 1}`)
      try {
        const text = `select * from ${name}(${list.join(', ')})`
        // Prepared, so that each connection plans a call once.
        const { rows } = await pool.query<Row>({ name: nameOf(name, text), text, values: Object.values(args) })
        return rows
      } catch (cause) {
        // Node's error for a host with several addresses has a code and no message.
        const { message, code } = cause as pg.DatabaseError
        throw new Error(`${name} failed: ${message || code}`, { cause })
      }
    },
  }
}

/**
 * Tells whether a function such as `worker.ping` answers within 1 s. One call at a time: against a database that
 * hangs, each further one would take a connection.
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
