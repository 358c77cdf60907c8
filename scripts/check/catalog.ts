import type pg from 'pg'
import { commentFacts } from './catalog_comments.ts'
import { functionFacts } from './catalog_functions.ts'
import { supabaseFacts } from './catalog_supabase.ts'
import { tableFacts, typeFacts } from './catalog_tables.ts'

/** Our schemas. A new one has to be added here. */
export const ourSchemas = ['public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops']

/** The schemas of Supabase, graphile-worker, pg_cron and the tests. */
export const foreignSchemas = [
  'auth',
  'local_auth',
  'local_realtime',
  'storage',
  'realtime',
  'extensions',
  'graphile_worker',
  'cron',
  'tests',
]

/** One line of the catalog, under the heading of the object that it describes. */
type Fact = { part: string; object: string; rank: number; place: number; line: string }

const header = `The database that db/migrations and db/modules make. Written by npm run db:check -- --write, compared by npm run db:check.

Everything belongs to postgres, unless an owner is named. Privileges are listed without those of postgres and of
superusers: "nobody" is nobody but them. Bodies of functions and comments are in db/modules; the check compares them,
this file does not list them. Columns and values keep their own order, everything else is sorted.`

/**
 * The catalog of our schemas as text: everything but data, a function's body as its hash. The text is the same on Postgres
 * 15 and 17, whatever the order in which objects were created.
 */
export async function dumpCatalog(client: pg.Client): Promise<string> {
  const facts: Fact[] = []
  await client.query('begin isolation level repeatable read read only')
  try {
    // With nothing on the path Postgres writes every name with its schema.
    await client.query("set local search_path = ''")
    await client.query("set local timezone = 'UTC'")
    for (const query of [...supabaseFacts, ...typeFacts, ...tableFacts, ...functionFacts, ...commentFacts]) {
      facts.push(...(await client.query<Fact>(query, query.includes('$1') ? [ourSchemas] : [])).rows)
    }
  } finally {
    await client.query('rollback')
  }
  return write(facts)
}

/** The catalog as `db/catalog.txt` has it: without the hashes of function bodies, and without comments. */
export function withoutTexts(catalog: string): string {
  return catalog.replace(/\ncomments\n(?: {2}.*\n)*/, '').replace(/^ {2}source [0-9a-f]{32}\n/gm, '')
}

function write(facts: Fact[]): string {
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  facts.sort(
    (a, b) =>
      byText(a.part, b.part) ||
      byText(a.object, b.object) ||
      a.rank - b.rank ||
      a.place - b.place ||
      byText(a.line, b.line),
  )
  const lines = header.split('\n').map((line) => `# ${line}`.trimEnd())
  let object = ''
  for (const fact of facts) {
    if (fact.object !== object) lines.push('', fact.object)
    object = fact.object
    lines.push(`  ${fact.line.replace(/\s*\n\s*/g, ' ')}`)
  }
  return `${lines.join('\n').trim()}\n`
}
