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

/** Asks Postgres which rows a caller may see, and which filters match. */
export type Checks = {
  /**
   * Asks Postgres once for all checks. Returns the numbers of the rows that the caller may select, and the texts of the
   * expressions. A check that fails, for example because a policy raises, returns no row and nulls. If a policy or a filter is
   * slow, its table or the filter is left out for half a minute. The checks see all rows that these transactions have written.
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

/** How long a check may take. After this time, the checks of a batch are asked one by one, to find the slow ones. */
const patienceMs = 3000

/** The checks of a table or a filter are slow if each row takes longer on average. A busy machine does not make a check so slow. */
const slowRowMs = 200

/** How long a slow table or filter is left out. */
const restMs = 30_000

/** How long a check waits for a lock, such as that of a migration. After this time, its table is left out for the same time. */
const lockMs = 2000

/** Creates the connection on which the subscribers' policies are asked. */
export function createChecks(connection: pg.ClientConfig, say: (line: string) => void): Checks {
  let current: Promise<pg.Client> | undefined
  let names = new Map<string, string>()
  let last: Promise<unknown> = Promise.resolve()
  /** Until when a table or a filter is left out. */
  const resting = new Map<string, number>()

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
      from (select set_config('request.jwt.claims', $1, true) as json where ${isInTime} offset 0) as claims
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
    let isLate = false
    add(
      `select pg_current_snapshot()::text as s, set_config('statement_timeout', '${patienceMs}', true),
         set_config('lock_timeout', '${lockMs}', true)`,
      ({ s }) => {
        snapshot = s
      },
    )
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
         cross join lateral (select k.t::${sqlType} as v) as typed
         where ${isInTime}`,
        ({ r }) => {
          if (r !== null) results[at] = r
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
    add(`select not ${isInTime} as late`, ({ late }) => {
      isLate = late
    })
    add('rollback')
    return { text: parts.join(';\n'), readers, snapshot: () => snapshot, isLate: () => isLate }
  }

  async function attempt(client: pg.Client, rows: RowCheck[], values: ValueCheck[]) {
    const visible: Set<number>[] = rows.map(() => new Set())
    const results: (string | null)[][] = values.map(({ values: texts }) => texts.map(() => null))
    const { text, readers, snapshot, isLate } = compose(rows, values, visible, results)
    const answers = (await client.query(text)) as unknown as pg.QueryResult[]
    for (const [at, read] of readers.entries()) {
      const row = answers[at]?.rows[0]
      if (row) read?.(row)
    }
    return { visible, results, snapshot: snapshot(), isLate: isLate() }
  }

  /**
   * Asks again until the transactions have ended. The server reads a change as soon as its commit is in the WAL. Other
   * sessions see the change some time later.
   */
  async function attemptAfter(xids: number[], client: pg.Client, rows: RowCheck[], values: ValueCheck[]) {
    for (const end = performance.now() + 5000; ; await sleep(2)) {
      const answer = await attempt(client, rows, values)
      if (answer.isLate || xids.every((xid) => hasEnded(xid, answer.snapshot)) || performance.now() > end) return answer
    }
  }

  /** After an error the batch has no answers, and the prepared statements may be stale. */
  async function recover(client: pg.Client): Promise<void> {
    names = new Map()
    await client.query('rollback')
    await client.query('deallocate all')
  }

  function isAsked(name: string): boolean {
    return (resting.get(name) ?? 0) < performance.now()
  }

  function rest(name: string): void {
    for (const [other, until] of resting) if (until < performance.now()) resting.delete(other)
    resting.set(name, performance.now() + restMs)
    say(`Realtime sends no changes that need ${name} for ${restMs / 1000} s, because this check is too slow.`)
  }

  return {
    run: (rows, values, xids) =>
      next(async (client) => {
        const written = [...xids]
        const visible: Set<number>[] = rows.map(() => new Set())
        const results: (string | null)[][] = values.map(({ values: texts }) => texts.map(() => null))
        const askedRows = [...rows.entries()].filter(([, check]) => isAsked(nameOf(check)))
        const askedValues = [...values.entries()].filter(([, check]) => isAsked(nameOf(check)))
        const second = <Entry>([, entry]: [number, Entry]) => entry
        try {
          const all = await attemptAfter(written, client, askedRows.map(second), askedValues.map(second))
          if (!all.isLate) {
            for (const [place, [at]] of askedRows.entries()) visible[at] = all.visible[place] ?? new Set()
            for (const [place, [at]] of askedValues.entries()) results[at] = all.results[place] ?? []
            return { visible, results }
          }
          await attemptAfter(written, client, [], [])
        } catch (error) {
          if (!(error instanceof pg.DatabaseError)) throw error
          await recover(client)
          await attemptAfter(written, client, [], [])
        }
        const spent = new Map<string, { ms: number; rows: number }>()
        for (const [at, check] of askedRows) {
          const one = await askOne(nameOf(check), check.keys.length, [check], [])
          visible[at] = one?.visible[0] ?? new Set()
        }
        for (const [at, check] of askedValues) {
          const one = await askOne(nameOf(check), check.values.length, [], [check])
          if (one) results[at] = one.results[0] ?? []
        }
        return { visible, results }

        async function askOne(name: string, count: number, row: RowCheck[], value: ValueCheck[]) {
          if (!isAsked(name)) return undefined
          const begin = performance.now()
          let isLocked = false
          const answer = await attempt(client, row, value).catch(async (error: Error) => {
            if (!(error instanceof pg.DatabaseError)) throw error
            say(`Realtime could not check ${name}: ${error.message}`)
            isLocked = error.code === '55P03'
            await recover(client)
            return undefined
          })
          if (isLocked) {
            resting.set(name, performance.now() + lockMs)
            return undefined
          }
          const total = spent.get(name) ?? { ms: 0, rows: 0 }
          spent.set(name, total)
          total.ms += performance.now() - begin
          total.rows += count
          if (total.ms > patienceMs && total.ms / total.rows > slowRowMs) rest(name)
          return answer
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

/** Whether the transaction of the checks began not long ago. */
const isInTime = `(select clock_timestamp() < now() + interval '${patienceMs} ms')`

/** Names what a check asks: the policies of a table, or a filter or a way to write a type. */
function nameOf(check: RowCheck | ValueCheck): string {
  return 'table' in check
    ? `the policies of ${check.table.schema}.${check.table.name}`
    : `the values of ${check.sqlType} (${check.expression})`
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
