import type { JWTPayload } from 'jose'
import pg from 'pg'
import { fromPostgres, StorageError } from './errors.ts'

/** The role and the claims of a request. Clients with the S3 keys are `service_role`. */
export type Caller = { role: 'anon' | 'authenticated' | 'service_role'; claims: JWTPayload }

/** The server itself, which policies do not restrain. */
export const server: Caller = { role: 'service_role', claims: { role: 'service_role' } }

/** A transaction that can change the role as which its statements run. */
export type Transaction = {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>
  /** Runs the following statements as another caller. */
  become(caller: Caller): Promise<void>
}

/**
 * Runs `work` in one transaction with the caller's role and claims, so that policies decide. `operation` is what
 * `storage.operation()` returns to policies. With `keep` false, the transaction is rolled back at its end, so it changes nothing.
 */
export async function asCaller<Result>(
  pool: pg.Pool,
  caller: Caller,
  operation: string,
  work: (transaction: Transaction) => Promise<Result>,
  keep = true,
): Promise<Result> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw new StorageError(544, 'DatabaseTimeout', 'The database does not answer. Try again.', { cause })
  })
  let failure: Error | undefined
  // A connection that breaks also fails the running query, and an event without a listener would end the process.
  const ignore = () => {}
  client.on('error', ignore)
  try {
    await client.query('begin')
    const become = async (next: Caller) => {
      await client.query(
        `select
           set_config('role', $1, true),
           set_config('request.jwt.claim.role', $1, true),
           set_config('request.jwt.claim.sub', $2, true),
           set_config('request.jwt.claims', $3, true),
           set_config('storage.operation', $4, true),
           set_config('storage.allow_delete_query', 'true', true)`,
        [next.role, next.claims.sub ?? '', JSON.stringify({ ...next.claims, role: next.role }), operation],
      )
    }
    await become(caller)
    const result = await work({ query: async (text, values) => (await client.query(text, values)).rows, become })
    if (keep) await commit(client)
    else await client.query('rollback')
    return result
  } catch (error) {
    // A connection that cannot roll back is closed, which rolls back.
    await client.query('rollback').catch((cause: unknown) => {
      failure = cause as Error
    })
    throw fromPostgres(error)
  } finally {
    client.off('error', ignore)
    client.release(failure)
  }
}

/** The connection broke during the commit, so it is unknown whether the change is stored. */
export class UnconfirmedError extends StorageError {
  constructor(cause: unknown) {
    super(500, 'DatabaseError', 'The database did not confirm the change. Look whether it is stored.', { cause })
  }
}

async function commit(client: pg.PoolClient): Promise<void> {
  try {
    await client.query('commit')
  } catch (error) {
    // An error of a constraint or trigger rolled the change back.
    if (error instanceof pg.DatabaseError && error.severity === 'ERROR') throw error
    throw new UnconfirmedError(error)
  }
}
