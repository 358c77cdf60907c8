import { withClient } from '../check/database.ts'
import { readFiles } from '../check/files.ts'
import { findLeftovers } from '../check/objects.ts'
import { count } from '../check/outcome.ts'
import { root } from './command.ts'
import { migrate, movedReason, seed } from './migrate.ts'

/** Migrates and seeds a database, and says what was applied, and what the database has that no file has. */
export async function migrateAndReport(databaseUrl: string): Promise<{ applied: string[]; warnings: string[] }> {
  const { migrations, modules, strangers, wasMoved } = await migrate(databaseUrl)
  const seeded = (await seed(databaseUrl)).filter(({ rows }) => rows > 0)
  const files = await readFiles(root, ['db/modules/**/*.sql'])
  const leftovers = await withClient(databaseUrl, (client) => findLeftovers(client, files))
  return {
    applied: [
      ...[...migrations.map((name) => `db/migrations/${name}.sql`), ...(wasMoved ? [] : modules)].map(
        (path) => `Applied ${path}`,
      ),
      ...(wasMoved ? [`Applied all ${modules.length} files of db/modules, because this database ${movedReason}`] : []),
      ...seeded.map(({ path, rows }) => `Inserted ${count(rows, 'row')} of ${path}`),
    ],
    warnings: [
      ...strangers.map(
        (name) =>
          `This database has run db/migrations/${name}.sql, which is not among the files: a newer release or another branch has ` +
          'migrated it. Use that release, or undo it by a new migration (npm run db:new). A local database can be made again ' +
          'instead: npm run reset',
      ),
      ...leftovers.map(
        (object) =>
          `Left over: ${object}. No file creates this object any more: drop the object in a new migration (npm run db:new).`,
      ),
    ],
  }
}
