import { runOnDatabase } from './db_command.ts'
import { migrate } from './migrate.ts'

await runOnDatabase(async (databaseUrl) => {
  const { migrations, modules } = await migrate(databaseUrl)
  return [...migrations.map((name) => `db/migrations/${name}.sql`), ...modules].map((path) => `Applied ${path}`)
})
