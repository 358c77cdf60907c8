import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hashOf, nameOf } from '../database/freeze.ts'
import type { TextFile } from './files.ts'
import { count, type Outcome } from './outcome.ts'

export const hashesPath = 'db/migration_hashes.txt'

const header = `# The SHA-256 of every migration. A migration is never edited: npm run db:migrate refuses a database that ran another
# text. npm run db:check -- --write adds new migrations, and changes no line.
`

/** Every migration has its line in db/migration_hashes.txt, with its hash; `shouldWrite` adds the new ones. */
export async function checkFreeze(root: string, migrations: TextFile[], shouldWrite: boolean): Promise<Outcome> {
  const path = join(root, hashesPath)
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = [...new Set(text.match(/^[0-9a-f]{64} \S+$/gm))]
  const added = migrations
    .filter((file) => !lines.some((line) => line.endsWith(` ${nameOf(file.path)}`)))
    .map((file) => `${hashOf(file.text)} ${nameOf(file.path)}`)
  const all = shouldWrite ? [...lines, ...added] : lines
  if (shouldWrite) {
    const sorted = all.toSorted((a, b) => (a.slice(65) < b.slice(65) ? -1 : 1))
    await writeFile(path, `${header}${sorted.join('\n')}\n`)
  }
  return {
    said: `${count(migrations.length, 'migration')}, against the hashes in ${hashesPath}`,
    problems: findEdits(migrations, all),
    remedy:
      'Restore an edited migration and write a new one (npm run db:new). npm run db:check -- --write adds the line of a new ' +
      'migration. Where an edited one never left your machine: delete its line, write again, and npm run reset.',
  }
}

/** Migrations that were edited, removed, or never written down. */
export function findEdits(migrations: TextFile[], lines: string[]): string[] {
  const names = migrations.map(({ path }) => nameOf(path))
  const hashes = new Map(lines.map((line) => [line.slice(65), line.slice(0, 64)]))
  return [
    ...migrations.flatMap(({ path, text }) => {
      const hash = hashes.get(nameOf(path))
      if (hash === undefined) return [`${path} has no line in ${hashesPath}`]
      return hash === hashOf(text) ? [] : [`${path} was edited after it was written down in ${hashesPath}`]
    }),
    ...lines.flatMap((line) =>
      hashes.get(line.slice(65)) === line.slice(0, 64)
        ? []
        : [`${hashesPath} has two hashes of ${line.slice(65)}: a merge kept both sides`],
    ),
    ...[...hashes.keys()].flatMap((name) =>
      names.includes(name) ? [] : [`db/migrations/${name}.sql is missing: ${hashesPath} has its hash`],
    ),
  ]
}
