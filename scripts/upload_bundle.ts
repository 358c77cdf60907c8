import { parseArgs } from 'node:util'
import { z } from 'zod'
import {
  findBundle,
  isPublished,
  planVersion,
  publish,
  readTemplatesConfig,
  requireRegion,
  requireTemplateStore,
  runCommand,
  UsageError,
} from './templates/publish.ts'

/**
 * `npm run upload-bundle -- --template section7 --version 1.0.0 --set-default`: publishes a version of a bundle.
 * Publishing the same files again is safe, and restores objects that the store has lost or changed.
 */
const usage = `Usage: npm run upload-bundle -- --template <folder> [--version 1.0.0]
  --version <semver>   the version to publish; default: default_version of the bundle's manifest
  --set-default        makes it the version of callers that ask for none
  --draft              registers it as a draft, which no caller gets and which can be published again
  --created-by <id>    the id of the user who publishes it
  --dry-run            checks everything and prints the files, but changes nothing`
await runCommand(usage, async (db, signal) => {
  const { values: options } = parseArgs({
    options: {
      template: { type: 'string' },
      version: { type: 'string' },
      'set-default': { type: 'boolean', default: false },
      draft: { type: 'boolean', default: false },
      'created-by': { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  })
  if (options.template === undefined) throw new UsageError('The bundle is missing. Add --template <folder>.')
  const createdBy = options['created-by']
  if (createdBy !== undefined && !z.guid().safeParse(createdBy).success) {
    throw new UsageError('--created-by must be the id of a user (a UUID).')
  }
  if (options.draft && options['set-default'])
    throw new UsageError('A draft cannot be the default version. Leave out --draft or --set-default.')

  const bundle = await findBundle(options.template)
  const plan = await planVersion(bundle, options.version ?? bundle.defaultVersion)
  const what = `${plan.template}@${plan.version}`
  const config = readTemplatesConfig()
  const store = requireTemplateStore(config)
  try {
    await requireRegion(store, config)
    if (options['dry-run']) {
      for (const { path, bytes } of plan.files) console.log(`${String(bytes.length).padStart(8)} bytes  ${path}`)
      const known = await isPublished(db, plan, { createdBy, setDefault: options['set-default'] })
      console.log(known ? `${what} is already published with these files.` : `${what} would be published.`)
      return
    }
    const published = await publish({ db, store }, plan, {
      setDefault: options['set-default'],
      isDraft: options.draft,
      createdBy,
      signal,
      onProgress: showProgress,
    })
    console.log(
      published.is_new
        ? `${what} is published: ${plan.files.length} files, ${published.status}.`
        : `${what} was already published with the same files (${published.status}). Its files and changelog are unchanged.`,
    )
    if (published.repaired > 0) {
      console.log(`Restored ${published.repaired} of its objects, which the store had lost or changed.`)
    }
    if (options['set-default']) console.log(`${plan.version} is the default version of ${plan.template}.`)
  } finally {
    store.close()
  }
})

/** Draws a progress bar on a terminal; elsewhere prints only its last state. */
function showProgress(done: number, total: number): void {
  const width = 30
  const filled = Math.round((done / total) * width)
  const line = `Uploading  [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${done}/${total}`
  if (process.stderr.isTTY) process.stderr.write(`\r${line}${done === total ? '\n' : ''}`)
  else if (done === total) process.stderr.write(`${line}\n`)
}
