import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type pg from 'pg'
import { type SqlFile, sqlFiles } from './sql_files.ts'

// A migration is never edited. Each database remembers the hash of every migration that it ran (app.migrations.hash),
// and db/migration_hashes.txt remembers the hashes of all released ones.

/** A row of `app.migrations`; without a hash where the database ran it before hashes were stored. */
export type Applied = { name: string; hash: string | null }

/** The SHA-256 of a file's text, the same with either kind of line ending. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex')
}

/** The name by which a database knows a migration. */
export function nameOf(path: string): string {
  return basename(path, '.sql')
}

/** Reads a list of `<hash> <name>` lines, as a map from name to hash. Without the file it is empty. */
export async function readHashes(path: string): Promise<Map<string, string>> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return new Map([...text.matchAll(/^([0-9a-f]{64}) (\S.*)$/gm)].map(([, hash = '', name = '']) => [name, hash]))
}

/** The result of {@link requireFrozen}. */
export type State = {
  /** Names of the migrations that have run, in their order. */
  applied: string[]
  /** Migrations that have run and that no file has. */
  strangers: string[]
}

/**
 * Refuses a database whose migrations are not those of the files: edited since they ran, renamed, or out of order. Changes
 * nothing. Only names that no file has are let through, as strangers: a newer release may have run those.
 */
export async function requireFrozen(client: pg.Client, folder: string): Promise<State> {
  const { rows: columns } = await client.query<{ name: string }>(
    `select a.attname as name from pg_attribute as a
     where a.attrelid = to_regclass('app.migrations') and a.attnum > 0 and not a.attisdropped`,
  )
  if (columns.length === 0) return { applied: [], strangers: [] }
  const hasHashes = columns.some(({ name }) => name === 'hash')
  const { rows } = await client.query<Applied>(
    `select name, ${hasHashes ? 'hash' : 'null as hash'} from app.migrations order by name`,
  )
  const files = await sqlFiles(folder, 'migrations')
  const recorded = await readHashes(join(folder, 'migration_hashes.txt'))
  const faults = findMigrationConflicts(files, rows, recorded)
  // An upgrade that was interrupted changed the tables, and was let through before its first migration.
  const hasBegun = rows.some(({ name }) => name > lastOfBaseline && recorded.has(name))
  if (!hasHashes && rows.length > 0 && !hasBegun && faults.length === 0)
    faults.push(...(await findBaselineFaults(client, folder, rows)))
  if (faults.length > 0) throw new Error(faults.join('\n'))
  const names = new Set(files.map(({ path }) => nameOf(path)))
  return {
    applied: rows.map(({ name }) => name),
    strangers: rows.flatMap(({ name }) => (names.has(name) ? [] : [name])),
  }
}

/** Where the files and the migrations that a database has run contradict each other: a sentence each. */
export function findMigrationConflicts(files: SqlFile[], applied: Applied[], recorded: Map<string, string>): string[] {
  const known = new Map(applied.map(({ name, hash }) => [name, hash ?? recorded.get(name)]))
  const names = new Set(files.map(({ path }) => nameOf(path)))
  const last = applied
    .map(({ name }) => name)
    .sort()
    .at(-1)
  return files.flatMap(({ path, text }) => {
    const name = nameOf(path)
    const hash = hashOf(text)
    if (known.has(name)) {
      if ((known.get(name) ?? hash) === hash) return []
      return [
        `${path} has changed since this database ran it. Restore the file (git log -- ${path} shows its versions) and ` +
          'write a new migration: npm run db:new. A local database can be made again instead: npm run reset',
      ]
    }
    const before = applied.find((one) => !names.has(one.name) && known.get(one.name) === hash)
    if (before)
      return [
        `This database ran ${path} under the name ${before.name}.sql, and would run it a second time. ` +
          `Rename the file to ${before.name}.sql.`,
      ]
    if (last !== undefined && name < last)
      return [
        `${path} is older than ${last}.sql, which this database has already run. Give it a later time: npm run db:new ` +
          'makes a file that is later than all others. A local database can be made again instead: npm run reset',
      ]
    return []
  })
}

/** The first release whose migrations are frozen: db/baseline.txt has the hashes of the tables that it made. */
const baselineName = 'c5e8e03'
const lastOfBaseline = '20261120100600_dramas'

/**
 * A database without hashes was migrated by commit c5e8e03 or before. Before that, migrations were edited in place, so
 * the names say nothing: the tables themselves must be those that c5e8e03 made.
 */
async function findBaselineFaults(client: pg.Client, folder: string, applied: Applied[]): Promise<string[]> {
  const baseline = await readHashes(join(folder, 'baseline.txt'))
  if (baseline.size === 0) return []
  const tables = await readTableHashes(client)
  const different = [...baseline].flatMap(([table, hash]) => (tables.get(table) === hash ? [] : [table]))
  if (different.length === 0) return []
  const [first = ''] = different
  const named =
    different.length === 1 ? `table ${first} differs` : `table ${first} and ${different.length - 1} more differ`
  return [
    `This database is older than commit ${baselineName}, and its migrations were edited later: ${named}. ` +
      `It has run ${applied.length} migrations. Only databases of ${baselineName} or newer can be migrated. A ` +
      'local database can be made again: npm run reset. For any other one, make a new database and load the data into it.',
  ]
}

/** A hash of the columns and constraints of each of our tables and row types; the same on Postgres 15 to 17. */
export async function readTableHashes(client: pg.Client): Promise<Map<string, string>> {
  await client.query('begin read only')
  try {
    // With nothing on the path Postgres writes every name with its schema.
    await client.query("set local search_path = ''")
    const { rows } = await client.query<{ name: string; lines: string }>(
      `select
         format('%I.%I', n.nspname, c.relname) as name,
         string_agg(f.line, e'\\n' order by f.line collate "C") as lines
       from pg_class as c
       join pg_namespace as n on n.oid = c.relnamespace
       cross join lateral (
         select concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod),
           case when a.attnotnull then 'not null' end, nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
           pg_get_expr(d.adbin, d.adrelid)) as line
         from pg_attribute as a
         left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         union all
         select concat_ws(' ', 'constraint', k.conname, pg_get_constraintdef(k.oid))
         from pg_constraint as k
         where k.conrelid = c.oid and k.contype in ('c', 'f', 'p', 'u', 'x')
       ) as f
       where n.nspname in ('public', 'app', 'cache', 'ops') and c.relkind in ('r', 'p', 'c')
         and c.oid <> 'app.migrations'::regclass
       group by n.nspname, c.relname
       order by name`,
    )
    return new Map(rows.map(({ name, lines }) => [name, hashOf(lines)]))
  } finally {
    await client.query('rollback')
  }
}

/** Stores the hashes of migrations that ran before hashes were stored: the released ones, or else those of the files. */
export async function storeHashes(client: pg.Client, folder: string): Promise<void> {
  const { rows } = await client.query(
    `select from pg_attribute where attrelid = 'app.migrations'::regclass and attname = 'hash' and not attisdropped`,
  )
  if (rows.length === 0) return
  const hashes = new Map([
    ...(await sqlFiles(folder, 'migrations')).map(({ path, text }) => [nameOf(path), hashOf(text)] as const),
    ...(await readHashes(join(folder, 'migration_hashes.txt'))),
  ])
  await client.query(
    `update app.migrations as m
     set hash = f.hash
     from unnest($1::text[], $2::text[]) as f (name, hash)
     where m.name = f.name and m.hash is null`,
    [[...hashes.keys()], [...hashes.values()]],
  )
}
