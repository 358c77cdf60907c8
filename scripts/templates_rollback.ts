import { parseArgs } from 'node:util'
import { runCommand, templateOf, UsageError } from './templates/publish.ts'

/**
 * `npm run templates:rollback -- --template section7`: makes the stable version below the default one the default, or the
 * one that `--version` names. Ends a canary of the default, too.
 */
const usage = 'Usage: npm run templates:rollback -- --template <folder or name> [--version 1.0.0]'
await runCommand(usage, async (db) => {
  const { values } = parseArgs({ options: { template: { type: 'string' }, version: { type: 'string' } } })
  if (values.template === undefined) throw new UsageError('Which template? Say --template <folder or name>.')
  const name = await templateOf(values.template)
  const version = values.version ?? (await findPrevious(name))
  const [row] = await db.call<{ set_default_version: { previous: string | null } }>('app.set_default_version', {
    name,
    version,
  })
  console.log(
    `${version} is the default version of ${name}; before, it was ${row?.set_default_version.previous ?? 'none'}.`,
  )

  async function findPrevious(name: string): Promise<string> {
    const [found] = await db.call<{ find_previous_version: string | null }>('app.find_previous_version', { name })
    if (found?.find_previous_version) return found.find_previous_version
    const versions = await db.call<{ is_default: boolean }>('app.list_template_versions', { name })
    const what =
      versions.length === 0
        ? 'There is no template'
        : versions.some((one) => one.is_default)
          ? 'No stable version is below the default one of'
          : 'There is no default version of'
    throw new UsageError(`${what} ${name}. npm run templates:list shows what there is; --version names one.`)
  }
})
