import { runOnDatabase } from './db_command.ts'
import { seed } from './migrate.ts'

await runOnDatabase(async (databaseUrl) => (await seed(databaseUrl)).map((path) => `Applied ${path}`))
