import pg from 'pg'
import { withClient } from './check/database.ts'
import { readFiles } from './check/files.ts'
import { findLeftovers } from './check/objects.ts'
import { readArguments } from './commands/read_arguments.ts'
import { root, runOnDatabase } from './database/command.ts'
import { migrate, setPassword } from './database/migrate.ts'

readArguments('db:migrate', {
  about: 'Safe to repeat. Without DATABASE_URL it migrates the local stack that runs.',
  environment: ['DATABASE_URL', 'PLINTH_HOME', 'WORKER_DATABASE_PASSWORD', 'SIDECAR_DATABASE_PASSWORD'],
  example: 'db:migrate',
})

await runOnDatabase(async (databaseUrl) => {
  const { migrations, modules, strangers } = await migrate(databaseUrl)
  for (const name of strangers) {
    console.error(
      `This database has run db/migrations/${name}.sql, which is not among the files: a newer release or another branch has ` +
        'migrated it. Use that release, or undo it by a new migration (npm run db:new). A local database can be made again ' +
        'instead: npm run reset',
    )
  }
  const files = await readFiles(root, ['db/modules/**/*.sql'])
  for (const object of await withClient(databaseUrl, (client) => findLeftovers(client, files))) {
    console.error(`Left over: ${object}. No file makes it any more: drop it in a new migration (npm run db:new).`)
  }
  const applied = [...migrations.map((name) => `db/migrations/${name}.sql`), ...modules].map(
    (path) => `Applied ${path}`,
  )
  return [...applied, ...(await setPasswords(databaseUrl))]
})

/** The doors' roles get the passwords that the environment has for them. */
async function setPasswords(databaseUrl: string): Promise<string[]> {
  const passwords = Object.entries({
    worker: process.env['WORKER_DATABASE_PASSWORD'],
    sidecar: process.env['SIDECAR_DATABASE_PASSWORD'],
  }).flatMap(([role, password]) => (password ? [{ role, password }] : []))
  if (passwords.length === 0) return []
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    for (const { role, password } of passwords) await setPassword(client, role, password)
    return passwords.map(({ role }) => `Set the password of role ${role}`)
  } finally {
    await client.end()
  }
}
