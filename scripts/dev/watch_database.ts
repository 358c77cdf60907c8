import { extname, join } from 'node:path'
import { migrationPlaceholder } from '../check/files.ts'
import { describeFailure } from '../database/command.ts'
import { seed } from '../database/migrate.ts'
import { migrateAndReport } from '../database/report.ts'
import { dbFolder, sqlFiles } from '../database/sql_files.ts'
import { watchFolder } from './watch_folder.ts'

const parts = ['migrations', 'modules', 'seed'] as const

/**
 * Applies migrations, modules and seed data to a database when their files change, one run at a time. Prints each applied file,
 * or the error with its file and line. Returns a function that ends it after the current run.
 */
export function watchDatabase(databaseUrl: string, say: (line: string) => void): () => Promise<void> {
  const changed = new Set<(typeof parts)[number]>()
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const run = () => {
    running ??= (async () => {
      while (changed.size > 0) {
        const now = new Set(changed)
        changed.clear()
        await apply(now)
      }
      running = undefined
    })()
  }
  // Editors save in several steps, so changes within a moment are applied together.
  const endings = parts.map((part) =>
    watchFolder(join(dbFolder, part), (path) => {
      // A new folder may have files already.
      if (!['.sql', ''].includes(extname(path))) return
      changed.add(part)
      clearTimeout(timer)
      timer = setTimeout(run, 150)
    }),
  )

  async function apply(what: Set<(typeof parts)[number]>): Promise<void> {
    try {
      const waiting = (await sqlFiles(dbFolder, 'migrations')).filter(({ text }) =>
        text.startsWith(migrationPlaceholder),
      )
      if (waiting.length > 0) {
        // A migration must not change after it has run, so a new file may run only when it is complete.
        say(
          `${waiting[0]?.path} is not applied until its first line says why it exists; later migrations and modules wait.`,
        )
      } else if (what.has('migrations') || what.has('modules')) {
        const { applied, warnings } = await migrateAndReport(databaseUrl)
        for (const line of [...applied, ...warnings]) say(line)
      }
      if (what.has('seed')) for (const { path } of await seed(databaseUrl)) say(`Applied ${path}`)
    } catch (error) {
      say(describeFailure(error))
    }
  }

  return async () => {
    clearTimeout(timer)
    for (const end of endings) end()
    changed.clear()
    await running
  }
}
