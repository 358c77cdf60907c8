import { Readable } from 'node:stream'
import pg from 'pg'
import { z } from 'zod'
import { createDb, type Db } from '../../worker/shared/db.ts'
import { inParallel } from '../../worker/shared/in_parallel.ts'
import { type Store, StoreError } from '../../worker/shared/object_store.ts'
import { parseEnv } from '../../worker/shared/process.ts'
import { openTemplateStore, type TemplatesConfig, templatesVariables } from '../../worker/templates/config.ts'
import { artifactMaxBytes, type Bundle, hash, readBundles } from '../../worker/templates/manifest.ts'
import { describeFailure, findDatabaseUrl } from '../database/command.ts'
import { homeFolder, readEnv } from '../local/home.ts'

// The library of upload-bundle, templates:list and templates:rollback.

/** A command that cannot run as the operator gave it. The message is for people. */
export class UsageError extends Error {}

const filesAtOnce = 4

/** One file of a version, as the store will have it. */
type PlannedFile = { path: string; bytes: Buffer; contentType: string }

/** A version of a bundle, read and hashed, ready to publish. */
export type Plan = {
  template: string
  version: string
  changelog: string
  files: PlannedFile[]
  /** The parameters of the SQL functions. */
  artifacts: object[]
  prompts: object[]
}

export type Published = {
  template: string
  version: string
  status: string
  is_new: boolean
  is_default: boolean
  /** The number of objects that the store had lost or changed, of a version that was already published. */
  repaired: number
}

/** Finds a bundle by its folder or by its template's name. */
export async function findBundle(name: string, bundlesFolder?: string): Promise<Bundle> {
  const { bundles, faults } = await readBundles(bundlesFolder)
  if (faults.length > 0) throw new UsageError(faults.join('\n'))
  const found = bundles.find(({ folder }) => folder === name) ?? bundles.find(({ template }) => template === name)
  if (found) return found
  throw new UsageError(`Bundle "${name}" not found. Use one of: ${bundles.map(({ folder }) => folder).join(', ')}.`)
}

/** Reads and hashes all files of a version. */
export async function planVersion(bundle: Bundle, version: string): Promise<Plan> {
  const planned = Object.hasOwn(bundle.versions, version) ? bundle.versions[version] : undefined
  if (planned === undefined) {
    const versions = Object.keys(bundle.versions).join(', ')
    throw new UsageError(`Bundle "${bundle.folder}" has no version ${version}. Use one of: ${versions}.`)
  }
  const files = await Promise.all(
    planned.files.map(async (one) => {
      const bytes = await bundle.read(version, one.file).catch((cause: Error) => {
        throw new UsageError(
          `The manifest lists ${one.file}, but the file cannot be read: ${cause.message}. Add the file, or remove its line.`,
          { cause },
        )
      })
      if (bytes.length < 1 || bytes.length > artifactMaxBytes) {
        throw new UsageError(`${one.file} has ${bytes.length} bytes. A file must have 1 to ${artifactMaxBytes} bytes.`)
      }
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      } catch (cause) {
        throw new UsageError(`${one.file} is not valid UTF-8. Save it as UTF-8 text.`, { cause })
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

/** Returns the template's name for a bundle's folder; any other text unchanged. */
export async function templateOf(given: string): Promise<string> {
  const { bundles } = await readBundles()
  return bundles.find(({ folder }) => folder === given)?.template ?? given
}

/** Tells whether the same files are already published; throws if publishing would fail. Changes nothing. */
export async function isPublished(
  db: Db,
  plan: Plan,
  options: { createdBy: string | undefined; setDefault: boolean },
): Promise<boolean> {
  const args = { ...sqlArguments(plan), created_by: options.createdBy ?? null, set_default: options.setDefault }
  const [row] = await db.call<{ check_publication: boolean }>('app.check_publication', args)
  return row?.check_publication ?? false
}

/**
 * Publishes a version: reserves its objects, writes and reads back each object, and registers the version in one
 * transaction. Safe to repeat. Killed at any point, it has published everything or nothing, and the worker deletes the
 * objects that it left. If the version is already published, it restores objects that the store has lost or changed.
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
    /** Aborts when the connection is lost: its locks are gone, so no more objects may be written. */
    signal?: AbortSignal
  },
): Promise<Published> {
  const createdBy = options.createdBy ?? null
  const [reserved] = await db.call<{ reserve_template_upload: string | null }>('app.reserve_template_upload', {
    ...sqlArguments(plan),
    created_by: createdBy,
  })
  const uploadId = reserved?.reserve_template_upload ?? null
  // One renewal at a time, because there is one connection.
  let renewing: Promise<boolean> | undefined
  const renew = () => {
    renewing ??= db
      .call<{ renew_template_upload: boolean }>('app.renew_template_upload', {
        ...fileArguments(plan),
        upload_id: uploadId,
      })
      .then(([row]) => row?.renew_template_upload ?? false)
      .finally(() => {
        renewing = undefined
      })
    return renewing
  }
  try {
    let repaired = 0
    if (uploadId === null) {
      await inParallel(plan.files, filesAtOnce, options.signal, async (file, signal) => {
        if (await isStored(store, file, signal)) return
        await upload(store, file, signal)
        repaired += 1
      })
    } else {
      let done = 0
      options.onProgress?.(0, plan.files.length)
      await inParallel(plan.files, filesAtOnce, options.signal, async (file, signal) => {
        if (!(await renew())) {
          throw new UsageError('This upload took too long and has expired. Run the command again.')
        }
        await upload(store, file, signal)
        done += 1
        options.onProgress?.(done, plan.files.length)
      })
    }
    const published = await register(db, plan, uploadId, {
      changelog: plan.changelog,
      status: options.isDraft ? 'draft' : 'stable',
      set_default: options.setDefault,
      created_by: createdBy,
    })
    return { ...published, repaired }
  } catch (error) {
    options.signal?.throwIfAborted()
    // Announces objects that were written late, so that the sweep finds them. The first failure is the one to report.
    if (uploadId !== null) await renew().catch(() => {})
    throw error
  }
}

/** Registers the version from its upload's rows. A version that is already published has no upload: sends the plan. */
async function register(
  db: Db,
  plan: Plan,
  uploadId: string | null,
  options: object,
): Promise<Omit<Published, 'repaired'>> {
  const [name, files] =
    uploadId === null
      ? ['publish_template_version', { ...sqlArguments(plan), upload_id: null }]
      : ['publish_template_upload', { name: plan.template, version: plan.version, upload_id: uploadId }]
  const [row] = await db.call<Record<string, Omit<Published, 'repaired'>>>(`app.${name}`, { ...files, ...options })
  if (row?.[name] === undefined) throw new Error(`app.${name} returned no row`)
  return row[name]
}

async function upload(store: Store, { path, bytes, contentType }: PlannedFile, signal: AbortSignal): Promise<void> {
  const object = {
    key: path,
    open: () => Readable.from(bytes, { objectMode: false }),
    length: bytes.length,
    contentType,
    cacheControl: 'private, max-age=31536000, immutable',
    isPrivate: true,
  }
  await store.put(object, signal)
  const stored = await store.get(path, artifactMaxBytes, signal)
  if (!stored.equals(bytes))
    throw new Error(`The store returned other bytes than were written to ${path}. Run the command again.`)
}

/** Tells whether the store has exactly these bytes. */
async function isStored(store: Store, { path, bytes }: PlannedFile, signal: AbortSignal): Promise<boolean> {
  try {
    return (await store.get(path, artifactMaxBytes, signal)).equals(bytes)
  } catch (error) {
    if (error instanceof StoreError && (error.isMissing || error.isTooLarge)) return false
    throw error
  }
}

function sqlArguments(plan: Plan): Record<string, unknown> {
  return { name: plan.template, ...fileArguments(plan) }
}

function fileArguments({ version, artifacts, prompts }: Plan): Record<string, unknown> {
  return { version, artifacts: JSON.stringify(artifacts), prompts: JSON.stringify(prompts) }
}

/** Throws if the bucket is in another region than the configured one. */
export async function requireRegion(store: Store, config: TemplatesConfig): Promise<void> {
  const actual = await store.region()
  if (actual === config.TEMPLATES_STORE_REGION) return
  throw new UsageError(
    `Bucket ${config.TEMPLATES_STORE_BUCKET} is in region ${actual}, not in ${config.TEMPLATES_STORE_REGION}. Nothing was published.\n` +
      'Use a project in the right region, or correct TEMPLATES_STORE_REGION.',
  )
}

/** Reads the store's variables: those given, or the environment's; without DATABASE_URL also the local stack's. */
export function readTemplatesConfig(given?: NodeJS.ProcessEnv): TemplatesConfig {
  const env = process.env['DATABASE_URL'] ? process.env : { ...readEnv(homeFolder()), ...process.env }
  return parseEnv(z.object(templatesVariables), given ?? env)
}

export function requireTemplateStore(config: TemplatesConfig): Store {
  const store = openTemplateStore(config)
  if (store) return store
  throw new UsageError(
    'No store is configured. Set TEMPLATES_STORE_ENDPOINT, TEMPLATES_STORE_ACCESS_KEY_ID and TEMPLATES_STORE_SECRET_ACCESS_KEY, or start the local stack with npm start.',
  )
}

/**
 * Runs a command on one connection, as postgres. A failure is a sentence on stderr; the exit code is 2 for a wrong command,
 * else 1.
 */
export async function runCommand(work: (db: Db, signal: AbortSignal) => Promise<void>): Promise<void> {
  let client: pg.Client | undefined
  const lost = new AbortController()
  try {
    client = new pg.Client({
      connectionString: requireDatabaseUrl(),
      application_name: 'plinth-templates',
      connectionTimeoutMillis: 5000,
      keepAlive: true,
      // Another session's open transaction and a silent database end the command with a message.
      lock_timeout: 10_000,
      query_timeout: 30_000,
    })
    client.on('error', (cause) => {
      lost.abort(new Error('The connection to the database was lost. It is safe to run the command again.', { cause }))
    })
    await client.connect()
    await work(createDb(client as unknown as pg.Pool), lost.signal)
  } catch (error) {
    console.error(describeFailure(lost.signal.reason ?? error))
    process.exitCode = error instanceof UsageError ? 2 : 1
  } finally {
    await client?.end()
  }
}

function requireDatabaseUrl(): string {
  let url: string | undefined
  try {
    url = findDatabaseUrl()
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
  if (url !== undefined) return url
  throw new UsageError('No database is configured. Set DATABASE_URL, or start the local stack with npm start.')
}
