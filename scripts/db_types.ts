import { withClient } from './check/database.ts'
import { printOutcome } from './check/outcome.ts'
import { checkTypes } from './check/types.ts'
import { readArguments } from './commands/read_arguments.ts'
import { root } from './database/command.ts'
import { databaseUrl, prepareDatabase, startCluster } from './testing/cluster.ts'

const { options } = readArguments('db:types', {
  options: {
    check: { type: 'boolean', about: 'compares, writes nothing, and exits with 1 if the file is not current' },
  },
  about: 'npm run db:check compares the file, too, and npm run db:check -- --write writes it.',
  environment: ['PLINTH_POSTGRES_BIN'],
  example: 'db:types -- --check',
})

const cluster = await startCluster()
try {
  await prepareDatabase(cluster, 'plinth_types')
  const outcome = await withClient(databaseUrl(cluster, 'plinth_types'), (client) =>
    checkTypes(client, root, options.check !== true),
  )
  if (!printOutcome('types', outcome)) process.exitCode = 1
} finally {
  await cluster.stop()
}
