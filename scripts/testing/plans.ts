import pg from 'pg'
import { inject } from 'vitest'
import { adminConfig } from '../local/postgres.ts'
import type { TestDatabase } from './database.ts'

/** Connects as the superuser, who may load auto_explain and switch triggers off. */
export async function connectAsSuperuser(database: TestDatabase): Promise<pg.Client> {
  const { port, secrets } = inject('cluster')
  const client = new pg.Client(adminConfig({ port, adminPassword: secrets.adminPassword }, database.name))
  await client.connect()
  return client
}

/** The states of statistics in which statements must find their rows by an index, for `test.each`. */
export const statistics: [string, (database: TestDatabase, tables: string[]) => Promise<unknown>][] = [
  ['statistics of empty tables', async () => {}],
  [
    'no statistics',
    async (database, tables) => {
      const client = await connectAsSuperuser(database)
      await client.query('delete from pg_statistic where starelid = any ($1::regclass[])', [tables])
      await client.end()
    },
  ],
  [
    'fresh statistics',
    async (database, tables) => {
      const client = await connectAsSuperuser(database)
      await client.query(`analyze ${tables}`)
      await client.end()
    },
  ],
]

type Plan = { 'Node Type': string; Plans?: Plan[] } & Record<string, unknown>

/** The scans of tables in a plan. */
function scansOf(plan: Plan): Plan[] {
  const own = /Scan$/.test(plan['Node Type']) && (plan['Relation Name'] || plan['Index Name']) ? [plan] : []
  return [...own, ...(plan.Plans ?? []).flatMap(scansOf)]
}

/**
 * A superuser's session that records the plan of each statement in each function. `faults` names the scans since the last call
 * that read more than 250 pages or 500 rows. The pages of a scan include those of its subqueries.
 */
export type PlanWatch = { client: pg.Client; faults(): string[]; scans(): number }

export async function watchPlans(database: TestDatabase): Promise<PlanWatch> {
  const client = await connectAsSuperuser(database)
  await client.query(`
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_timing = off;
    set auto_explain.log_buffers = on;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice`)
  let scans: { of: string; pages: number; rows: number; type: string; query: string }[] = []
  client.on('notice', ({ message }) => {
    const [, json] = message?.split('plan:\n') ?? []
    if (json === undefined) return
    const { Plan: plan, 'Query Text': query } = JSON.parse(json)
    for (const scan of scansOf(plan)) {
      const loops = Math.max(1, Number(scan['Actual Loops']))
      const dropped = Number(scan['Rows Removed by Filter'] ?? 0)
      scans.push({
        of: String(scan['Relation Name'] ?? scan['Index Name']),
        type: [scan['Node Type'], scan['Index Name']].filter(Boolean).join(' using '),
        pages: (Number(scan['Shared Hit Blocks']) + Number(scan['Shared Read Blocks'])) / loops,
        rows: Number(scan['Actual Rows']) + dropped,
        query: String(query).replace(/\s+/g, ' ').slice(0, 200),
      })
    }
  })
  return {
    client,
    scans: () => scans.length,
    faults() {
      const found = scans.filter(({ pages, rows }) => pages > 250 || rows > 500)
      scans = []
      return found.map(({ of, type, pages, rows, query }) => `${type} of ${of}: ${pages} pages, ${rows} rows: ${query}`)
    },
  }
}
