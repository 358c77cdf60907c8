import type pg from 'pg'
import type { JsonKind } from './values.ts'

/** A column, as local_realtime.describe_table returns it. */
export type Column = {
  name: string
  type: string
  type_id: number
  sql_type: string
  kind: JsonKind
  /** `integer` and `text`: this process can compare values. `sql`: only Postgres can. */
  comparison: 'integer' | 'text' | 'sql'
  has_like: boolean
  has_regex: boolean
}

/** The description of a published table in the catalog. */
export type Table = {
  id: number
  schema: string
  name: string
  hasRls: boolean
  /** The names of the columns of the primary key. */
  key: string[]
  columns: Map<string, Column>
  /** The columns that a role may select. A role that does not exist has no entry. */
  selectable: Map<string, Set<string>>
}

/** The descriptions of published tables. */
export type Tables = {
  /** Copies the publication supabase_realtime into the one that is decoded, and returns the published tables. */
  list(): Promise<{ id: number; schema: string; name: string }[]>
  /** Describes a table for these roles; undefined if the table is gone. */
  describe(id: number, roles: Iterable<string>): Promise<Table | undefined>
  /** Forgets a table, which has changed. */
  forget(id: number): void
}

/**
 * How long a description is used. pgoutput announces a table again after it was altered or its grants have changed, but not
 * after a role became a member of another.
 */
const maxAgeMs = 1000

/** Asks Postgres for descriptions by `query`, and keeps each for {@link maxAgeMs}. */
export function createTables(query: (text: string, values?: unknown[]) => Promise<pg.QueryResultRow[]>): Tables {
  const known = new Map<number, { table: Table | undefined; roles: Set<string>; at: number }>()

  async function read(id: number, roles: Set<string>): Promise<Table | undefined> {
    const [row] = await query('select local_realtime.describe_table($1, $2) as table', [id, [...roles]])
    const found = row?.['table'] as
      | {
          schema: string
          name: string
          has_rls: boolean
          key: string[]
          columns: Column[]
          selectable: Record<string, string[]>
        }
      | null
      | undefined
    return (
      (found && {
        id,
        schema: found.schema,
        name: found.name,
        hasRls: found.has_rls,
        key: found.key,
        columns: new Map(found.columns.map((column) => [column.name, column])),
        selectable: new Map(Object.entries(found.selectable).map(([role, names]) => [role, new Set(names)])),
      }) ||
      undefined
    )
  }

  return {
    async list() {
      await query('select local_realtime.copy_publication()')
      const rows = await query(
        `select c.oid::int8::text as id, n.nspname as schema, c.relname as name
         from pg_publication_tables as pt
         join pg_namespace as n on n.nspname = pt.schemaname
         join pg_class as c on c.relnamespace = n.oid and c.relname = pt.tablename
         where pt.pubname = 'local_realtime'
         order by 2, 3`,
      )
      return rows.map(({ id, schema, name }) => ({ id: Number(id), schema, name }))
    },
    async describe(id, roles) {
      const entry = known.get(id)
      const wanted = new Set(roles)
      if (entry && performance.now() - entry.at < maxAgeMs && [...wanted].every((role) => entry.roles.has(role)))
        return entry.table
      const table = await read(id, wanted)
      known.set(id, { table, roles: wanted, at: performance.now() })
      return table
    },
    forget: (id) => void known.delete(id),
  }
}
