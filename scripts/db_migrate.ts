import pg from 'pg'
import { readArguments } from './commands/read_arguments.ts'
import { runOnDatabase } from './database/command.ts'
import { setPassword } from './database/migrate.ts'
import { migrateAndReport } from './database/report.ts'

readArguments('db:migrate', {
  about: 'Safe to repeat. Without DATABASE_URL, it migrates the running local stack.',
  environment: ['DATABASE_URL', 'PLINTH_HOME', 'WORKER_DATABASE_PASSWORD', 'SIDECAR_DATABASE_PASSWORD'],
  example: 'db:migrate',
})

await runOnDatabase(async (databaseUrl) => {
  const { applied, warnings } = await migrateAndReport(databaseUrl)
  for (const line of warnings) console.error(line)
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
