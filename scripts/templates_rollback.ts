import { readArguments } from './commands/read_arguments.ts'
import { runCommand, templateOf, UsageError } from './templates/publish.ts'

const { options, refuse } = readArguments('templates:rollback', {
  options: {
    template: { type: 'string', value: 'folder or name', about: 'the template; required' },
    version: {
      type: 'string',
      value: 'semver',
      about: 'the new default; if missing, the highest stable version below the current default',
    },
  },
  about: 'Also ends a canary of the default version.',
  environment: ['DATABASE_URL', 'PLINTH_HOME'],
  example: 'templates:rollback -- --template section7',
})
const template = options.template ?? refuse('The template is missing. Add --template <folder or name>.')

await runCommand(async (db) => {
  const name = await templateOf(template)
  const version = options.version ?? (await findPrevious(name))
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
