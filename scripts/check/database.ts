import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { listPending, migrate, movedReason } from '../database/migrate.ts'
import { dumpCatalog, withoutTexts } from './catalog.ts'
import { unifiedDiff } from './diff.ts'
import { count, type Outcome } from './outcome.ts'

export const catalogPath = 'db/catalog.txt'

/** Connects, does something, and disconnects. */
export async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(databaseUrl)
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Compares the catalog that the files make with the committed one; `shouldWrite` writes it. */
export async function checkCatalog(root: string, dumped: string, shouldWrite: boolean): Promise<Outcome> {
  const catalog = withoutTexts(dumped)
  const path = join(root, catalogPath)
  const committed = await readFile(path, 'utf8').catch(() => '')
  const said = `${count(catalog.split('\n\n').length - 1, 'object')}, against ${catalogPath}`
  if (shouldWrite) {
    await writeFile(path, catalog)
    return { said: committed === catalog ? `${said}, as before` : `${said}, written again` }
  }
  const diff = unifiedDiff(committed, catalog, { before: catalogPath, after: 'made from the files' })
  return {
    said,
    problems: diff ? [diff] : [],
    remedy: 'If you meant this change: npm run db:check -- --write, and commit the file.',
  }
}

/** Checks that applying every module file a second time changes nothing. */
export async function checkRepeat(databaseUrl: string, catalog: string): Promise<Outcome> {
  await withClient(databaseUrl, (client) => client.query('delete from app.applied_files'))
  const { modules } = await migrate(databaseUrl)
  const diff = unifiedDiff(catalog, await withClient(databaseUrl, dumpCatalog), {
    before: 'applied once',
    after: 'applied twice',
  })
  return {
    said: `${count(modules.length, 'module file')} applied a second time`,
    problems: diff ? [diff] : [],
    remedy: 'Module files use create or replace, and drop policy if exists first.',
  }
}

/** Compares the database in use with the files. */
export async function checkDrift(databaseUrl: string | undefined, catalog: string): Promise<Outcome> {
  if (databaseUrl === undefined) return { said: 'skipped: no DATABASE_URL, and no local stack runs' }
  const { host, pathname } = new URL(databaseUrl)
  const diff = unifiedDiff(catalog, await withClient(databaseUrl, dumpCatalog), {
    before: 'made from the files',
    after: 'the database',
  })
  const said = `the database ${host}${pathname} against the files`
  // The diff of a file that was not applied is long, and says nothing that the diff of the catalog does not.
  const { pending, wasMoved } = diff
    ? await withClient(databaseUrl, (client) => listPending(client))
    : { pending: [], wasMoved: false }
  if (pending.length > 0 || wasMoved) {
    return {
      said,
      problems: [
        ...(wasMoved ? [`Not applied: db/modules, because this database ${movedReason}`] : []),
        ...pending.map((path) => `Not applied: ${path}`),
      ],
      remedy: 'npm run db:migrate applies them. npm run dev applies files when they are saved.',
    }
  }
  return {
    said,
    problems: diff ? [diff] : [],
    remedy:
      'Lines with + were changed by hand or left behind: undo them in a new migration. A local database can be made again: ' +
      'npm run reset.',
  }
}

/** Warns of settings that are unsafe for a deployment. `npm start` sets them for local development. */
export async function checkWarnings(databaseUrl: string | undefined): Promise<Outcome> {
  if (databaseUrl === undefined) return { said: 'skipped: no DATABASE_URL, and no local stack runs' }
  const warnings = await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ problem: string; remedy: string }>('select problem, remedy from ops.warnings')
    return rows.map(({ problem, remedy }) => `${problem} ${remedy}`)
  })
  const { host, pathname } = new URL(databaseUrl)
  return { said: `${count(warnings.length, 'unsafe setting')} of the database ${host}${pathname}`, warnings }
}
