import type pg from 'pg'
import { foreignSchemas, ourSchemas } from './catalog.ts'
import { isExtensions } from './catalog_sql.ts'
import { type Created, findCreated, type TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'

/** Objects that no file creates by name, and the reason. */
const exempt = [
  {
    pattern: /^policy all_worker on graphile_worker\./,
    reason: 'made in a loop over the tables that graphile-worker has: 00_base/access.sql',
  },
  {
    pattern: /^policy \w+ on storage\.objects$/,
    reason:
      'made where there is Supabase Storage or its shim, in a do block: the access.sql of the module with the bucket',
  },
  {
    pattern: /^trigger _100_count_photo on storage\.objects$/,
    reason: 'made where there is Supabase Storage or its shim, in a do block: db/modules/80_studio/triggers.sql',
  },
  {
    pattern: /^policy select_executed on public\./,
    reason: 'made in a loop over the tables that clients read: db/modules/database.sql',
  },
  {
    pattern: /^trigger (_050_lock_runs|_100_create_profile) on auth\.users$/,
    reason: 'made where it is missing, in a do block: db/modules/database.sql',
  },
]

/** Every function, view, policy and trigger in the database, by the names that {@link findCreated} gives them. */
const objects = `
  select
    'function ' || format('%s.%s', n.nspname, p.proname) as object,
    'function ' || format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as identity
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  where n.nspname = any ($1) and not ${isExtensions('pg_proc', 'p.oid')}
  union all
  select 'view ' || v.name, 'view ' || v.name
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  cross join lateral format('%s.%s', n.nspname, c.relname) as v (name)
  where c.relkind in ('v', 'm') and n.nspname = any ($1) and not ${isExtensions('pg_class', 'c.oid')}
  union all
  select o.name, o.name
  from pg_policy as p
  join pg_class as c on c.oid = p.polrelid
  join pg_namespace as n on n.oid = c.relnamespace
  cross join lateral format('policy %s on %s.%s', p.polname, n.nspname, c.relname) as o (name)
  where not ${isExtensions('pg_class', 'c.oid')}
  union all
  select o.name, o.name
  from pg_trigger as t
  join pg_class as c on c.oid = t.tgrelid
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_proc as p on p.oid = t.tgfoid
  cross join lateral format('trigger %s on %s.%s', t.tgname, n.nspname, c.relname) as o (name)
  where not t.tgisinternal
    and t.tgparentid = 0
    and (n.nspname = any ($1) or p.pronamespace::regnamespace::text = any ($1))`

const schemas = `
  select nspname as name from pg_namespace
  where nspname !~ '^pg_' and nspname <> 'information_schema' and nspname <> all ($1)
  order by nspname collate "C"`

/** Checks that the catalog has exactly the functions, views, policies and triggers that the module files create. */
export async function checkObjects(client: pg.Client, files: TextFile[]): Promise<Outcome> {
  const catalog = (await client.query<{ object: string }>(objects, [ourSchemas])).rows.map((row) => row.object)
  const unknown = await client.query<{ name: string }>(schemas, [[...ourSchemas, ...foreignSchemas]])
  const kinds = [
    count(catalog.filter((object) => object.startsWith('function ')).length, 'function'),
    count(catalog.filter((object) => object.startsWith('policy ')).length, 'policy', 'policies'),
    count(catalog.filter((object) => object.startsWith('trigger ')).length, 'trigger'),
  ]
  return {
    said: `${kinds.join(', ')} in the catalog, against the files`,
    problems: [
      ...compareObjects(catalog, files.flatMap(findCreated)),
      ...unknown.rows.map(({ name }) => `schema ${name} is not checked: name it in scripts/check/catalog.ts`),
    ],
    remedy: 'One file per function in db/modules, policies in access.sql, triggers in triggers.sql.',
  }
}

/** Functions, views, policies and triggers that no module file creates, overloads included. */
export async function findLeftovers(client: pg.Client, files: TextFile[]): Promise<string[]> {
  const { rows } = await client.query<{ object: string; identity: string }>(objects, [ourSchemas])
  const created = files.flatMap(findCreated).map(({ object }) => object)
  const named = rows.filter(({ object }) => !exempt.some(({ pattern }) => pattern.test(object)))
  return [...new Set(named.map(({ object }) => object))].sort().flatMap((object) => {
    const found = named.filter((one) => one.object === object)
    const expected = created.filter((one) => one === object).length
    if (found.length <= expected) return []
    const identities = found.map(({ identity }) => identity).sort()
    return expected === 0 ? identities : [`one of ${identities.join(', ')}`]
  })
}

/** Finds objects in the catalog that no file creates, and the reverse; overloads count. */
export function compareObjects(catalog: string[], created: Created[]): string[] {
  const named = catalog.filter((object) => !exempt.some(({ pattern }) => pattern.test(object)))
  return [...new Set([...named, ...created.map(({ object }) => object)])].sort().flatMap((object) => {
    const places = created.filter((one) => one.object === object).map(({ path, line }) => `${path}:${line}`)
    const inCatalog = named.filter((one) => one === object).length
    if (places.length === inCatalog) return []
    if (places.length === 0) return [`${object} is in the catalog, and no file creates it`]
    if (inCatalog === 0) return [`${object} is not in the catalog, but ${places.join(', ')} should create it`]
    return [
      `${object} is ${inCatalog} times in the catalog and ${places.length} times in the files: ${places.join(', ')}`,
    ]
  })
}
