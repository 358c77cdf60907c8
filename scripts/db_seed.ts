import { readArguments } from './commands/read_arguments.ts'
import { runOnDatabase } from './database/command.ts'
import { seed } from './database/migrate.ts'

readArguments('db:seed', {
  about: 'Safe to repeat, and a part of db:migrate. Without DATABASE_URL, it seeds the running local stack.',
  environment: ['DATABASE_URL', 'PLINTH_HOME'],
  example: 'db:seed',
})

await runOnDatabase(async (databaseUrl) => (await seed(databaseUrl)).map(({ path }) => `Applied ${path}`))
