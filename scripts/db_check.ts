import { checkApiPage } from './check/api_page.ts'
import { checkBoundaries } from './check/boundaries.ts'
import { dumpCatalog } from './check/catalog.ts'
import { checkCatalog, checkDrift, checkRepeat, checkWarnings, withClient } from './check/database.ts'
import { checkEnglish } from './check/english.ts'
import { checkEnvironment } from './check/environment.ts'
import { checkErrors } from './check/errors.ts'
import { findLongLines, findMigrationFaults, findMisplaced, readFiles, sqlWidth, type TextFile } from './check/files.ts'
import { checkFreeze } from './check/freeze.ts'
import { checkHandlers } from './check/handlers.ts'
import { checkLimits } from './check/limits.ts'
import { checkLimitsPage } from './check/limits_page.ts'
import { checkObjects } from './check/objects.ts'
import { count, type Outcome, printOutcome } from './check/outcome.ts'
import { checkPlpgsql } from './check/plpgsql.ts'
import { checkRole } from './check/role.ts'
import { checkMigrationsWithSquawk } from './check/squawk.ts'
import { checkTypes } from './check/types.ts'
import { checkUpgrade } from './check/upgrade.ts'
import { readArguments } from './commands/read_arguments.ts'
import { describeFailure, findDatabaseUrl, root } from './database/command.ts'
import { checkPictures } from './docs/pictures.ts'
import { asAdmin, type Cluster, databaseUrl, prepareDatabase, startCluster } from './testing/cluster.ts'

const { options } = readArguments('db:check', {
  options: {
    write: {
      type: 'boolean',
      about: 'writes the generated files again: db/catalog.txt, docs/guide/limits.md and the records',
    },
  },
  about: 'Also compares the database of DATABASE_URL, or else of the running local stack, with the files.',
  environment: ['DATABASE_URL', 'PLINTH_HOME', 'PLINTH_POSTGRES_BIN'],
  example: 'db:check -- --write',
})

const scratch = 'plinth_check'
const startedAt = performance.now()

let failed = 0

// The server comes up while the files are checked.
const starting = startCluster()
starting.catch(() => {})
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await starting.then((cluster) => cluster.stop()).catch(() => {})
    process.exit(1)
  })
}

const modules = await readFiles(root, ['db/modules/**/*.sql'])
await checkFiles()
try {
  const cluster = await starting
  try {
    await checkDatabase(cluster)
  } finally {
    await cluster.stop()
  }
} catch (error) {
  await check('scratch database', () => Promise.reject(error))
}

const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
console.log(failed === 0 ? `\nAll checks passed (${seconds} s).` : `\n${count(failed, 'check')} failed (${seconds} s).`)
process.exit(failed === 0 ? 0 : 1)

async function checkFiles(): Promise<void> {
  const migrations = await readFiles(root, ['db/migrations/*.sql'])
  const code = await readFiles(root, ['{scripts,worker,sidecar,db}/**/*.ts', 'docker-compose.yml'])
  await check('module files', async () => ({
    said: `${count(modules.length, 'file')}, names against functions`,
    problems: modules.flatMap(findMisplaced),
    remedy: 'Rename the file, or the function.',
  }))
  await check('line width', async () => {
    const sql = await readFiles(root, ['{db,scripts}/**/*.sql'])
    const wrapped = sql.filter(({ path }) => !/^db\/(migrations|tests\/upgrade)\//.test(path))
    return {
      said: `${count(wrapped.length, 'SQL file')}, ${sqlWidth} characters a line`,
      problems: wrapped.flatMap(findLongLines),
      remedy: 'Wrap the lines.',
    }
  })
  await check('migrations', async () => ({
    said: `${count(migrations.length, 'file')}: names, reasons, nothing that belongs in db/modules`,
    problems: migrations.flatMap(findMigrationFaults),
  }))
  await check('freeze', () => checkFreeze(root, migrations, options.write))
  await check('role', async () => checkRole([...modules, ...migrations]))
  await check('squawk', () => checkMigrationsWithSquawk(root, migrations))
  await check('errors', async () => {
    // The local Auth and Storage answer with the codes of Supabase's own services.
    const answering = code.filter(({ path }) =>
      /^(sidecar|scripts\/local)\/(?!auth\/|storage\/).*(?<!\.test)\.ts$/.test(path),
    )
    return checkErrors(modules, answering, await readOne('docs/errors.md'))
  })
  await check('boundaries', async () =>
    checkBoundaries([
      ...code.filter(({ path }) => /^(worker|sidecar)\//.test(path)),
      ...modules.filter(({ path }) => path.startsWith('db/modules/20_jobs/')),
    ]),
  )
  await check('environment', async () =>
    checkEnvironment(
      code.filter(({ path }) => !path.startsWith('scripts/check/')),
      await readOne('.env.example'),
    ),
  )
  await check('english', () => checkEnglish(root, options.write))
}

async function checkDatabase(cluster: Cluster): Promise<void> {
  const url = databaseUrl(cluster, scratch)
  let catalog = ''
  await check('scratch database', async () => {
    await prepareDatabase(cluster, scratch)
    return withClient(url, async (client) => {
      catalog = await dumpCatalog(client)
      const { rows } = await client.query<{ server_version: string }>('show server_version')
      return { said: `made from the files, on Postgres ${rows[0]?.server_version}` }
    })
  })
  if (catalog === '') return
  await check('objects', () => withClient(url, (client) => checkObjects(client, modules)))
  await check('handlers', () => withClient(url, checkHandlers))
  await check('limits', () => withClient(url, checkLimits))
  await check('limits page', () => withClient(url, (client) => checkLimitsPage(client, root, options.write)))
  await check('catalog', () => checkCatalog(root, catalog, options.write))
  await check('API page', () => withClient(url, (client) => checkApiPage(client, root, options.write)))
  await check('types', () => withClient(url, (client) => checkTypes(client, root, options.write)))
  await check('pictures', async () => checkPictures(options.write))
  await check('repeat', () => checkRepeat(url, catalog))
  await check('upgrade', () => checkUpgrade(root, cluster, catalog, options.write))
  await check('drift', async () => checkDrift(findDatabaseUrl(), catalog))
  await check('warnings', async () => checkWarnings(findDatabaseUrl()))
  await check('plpgsql_check', () => asAdmin(cluster, scratch, checkPlpgsql))
}

/** Runs a check and prints its line; one that cannot run has failed. */
async function check(name: string, work: () => Promise<Outcome>): Promise<void> {
  const outcome = await work().catch(
    (error: unknown): Outcome => ({
      said: 'could not run',
      problems: [describeFailure(error)],
    }),
  )
  if (!printOutcome(name, outcome)) failed += 1
}

async function readOne(path: string): Promise<TextFile> {
  return (await readFiles(root, [path]))[0] ?? { path, text: '' }
}
