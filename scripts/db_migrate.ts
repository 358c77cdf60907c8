import pg from 'pg'
import { runOnDatabase } from './database/command.ts'
import { migrate, setPassword } from './database/migrate.ts'

await runOnDatabase(async (databaseUrl) => {
  const { migrations, modules, strangers } = await migrate(databaseUrl)
  for (const name of strangers) {
    console.error(
      `db/migrations/${name}.sql has run, and is no file: undo it by another one; a database of your own: npm run reset.`,
    )
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
