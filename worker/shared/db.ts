import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'
import { Client, isReadOnly, isStaleStatement } from './client.ts'
import { createGate, type Gate } from './connection_gate.ts'
import { explainTls } from './database_url.ts'

/** The database as worker and sidecar see it: the functions behind one door. */
export type Db = {
  /**
   * Runs `select * from schema.function(arg => $1, …)` and returns the rows. A scalar is one row with one column, named like
   * the function. Pass JSON as text (`JSON.stringify(value)`), because an array becomes a Postgres array. Throws
   * `<name> failed: <reason>` with pg's error as `cause`, also if no answer arrives within `timeoutMs`.
   */
  call<Row extends pg.QueryResultRow>(
    name: string,
    args?: Record<string, unknown>,
    options?: { timeoutMs?: number },
  ): Promise<Row[]>
}

/**
 * Opens a pool that connects on demand and survives restarts of Postgres. While the database cannot be reached, calls fail at
 * once with a DatabaseAway, and only one connection at a time is tried, after growing pauses (see connection_gate.ts).
 */
export function openPool(options: {
  url: string
  name: string
  max: number
  /** How long a query waits for its answer, unless the call says otherwise. Default: no limit. */
  queryTimeoutMs?: number
  /** The gate that several pools share. Default: a gate of this pool. */
  gate?: Gate
  logger: Logger
}): pg.Pool {
  const { logger } = options
  const poolState = { gate: options.gate ?? createGate({ logger }), members: new Set<Client>() }
  const pool = new pg.Pool({
    // pg's types know only classes without parameters.
    Client: class extends Client {
      constructor(config?: pg.ClientConfig) {
        super(config ?? {}, poolState)
      }
    },
    connectionString: options.url,
    application_name: options.name,
    max: options.max,
    connectionTimeoutMillis: 5000,
    ...(options.queryTimeoutMs && { query_timeout: options.queryTimeoutMs }),
    // Node then probes every second: a connection whose other end is gone closes after 20 s, also while it is idle.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  // pg drops broken connections itself and fails their queries. Without listeners the error event would end the process. A
  // restart of Postgres breaks all connections at once: the log has one line for them.
  let loggedAt = Number.NEGATIVE_INFINITY
  pool.on('connect', (client) => {
    client.on('error', (error) => {
      const isFirst = performance.now() - loggedAt > 1000
      if (isFirst) loggedAt = performance.now()
      logger[isFirst ? 'warn' : 'debug']({ reason: error.message }, 'Database connection was lost')
    })
  })
  pool.on('error', () => {})
  return pool
}

/**
 * Calls functions of the database. All SQL in TypeScript is such a call, and it is built here. A call waits for its answer as
 * long as the call says, else for `timeoutMs`, else as long as the pool says.
 */
export function createDb(pool: Pick<pg.Pool, 'query'>, { timeoutMs }: { timeoutMs?: number } = {}): Db {
  const statements = new Map<string, Statement>()
  return {
    async call<Row extends pg.QueryResultRow>(
      name: string,
      args: Record<string, unknown> = {},
      options: { timeoutMs?: number } = {},
    ) {
      requireIdentifiers(name, Object.keys(args))
      // Quoted, because an argument may have the name of a keyword, such as "limit".
      const list = Object.keys(args).map((arg, index) => `"${arg}" => $${index + 1}`)
      const text = `select * from ${name}(${list.join(', ')})`
      const statement = statements.get(text) ?? { version: 0, name: nameStatement(name, text) }
      statements.set(text, statement)
      const limitMs = options.timeoutMs ?? timeoutMs
      for (let attempt = 1; ; attempt++) {
        const { version } = statement
        try {
          // A prepared statement, so that each connection plans a call once.
          const { rows } = await pool.query<Row>({
            name: version === 0 ? statement.name : `${statement.name} ${version}`,
            text,
            values: Object.values(args),
            ...(limitMs && { query_timeout: limitMs }),
          })
          return rows
        } catch (cause) {
          if (attempt < attemptsMax && isStaleStatement(cause)) {
            // Postgres has not run the statement. Under a new name, every connection prepares the statement again.
            if (statement.version === version) statement.version += 1
            continue
          }
          // Node's error for a host with several addresses has a code but no message.
          const { message, code } = cause as pg.DatabaseError
          throw new Error(`${name} failed: ${message || code}`, { cause })
        }
      }
    },
  }
}

/** A prepared statement. Its version rises when the statement became invalid on a connection. */
type Statement = { name: string; version: number }

/** The number of attempts of a call whose statement is invalid. A second migration may invalidate the second attempt. */
const attemptsMax = 3

/** Names a prepared statement: at most 63 bytes with its version, and recognisable in a log. */
function nameStatement(call: string, text: string): string {
  return `${call.slice(0, 45)} ${createHash('sha1').update(text).digest('hex').slice(0, 12)}`
}

/**
 * Returns a function that calls, for example, `worker.ping`, and says why the database cannot serve this process; undefined if
 * it can. It waits for 1 s, and makes one call at a time, because each further call to a hanging database would occupy a
 * connection.
 */
export function createPing(db: Db, name: string): () => Promise<string | undefined> {
  let pending: Promise<string | undefined> | undefined
  return () => {
    pending ??= db
      .call(name, {}, { timeoutMs: 5000 })
      .then(() => undefined, explainTrouble)
      .finally(() => {
        pending = undefined
      })
    return Promise.race([pending, sleep(1000, noAnswer, { ref: false })])
  }
}

const noAnswer = 'The database does not answer.'

/** Explains an error of {@link Db.call} in a constant sentence, because everybody can read it. */
function explainTrouble(error: Error): string {
  const { code = '' } = (error.cause ?? {}) as { code?: string }
  if (isReadOnly(error.cause)) return 'The database is read-only.'
  if (code.startsWith('28')) return 'The database refuses the login.'
  if (explainTls(error.cause) !== undefined) return 'The connection to the database cannot be encrypted or verified.'
  return noAnswer
}

function requireIdentifiers(name: string, args: string[]): void {
  if (!/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/.test(name)) throw new Error(`"${name}" is not schema.function`)
  const wrong = args.find((arg) => !/^[a-z_][a-z0-9_]*$/.test(arg))
  if (wrong !== undefined) throw new Error(`"${wrong}" is not the name of an argument of ${name}`)
}
