import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readTableHashes } from '../database/freeze.ts'
import { migrate, seed } from '../database/migrate.ts'
import { type Cluster, databaseUrl } from '../testing/cluster.ts'
import { prepareOldDatabase } from '../testing/old_database.ts'
import { dumpCatalog } from './catalog.ts'
import { withClient } from './database.ts'
import { unifiedDiff } from './diff.ts'
import { findOldVersions } from './handlers.ts'
import { count, type Outcome } from './outcome.ts'

const baselinePath = 'db/baseline.txt'
const header = `# Hashes of the tables as commit c5e8e03 made them, by which npm run db:migrate recognizes a database from before
# hashes of migrations were stored. Written by npm run db:check -- --write, from db/tests/upgrade/c5e8e03.tar.gz.
`

/**
 * A database of commit c5e8e03 with rows of every state, migrated, equals a fresh one: nothing that a
 * rename or a removal leaves behind. `catalog` is the fresh one's.
 */
export async function checkUpgrade(
  root: string,
  cluster: Cluster,
  catalog: string,
  shouldWrite: boolean,
): Promise<Outcome> {
  const name = 'plinth_check_upgrade'
  const url = databaseUrl(cluster, name)
  await prepareOldDatabase(cluster, name)
  const tables = await withClient(url, readTableHashes)
  const baseline = `${header}${[...tables].map(([table, hash]) => `${hash} ${table}\n`).join('')}`
  const path = join(root, baselinePath)
  if (shouldWrite) await writeFile(path, baseline)
  const committed = await readFile(path, 'utf8').catch(() => '')
  const { migrations } = await migrate(url)
  await seed(url)
  const oldVersions = await withClient(url, findOldVersions)
  const diff = unifiedDiff(catalog, await withClient(url, dumpCatalog), {
    before: 'made from the files',
    after: 'a database of c5e8e03, migrated',
  })
  return {
    said: `a database of c5e8e03 with rows in every state, ${count(migrations.length, 'migration')} later, against the files`,
    problems: [
      ...(committed === baseline ? [] : [`${baselinePath} is not what c5e8e03 made: npm run db:check -- --write`]),
      ...oldVersions.map((problem) => `${problem} A migration has to raise it: update job_types set version = …`),
      ...(diff ? [diff] : []),
    ],
    remedy:
      'Lines with + are left behind: drop in a migration what no file makes any more (drop function if exists …). Lines with - ' +
      'are missing: a migration or a module file has to make them on an existing database, too.',
  }
}
