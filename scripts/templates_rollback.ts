import { parseArgs } from 'node:util'
import { runCommand, templateOf, UsageError } from './templates/publish.ts'

/**
 * `npm run templates:rollback -- --template section7`: makes the highest stable version below the default version the
 * default, or the version that `--version` names. Also ends a canary of the default version.
 */
const usage = 'Usage: npm run templates:rollback -- --template <folder or name> [--version 1.0.0]'
await runCommand(usage, async (db) => {
  const { values } = parseArgs({ options: { template: { type: 'string' }, version: { type: 'string' } } })
  if (values.template === undefined) throw new UsageError('The template is missing. Add --template <folder or name>.')
  const name = await templateOf(values.template)
  const version = values.version ?? (await findPrevious(name))
  const [row] = await db.call<{ set_default_version: { previous: string | null } }>('app.set_default_version', {
    name,
    version,
  })
  console.log(
    `${version} is now the default version of ${name} (before: ${row?.set_default_version.previous ?? 'none'}).`,
  )

  async function findPrevious(name: string): Promise<string> {
    const [found] = await db.call<{ find_previous_version: string | null }>('app.find_previous_version', { name })
    if (found?.find_previous_version) return found.find_previous_version
    const versions = await db.call<{ is_default: boolean }>('app.list_template_versions', { name })
    const problem =
      versions.length === 0
        ? `Template ${name} not found.`
        : versions.some((one) => one.is_default)
          ? `Template ${name} has no stable version below its default version.`
          : `Template ${name} has no default version.`
    throw new UsageError(`${problem} See npm run templates:list, and name a version with --version.`)
  }
})
