import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Table } from './tables.ts'

/** Which of these rows may a caller select now? */
export type RowCheck = {
  role: string
  /** The claims as JSON. */
  claims: string
  table: Table
  /** The primary keys of the rows, each as Postgres's texts in the order of `table.key`. */
  keys: string[][]
}

/** Which of these values meet a condition, or how does `to_jsonb` write them? */
export type ValueCheck = {
  role: string
  sqlType: string
  /** An expression on `v`, a value of the type. It is part of a statement: quote what it contains. */
  expression: string
  values: string[]
}

export type Checks = {
  /**
   * Asks Postgres once for all checks. Returns the numbers of the rows that the caller may select, and the texts of the
   * expressions. A check that fails, for example because a policy raises, returns no row and nulls. The checks see all rows
   * that these transactions have written.
   */
  run(
    rows: RowCheck[],
    values: ValueCheck[],
    xids: Iterable<number>,
  ): Promise<{ visible: Set<number>[]; results: (string | null)[][] }>
  /** Runs a statement; with a role, in a transaction that is rolled back. */
  query(text: string, values?: unknown[], role?: string): Promise<pg.QueryResultRow[]>
  close(): Promise<void>
}

/** Creates the connection on which the subscribers' policies are asked. */
export function createChecks(connection: pg.ClientConfig, say: (line: string) => void): Checks {
  let current: Promise<pg.Client> | undefined
  let names = new Map<string, string>()
  let last: Promise<unknown> = Promise.resolve()

  /** Runs one piece of work at a time, because the connection is one session. */
  function next<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const result = last.then(async () => work(await connect()))
    last = result.catch(() => {})
    return result
  }

  async function connect(): Promise<pg.Client> {
    current ??= (async () => {
      names = new Map()
      const client = new pg.Client({
        ...connection,
        application_name: 'realtime_checks',
        connectionTimeoutMillis: 5000,
        // One plan serves all keys and callers of a role.
        options: `${connection.options ?? ''} -c statement_timeout=10s -c lock_timeout=5s -c plan_cache_mode=force_generic_plan`,
      })
      const forget = () => {
        current = undefined
      }
      client.on('error', forget).on('end', forget)
      await client.connect()
      return client
    })()
    try {
      return await current
    } catch (error) {
      current = undefined
      throw error
    }
  }

  /**
   * The statement that finds which keys of a table the current role may select, with these claims. One index lookup for each
   * key. The condition reads the row of the claims, so Postgres sets them before it asks the policies.
   */
  function prepare({ schema, name, key, columns }: Table): { statement: string; prepares: string } {
    const types = key.map((column) => columns.get(column)?.sql_type ?? 'text')
    const parameters = ['text', ...types.map((type) => `${type}[]`)].join(', ')
    const keys = types.map((_, at) => `k${at}`)
    const conditions = key.map((column, at) => `t.${pg.escapeIdentifier(column)} = k.k${at}`).join(' and ')
    const text = `(${parameters}) as select string_agg(k.n::text, ',') as n
      from (select set_config('request.jwt.claims', $1, true) as json offset 0) as claims
      cross join unnest(${types.map((_, at) => `$${at + 2}`).join(', ')}) with ordinality as k(${[...keys, 'n'].join(', ')})
      where (
        select true from ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)} as t
        where ${conditions} and claims.json is not null
      )`
    const known = names.get(text)
    if (known !== undefined) return { statement: known, prepares: '' }
    const statement = `rows_${names.size}`
    names.set(text, statement)
    return { statement, prepares: `prepare ${statement} ${text};` }
  }

  /** The statements of all checks, and for each statement what to do with its result. */
  function compose(rows: RowCheck[], values: ValueCheck[], visible: Set<number>[], results: (string | null)[][]) {
    const parts: string[] = []
    const readers: (((row: pg.QueryResultRow) => void) | undefined)[] = []
    const add = (sql: string, read?: (row: pg.QueryResultRow) => void) => {
      parts.push(sql)
      readers.push(read)
    }
    add('begin')
    let snapshot = ''
    add('select pg_current_snapshot()::text as s', ({ s }) => {
      snapshot = s
    })
    let role: string | undefined
    const become = (wanted: string) => {
      if (role !== wanted) add(`set local role ${pg.escapeIdentifier(wanted)}`)
      role = wanted
    }
    for (const [at, { role: caller, sqlType, expression, values: texts }] of values.entries()) {
      become(caller)
      add(
        `select array_agg((${expression})::text order by n) as r
         from unnest(${literal(texts)}::text[]) with ordinality as k(t, n)
         cross join lateral (select k.t::${sqlType} as v) as typed`,
        ({ r }) => {
          results[at] = r
        },
      )
    }
    for (const [at, { role: caller, claims: wanted, table, keys }] of rows.entries()) {
      become(caller)
      const { statement, prepares } = prepare(table)
      if (prepares) add(prepares.slice(0, -1))
      const lists = table.key.map((_, place) => literal(keys.map((key) => key[place] ?? '')))
      add(`execute ${statement} (${[pg.escapeLiteral(wanted), ...lists].join(', ')})`, ({ n }) => {
        visible[at] = new Set(
          n === null
            ? []
            : String(n)
                .split(',')
                .map((number) => Number(number) - 1),
        )
      })
    }
    add('rollback')
    return { text: parts.join(';\n'), readers, snapshot: () => snapshot }
  }

  async function attempt(client: pg.Client, rows: RowCheck[], values: ValueCheck[]) {
    const visible: Set<number>[] = rows.map(() => new Set())
    const results: (string | null)[][] = values.map(({ values: texts }) => texts.map(() => null))
    const { text, readers, snapshot } = compose(rows, values, visible, results)
    const answers = (await client.query(text)) as unknown as pg.QueryResult[]
    for (const [at, read] of readers.entries()) {
      const row = answers[at]?.rows[0]
      if (row) read?.(row)
    }
    return { visible, results, snapshot: snapshot() }
  }

  /**
   * Asks again until the transactions have ended. The server reads a change as soon as its commit is in the WAL. Other
   * sessions see the change some time later.
   */
  async function attemptAfter(xids: number[], client: pg.Client, rows: RowCheck[], values: ValueCheck[]) {
    for (const end = performance.now() + 5000; ; await sleep(2)) {
      const answer = await attempt(client, rows, values)
      if (xids.every((xid) => hasEnded(xid, answer.snapshot)) || performance.now() > end) return answer
    }
  }

  /** After an error the batch has no answers, and the prepared statements may be stale. */
  async function recover(client: pg.Client): Promise<void> {
    names = new Map()
    await client.query('rollback')
    await client.query('deallocate all')
  }

  return {
    run: (rows, values, xids) =>
      next(async (client) => {
        const written = [...xids]
        try {
          return await attemptAfter(written, client, rows, values)
        } catch (error) {
          if (!(error instanceof pg.DatabaseError)) throw error
          await recover(client)
        }
        const visible: Set<number>[] = []
        const results: (string | null)[][] = []
        for (const check of rows) {
          const one = await attemptAfter(written, client, [check], []).catch(failed(`rows of ${check.table.name}`))
          visible.push(one?.visible[0] ?? new Set())
        }
        for (const check of values) {
          const one = await attempt(client, [], [check]).catch(failed(`values of ${check.sqlType}`))
          results.push(one?.results[0] ?? check.values.map(() => null))
        }
        return { visible, results }

        function failed(what: string) {
          return async (error: Error) => {
            if (!(error instanceof pg.DatabaseError)) throw error
            say(`Realtime could not check ${what}: ${error.message}`)
            await recover(client)
            return undefined
          }
        }
      }),
    query: (text, values, role) =>
      next(async (client) => {
        if (role === undefined) return (await client.query(text, values)).rows
        await client.query(`begin; set local role ${pg.escapeIdentifier(role)}`).catch(async (error) => {
          await client.query('rollback')
          throw error
        })
        try {
          return (await client.query(text, values)).rows
        } finally {
          if (current) await client.query('rollback')
        }
      }),
    async close() {
      await last
      const client = await current?.catch(() => undefined)
      await client?.end().catch(() => {})
    },
  }
}

/** Whether a snapshot, such as `10:12:10,11`, sees the transaction: it is older than the second number and not listed. */
function hasEnded(xid: number, snapshot: string): boolean {
  const [, next = '0', running = ''] = snapshot.split(':')
  // The numbers of a snapshot have an epoch before the 32 bits that the WAL has.
  const low = (number: string) => Number(BigInt(number) & 0xffffffffn)
  const isOlder = ((xid - low(next)) | 0) < 0
  return isOlder && !running.split(',').some((number) => number !== '' && low(number) === xid)
}

/** The literal of a Postgres array of texts. */
function literal(texts: string[]): string {
  const elements = texts.map((text) => `"${text.replace(/[\\"]/g, '\\$&')}"`)
  return pg.escapeLiteral(`{${elements.join()}}`)
}
