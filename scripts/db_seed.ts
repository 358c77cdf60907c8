import { runOnDatabase } from './database/command.ts'
import { seed } from './database/migrate.ts'

await runOnDatabase(async (databaseUrl) => (await seed(databaseUrl)).map((path) => `Applied ${path}`))
