import { z } from 'zod'
import { readArguments } from './commands/read_arguments.ts'
import {
  findBundle,
  isPublished,
  planVersion,
  publish,
  readTemplatesConfig,
  requireRegion,
  requireTemplateStore,
  runCommand,
} from './templates/publish.ts'

const { options, refuse } = readArguments('upload-bundle', {
  options: {
    template: { type: 'string', value: 'folder', about: 'the folder of the bundle; required' },
    version: {
      type: 'string',
      value: 'semver',
      about: 'the version to publish; if missing, the manifest’s default_version',
    },
    'set-default': { type: 'boolean', about: 'makes it the default, for callers that ask for no version' },
    draft: { type: 'boolean', about: 'registers it as a draft: no caller gets it, and it can be published again' },
    'created-by': { type: 'string', value: 'user id', about: 'the user who publishes the version' },
    'dry-run': { type: 'boolean', about: 'checks everything and prints the files, but changes nothing' },
  },
  about: 'Publishing the same files again is safe, and restores objects that the store has lost or changed.',
  environment: [
    'DATABASE_URL',
    'PLINTH_HOME',
    'TEMPLATES_STORE_ENDPOINT',
    'TEMPLATES_STORE_REGION',
    'TEMPLATES_STORE_BUCKET',
    'TEMPLATES_STORE_ACCESS_KEY_ID',
    'TEMPLATES_STORE_SECRET_ACCESS_KEY',
  ],
  example: 'upload-bundle -- --template section7 --version 1.0.0 --set-default',
})
const template = options.template ?? refuse('The bundle is missing. Add --template <folder>.')
const createdBy = options['created-by']
if (createdBy !== undefined && !z.guid().safeParse(createdBy).success) {
  refuse('--created-by must be the id of a user (a UUID).')
}
if (options.draft && options['set-default']) {
  refuse('A draft cannot be the default version. Leave out --draft or --set-default.')
}

await runCommand(async (db, signal) => {
  const bundle = await findBundle(template)
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
