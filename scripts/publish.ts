import { Readable } from 'node:stream'
import pg from 'pg'
import { z } from 'zod'
import type { Store } from '../worker/adapters/spaces.ts'
import { createDb, type Db } from '../worker/deps.ts'
import { parseEnv } from '../worker/service.ts'
import { openTemplateStore, type TemplatesConfig, templatesVariables } from '../worker/templates/config.ts'
import { artifactMaxBytes, type Bundle, hash, readBundles } from '../worker/templates/manifest.ts'
import { describeFailure, findDatabaseUrl } from './db_command.ts'
import { homeFolder, readEnv } from './local/home.ts'

// What upload-bundle, templates:list and templates:rollback share.

/** A command that cannot be carried out as it was given: a sentence for people. */
export class UsageError extends Error {}

/** One file of a version, as it will be stored. */
type PlannedFile = { path: string; bytes: Buffer; contentType: string }

/** What publishing a version would do. */
export type Plan = {
  template: string
  version: string
  changelog: string
  files: PlannedFile[]
  /** As SQL takes them. */
  artifacts: object[]
  prompts: object[]
}

export type Published = {
  template: string
  version: string
  status: string
  is_new: boolean
  is_default: boolean
}

/** The bundle in this folder, or of this template. */
export async function findBundle(name: string, bundlesFolder?: string): Promise<Bundle> {
  const { bundles, faults } = await readBundles(bundlesFolder)
  if (faults.length > 0) throw new UsageError(faults.join('\n'))
  const found = bundles.find(({ folder }) => folder === name) ?? bundles.find(({ template }) => template === name)
  if (found) return found
  throw new UsageError(`There is no bundle "${name}". There are: ${bundles.map(({ folder }) => folder).join(', ')}.`)
}

/** Reads and hashes all files of a version. */
export async function planVersion(bundle: Bundle, version: string): Promise<Plan> {
  const planned = bundle.versions[version]
  if (planned === undefined) {
    const versions = Object.keys(bundle.versions).join(', ')
    throw new UsageError(`Bundle "${bundle.folder}" has no version ${version}. Its manifest has: ${versions}.`)
  }
  const files = await Promise.all(
    planned.files.map(async (one) => {
      const bytes = await bundle.read(version, one.file)
      if (bytes.length < 1 || bytes.length > artifactMaxBytes) {
        throw new UsageError(`${one.file} has ${bytes.length} bytes; a file may have 1 to ${artifactMaxBytes}.`)
      }
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      } catch (cause) {
        throw new UsageError(`${one.file} is no text in UTF-8.`, { cause })
      }
      const path = `${bundle.folder}/v${version}/${one.file}`
      return { ...one, path, bytes, sha256: hash(bytes) }
    }),
  )
  return {
    template: bundle.template,
    version,
    changelog: planned.changelog,
    files: files.map(({ path, bytes, contentType }) => ({ path, bytes, contentType: contentType ?? 'text/markdown' })),
    artifacts: files
      .filter(({ name }) => !name.startsWith('prompts.'))
      .map(({ name: kind, locale, path: storage_path, sha256, bytes, contentType: content_type }) => ({
        kind,
        locale,
        storage_path,
        sha256,
        size_bytes: bytes.length,
        content_type,
      })),
    prompts: files
      .filter(({ name }) => name.startsWith('prompts.'))
      .map(({ name, locale, path: storage_path, sha256 }) => ({
        role: name.slice('prompts.'.length),
        locale,
        storage_path,
        sha256,
      })),
  }
}

/** Whether the same is published already; throws where it contradicts what is. Changes nothing. */
export async function isPublished(db: Db, plan: Plan): Promise<boolean> {
  const [row] = await db.call<{ check_publication: boolean }>('app.check_publication', sqlArguments(plan))
  return row?.check_publication ?? false
}

/**
 * Publishes a version: announces its objects, writes them, reads each back, and registers it in one transaction. Safe to
 * repeat; killed at any point, it has published all or nothing, and the worker deletes what it left.
 */
export async function publish(
  { db, store }: { db: Db; store: Store },
  plan: Plan,
  options: {
    setDefault: boolean
    isDraft?: boolean
    /** The user who publishes. */
    createdBy?: string | undefined
    onProgress?: (done: number, total: number) => void
  },
): Promise<Published> {
  const [reserved] = await db.call<{ reserve_template_upload: string | null }>(
    'app.reserve_template_upload',
    sqlArguments(plan),
  )
  const uploadId = reserved?.reserve_template_upload ?? null
  if (uploadId !== null) {
    let done = 0
    options.onProgress?.(0, plan.files.length)
    const rest = plan.files.values()
    const lane = async () => {
      for (const file of rest) {
        await upload(store, file)
        done += 1
        options.onProgress?.(done, plan.files.length)
      }
    }
    await Promise.all(Array.from({ length: 4 }, lane))
  }
  const [row] = await db.call<{ publish_template_version: Published }>('app.publish_template_version', {
    ...sqlArguments(plan),
    changelog: plan.changelog,
    status: options.isDraft ? 'draft' : 'stable',
    set_default: options.setDefault,
    created_by: options.createdBy ?? null,
    upload_id: uploadId,
  })
  return row?.publish_template_version as Published
}

async function upload(store: Store, { path, bytes, contentType }: PlannedFile): Promise<void> {
  await store.put({
    key: path,
    open: () => Readable.from(bytes, { objectMode: false }),
    length: bytes.length,
    contentType,
    cacheControl: 'private, max-age=31536000, immutable',
    isPrivate: true,
  })
  const stored = await store.get(path, artifactMaxBytes)
  if (!stored.equals(bytes)) throw new Error(`The store gave back something else than was written to ${path}.`)
}

function sqlArguments({ template, version, artifacts, prompts }: Plan): Record<string, unknown> {
  return { name: template, version, artifacts: JSON.stringify(artifacts), prompts: JSON.stringify(prompts) }
}

/** Refuses to publish into another region than the configured one. */
export async function requireRegion(store: Store, config: TemplatesConfig): Promise<void> {
  const actual = await store.region()
  if (actual === config.TEMPLATES_STORE_REGION) return
  throw new UsageError(
    `Bucket ${config.TEMPLATES_STORE_BUCKET} is in region ${actual}, not in ${config.TEMPLATES_STORE_REGION}: nothing was published.\n` +
      'Use a project in the right region, or set TEMPLATES_STORE_REGION to the region that is right.',
  )
}

/** The store's variables: those given, or of the environment, or of the local stack where the database is that one's, too. */
export function readTemplatesConfig(given?: NodeJS.ProcessEnv): TemplatesConfig {
  const env = process.env['DATABASE_URL'] ? process.env : { ...readEnv(homeFolder()), ...process.env }
  return parseEnv(z.object(templatesVariables), given ?? env)
}

export function requireTemplateStore(config: TemplatesConfig): Store {
  const store = openTemplateStore(config)
  if (store) return store
  throw new UsageError(
    'Which store? Set TEMPLATES_STORE_ENDPOINT, TEMPLATES_STORE_ACCESS_KEY_ID and TEMPLATES_STORE_SECRET_ACCESS_KEY, or start the local stack with npm start.',
  )
}

/** Runs a command on one connection, as postgres; what goes wrong is a sentence on stderr: code 2 for a wrong command, else 1. */
export async function runCommand(work: (db: Db) => Promise<void>): Promise<void> {
  let client: pg.Client | undefined
  try {
    const url = findDatabaseUrl()
    if (url === undefined) {
      throw new UsageError('Which database? Set DATABASE_URL, or start the local stack with npm start.')
    }
    client = new pg.Client({ connectionString: url, application_name: 'plinth-templates' })
    await client.connect()
    await work(createDb(client as unknown as pg.Pool))
  } catch (error) {
    console.error(describeFailure(error))
    process.exitCode = error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE') ? 2 : 1
  } finally {
    await client?.end()
  }
}
