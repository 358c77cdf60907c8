import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'

/** The folder whose files {@link file://./migrate.ts} applies. */
export const dbFolder = resolve(import.meta.dirname, '../../db')

/** Where migrations are. */
export const migrationsFolder = join(dbFolder, 'migrations')

/** An SQL file: its path as people write it (`db/…`), and its text. */
export type SqlFile = { path: string; text: string }

/** Every `.sql` file of a part of a `db` folder, sorted by path. */
export async function sqlFiles(folder: string, part: 'migrations' | 'modules' | 'seed'): Promise<SqlFile[]> {
  const entries = await readdir(join(folder, part), { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return Promise.all(
    paths.map(async (path) => ({ path: join('db', relative(folder, path)), text: await readFile(path, 'utf8') })),
  )
}

/** Whether a file is applied at every migration, also if unchanged: it asserts what belongs to no schema of ours. */
export function isAlwaysApplied({ path }: SqlFile): boolean {
  return path === 'db/modules/database.sql'
}

/**
 * The files of `modules` in the order in which they are applied: functions, then triggers, access, schedules, callbacks, exports
 * of each module; database.sql at the end.
 */
export async function moduleFiles(folder = dbFolder): Promise<SqlFile[]> {
  const rank = (path: string) =>
    ['triggers.sql', 'access.sql', 'schedules.sql', 'callbacks.sql', 'exports.sql'].findIndex((name) =>
      path.endsWith(`/${name}`),
    )
  const parent = (path: string) => path.slice(0, path.lastIndexOf('/'))
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const files = await sqlFiles(folder, 'modules')
  return files.sort(
    (a, b) =>
      Number(isAlwaysApplied(a)) - Number(isAlwaysApplied(b)) ||
      byText(parent(a.path), parent(b.path)) ||
      rank(a.path) - rank(b.path) ||
      byText(a.path, b.path),
  )
}
