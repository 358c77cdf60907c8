import type pg from 'pg'

/** The types that a column, a parameter or a result has in TypeScript, apart from null and undefined. */
export type Column = {
  name: string
  type: string
  /** The type in Postgres, and the values that a check allows. */
  sqlType: string
  values?: string[] | undefined
  /** The default as SQL; empty: none. */
  default: string
  isNullable: boolean
  hasDefault: boolean
  comment: string
  /** Whether the roles may read, insert and change the column. */
  canRead: boolean
  canInsert: boolean
  canUpdate: boolean
}

export type Relationship = {
  name: string
  columns: string[]
  isOneToOne: boolean
  table: string
  tableColumns: string[]
}

/** A table, a view or a composite type. */
export type Relation = {
  name: string
  kind: 'table' | 'view' | 'composite'
  comment: string
  columns: Column[]
  relationships: Relationship[]
  canDelete: boolean
}

export type Argument = {
  name: string
  type: string
  sqlType: string
  isOptional: boolean
  isNullable: boolean
  /** The default as SQL; empty: none. */
  default: string
}

export type Rpc = {
  name: string
  comment: string
  arguments: Argument[]
  /** The relation whose rows the function returns, or else the type. */
  returns: { relation: string } | { type: string }
  isSet: boolean
  volatility: 'immutable' | 'stable' | 'volatile'
}

/** Schema `public` as some roles may use it. */
export type Schema = { relations: Relation[]; functions: Rpc[] }

/** The callers of the API. A client is anonymous, or signed in. */
export const clientRoles = ['anon', 'authenticated']
export const serviceRoles = ['service_role']

/** Reads what these roles, taken together, may use of schema `public`. */
export async function readSchema(client: pg.Client, roles: string[]): Promise<Schema> {
  const { rows: relations } = await client.query<Relation>(relationsQuery, [roles])
  const { rows: checks } = await client.query<Check>(checksQuery)
  const { rows: functions } = await client.query<Omit<Rpc, 'returns'> & Result>(functionsQuery, [roles])
  return {
    relations: relations.map((relation) => ({
      ...relation,
      columns: relation.columns.map((column) => refine(relation, column, checks, roles)),
    })),
    functions: functions.map(({ relation, type, ...rest }) => ({
      ...rest,
      arguments: rest.arguments.map((argument) => refineArgument(rest.name, argument, roles)),
      returns: relation === null ? { type: translate(type) } : { relation },
    })),
  }
}

/** Arguments with a default that the function refuses: clients must send them. */
const requiredArguments: Record<string, string[]> = {
  anon: ['share_flow.share_id', 'share_card.share_id', 'share_session.share_id'],
  service_role: [
    'share_flow.share_id',
    'share_card.share_id',
    'share_session.share_id',
    'get_media_limits.owner_id',
    'list_dramas.owner_id',
    'save_drama_complete.owner_id',
  ],
}

/** Columns with a default that a trigger refuses: clients must send them. */
const requiredColumns = ['dramas.premise']

function refineArgument(name: string, argument: Argument, roles: string[]): Argument {
  const isRequired = roles.some((role) => requiredArguments[role]?.includes(`${name}.${argument.name}`))
  const isNullable = argument.default.startsWith('NULL::') && !isRequired
  return { ...argument, type: translate(argument.type), isNullable, isOptional: argument.isOptional && !isRequired }
}

function refine(relation: Relation, column: Column, checks: Check[], roles: string[]): Column {
  const base = translate(column.type)
  const values = checks
    .filter((check) => check.table === relation.name && check.columns.includes(column.name))
    .map(({ definition }) => readValues(definition, column.name))
    .find((found) => found !== undefined)
  const union = values?.map((value) => `'${value.replaceAll("'", "\\'")}'`).join(' | ')
  const type = union === undefined ? base : base === 'string[]' ? `(${union})[]` : union
  // Postgres does not know which columns of views and composite types may be null: their comments say it.
  const isNullable = relation.kind === 'table' ? column.isNullable : /\bnull\b/i.test(column.comment)
  // Default auth.uid() is null for a server, which has to name the user.
  const isUnset = roles.includes('service_role') && column.default.includes('auth.uid()')
  const hasDefault = column.hasDefault && !isUnset && !requiredColumns.includes(`${relation.name}.${column.name}`)
  return { ...column, type, isNullable, hasDefault, values }
}

type Check = { table: string; columns: string[]; definition: string }

/**
 * Reads the values that a check allows for a column: `column = any (array[…])`, a `case` with one such list per branch,
 * or a choice of constant arrays. Undefined: the check says something else.
 */
export function readValues(definition: string, column: string): string[] | undefined {
  const text = definition.replace(/\s+/g, ' ')
  const name = column.replace(/[^\w]/g, '')
  const list = `\\(${name} = ANY \\(ARRAY\\[([^\\]]*)\\]\\)\\)`
  const literals = (part: string) =>
    [...part.matchAll(/'((?:[^']|'')*)'::text/g)].map(([, value = '']) => value.replaceAll("''", "'"))
  const single = new RegExp(`^CHECK \\(${list}\\)$`).exec(text)
  if (single) return literals(single[1] ?? '')
  const branches = [...text.matchAll(new RegExp(`(?:THEN|ELSE) ${list}`, 'g'))]
  if (branches.length > 0 && branches.length === text.match(/\b(?:THEN|ELSE)\b/g)?.length) {
    return branches.flatMap(([, part = '']) => literals(part))
  }
  const arrays = new RegExp(`^CHECK \\(\\(((?:\\(${name} = '\\{[\\w,]+\\}'::text\\[\\]\\)(?: OR )?)+)\\)\\)$`).exec(
    text,
  )
  if (arrays) {
    const members = [...(arrays[1] ?? '').matchAll(/'\{([\w,]+)\}'/g)].flatMap(([, part = '']) => part.split(','))
    return [...new Set(members)]
  }
  return undefined
}

const types: Record<string, string> = {
  boolean: 'boolean',
  smallint: 'number',
  integer: 'number',
  bigint: 'number',
  real: 'number',
  'double precision': 'number',
  numeric: 'number',
  text: 'string',
  uuid: 'string',
  'timestamp with time zone': 'string',
  date: 'string',
  interval: 'string',
  json: 'Json',
  jsonb: 'Json',
  void: 'undefined',
}

/** Returns the TypeScript type of a Postgres type, as PostgREST writes and reads its values. */
function translate(type: string): string {
  const isArray = type.endsWith('[]')
  const found = types[isArray ? type.slice(0, -2) : type]
  if (found === undefined) throw new Error(`scripts/types/read_schema.ts does not know the type ${type}.`)
  return isArray ? `${found}[]` : found
}

type Result = { relation: string | null; type: string }

/** The name of a type, of the base type if it is a domain. */
const typeName = (type: string) => `(
  with recursive base (id) as (
    select ${type}
    union all
    select t.typbasetype from base as b join pg_type as t on t.oid = b.id where t.typtype = 'd'
  )
  select format_type(b.id, null)
  from base as b
  join pg_type as t on t.oid = b.id
  where t.typtype <> 'd'
)`

const may = (privilege: string) =>
  `exists (select from unnest($1::text[]) as r (name) where has_column_privilege(r.name, c.oid, a.attnum, '${privilege}'))`

const relationsQuery = `
  select
    c.relname::text as name,
    case c.relkind when 'c' then 'composite' when 'v' then 'view' else 'table' end as kind,
    coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type'), '') as comment,
    (
      select json_agg(
        json_build_object(
          'name', a.attname,
          'type', ${typeName('a.atttypid')},
          'sqlType', format_type(a.atttypid, null),
          'default', coalesce(
            (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef as d where d.adrelid = c.oid and d.adnum = a.attnum), ''
          ),
          'isNullable', not a.attnotnull,
          'hasDefault', a.atthasdef or a.attidentity <> '',
          'comment', coalesce(col_description(c.oid, a.attnum), ''),
          'canRead', c.relkind = 'c' or ${may('select')},
          'canInsert', c.relkind <> 'c' and ${may('insert')},
          'canUpdate', c.relkind <> 'c' and ${may('update')}
        ) order by a.attname collate "C"
      )
      from pg_attribute as a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as columns,
    coalesce(
      (
        select json_agg(
          json_build_object(
            'name', k.conname,
            'columns', (
              select json_agg(a.attname order by n.place)
              from unnest(k.conkey) with ordinality as n (number, place)
              join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = n.number
            ),
            'isOneToOne', exists (
              select
              from pg_constraint as u
              where u.conrelid = k.conrelid and u.contype in ('p', 'u')
                and u.conkey @> k.conkey and u.conkey <@ k.conkey
            ),
            'table', f.relname,
            'tableColumns', (
              select json_agg(a.attname order by n.place)
              from unnest(k.confkey) with ordinality as n (number, place)
              join pg_attribute as a on a.attrelid = k.confrelid and a.attnum = n.number
            )
          ) order by k.conname collate "C"
        )
        from pg_constraint as k
        join pg_class as f on f.oid = k.confrelid
        where k.conrelid = c.oid and k.contype = 'f' and f.relnamespace = 'public'::regnamespace
      ),
      '[]'
    ) as relationships,
    c.relkind <> 'c'
      and exists (select from unnest($1::text[]) as r (name) where has_table_privilege(r.name, c.oid, 'delete'))
      as "canDelete"
  from pg_class as c
  where c.relnamespace = 'public'::regnamespace
    and not c.relispartition
    and (
      c.relkind = 'c'
      or c.relkind in ('r', 'p', 'v') and exists (
        select
        from unnest($1::text[]) as r (name)
        where has_any_column_privilege(r.name, c.oid, 'select, insert, update') or has_table_privilege(r.name, c.oid, 'delete')
      )
    )
  order by c.relname collate "C"`

const checksQuery = `
  select
    c.relname::text as table,
    array(
      select a.attname::text
      from unnest(k.conkey) as n (number)
      join pg_attribute as a on a.attrelid = c.oid and a.attnum = n.number
    ) as columns,
    pg_get_constraintdef(k.oid) as definition
  from pg_constraint as k
  join pg_class as c on c.oid = k.conrelid
  where k.contype = 'c' and c.relnamespace = 'public'::regnamespace
  order by c.relname collate "C", k.conname collate "C"`

const functionsQuery = `
  select
    p.proname::text as name,
    coalesce(obj_description(p.oid, 'pg_proc'), '') as comment,
    coalesce(
      (
        select json_agg(
          json_build_object(
            'name', p.proargnames[a.place],
            'type', ${typeName('a.type')},
            'sqlType', format_type(a.type, null),
            'isOptional', a.place > p.pronargs - p.pronargdefaults,
            'isNullable', false,
            'default', coalesce(pg_get_function_arg_default(p.oid, a.place::integer), '')
          ) order by a.place
        )
        from unnest(p.proargtypes) with ordinality as a (type, place)
      ),
      '[]'
    ) as arguments,
    case when t.typrelid <> 0 then t.typname::text end as relation,
    ${typeName('p.prorettype')} as type,
    p.proretset as "isSet",
    case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility
  from pg_proc as p
  join pg_type as t on t.oid = p.prorettype
  where p.pronamespace = 'public'::regnamespace
    and p.prokind = 'f'
    and p.prorettype <> 'trigger'::regtype
    and exists (select from unnest($1::text[]) as r (name) where has_function_privilege(r.name, p.oid, 'execute'))
  order by p.proname collate "C"`
