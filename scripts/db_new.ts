import { readdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { migrationPlaceholder } from './check/files.ts'
import { readArguments } from './commands/read_arguments.ts'
import { root } from './database/command.ts'
import { migrationsFolder } from './database/sql_files.ts'

const { positionals, refuse } = readArguments('db:new', {
  arguments: '<name>',
  about:
    'The file begins with a reason to fill in, and a lock timeout; its time is later than that of any other migration.',
  example: 'db:new -- add_plans',
})
const [name = '', ...rest] = positionals
if (rest.length > 0 || !/^[a-z0-9_]+$/.test(name)) refuse('Give the migration one name of a-z, 0-9 and _.')

// Migrations run in the order of their names, so a new one must be later than the last, whatever the clock says.
const last =
  (await readdir(migrationsFolder))
    .map((file) => file.slice(0, 14))
    .sort()
    .at(-1) ?? ''
const now = stamp(Date.now())
const path = join(migrationsFolder, `${now > last ? now : stamp(parse(last) + 1000)}_${name}.sql`)
await writeFile(path, `${migrationPlaceholder}\nset local lock_timeout = '5s';\n\n`, { flag: 'wx' })
console.log(relative(root, path))
console.error(
  'When the migration is finished, npm run db:check -- --write records its hash. After that, never edit the file.',
)

function stamp(time: number): string {
  return new Date(time).toISOString().replace(/\D/g, '').slice(0, 14)
}

function parse(text: string): number {
  return Date.parse(text.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z'))
}
