import type { Logger } from 'pino'
import { z } from 'zod'
import type { Store } from '../adapters/spaces.ts'
import type { Db } from '../deps.ts'
import type { Cache } from './cache.ts'
import {
  artifactMaxBytes,
  type Bundle,
  type BundleFile,
  chooseLocale,
  hash,
  type Locale,
  locale,
  type RemoteManifest,
  type Role,
  readBundles,
  remoteManifest,
  semver,
  templateName,
} from './manifest.ts'

export type { Locale, Role } from './manifest.ts'
export { render } from './render.ts'

/**
 * Where bytes came from: downloaded now, the cache, the bundle (as its own manifest has it), or the bundle in place of
 * what could not be downloaded.
 */
export type Source = 'remote' | 'cache' | 'local' | 'filesystem'

/** Which prompts are wanted. */
export type TemplateRequest = {
  /** Its name, such as `drama`. */
  template: string
  /** A version, `default` (which it is if not said), `latest`, `stable`, or a channel that an operator has made. */
  version?: string
  locale: Locale
  /** Who asks, such as the owner's id: under canary weights the same key gets the same version. */
  key?: string | null
  /** The step that asks; the version is recorded with it. */
  jobId?: number
  signal?: AbortSignal
}

/** One text of a template, with the hash that was verified. */
export type TemplateText = { text: string; sha256: string; locale: Locale | null; source: Source }

/** One version of a template, in one language. */
export type ResolvedTemplate = {
  template: string
  version: string
  /** Its row in Postgres; null when Postgres was not asked, or what it named could not be had. */
  versionId: string | null
  source: Source
  /** By kind. */
  artifacts: Record<string, TemplateText>
  prompts: Partial<Record<Role, TemplateText>>
}

/** Every job that builds a prompt gets its texts here. */
export type Templates = {
  /** Throws a TemplateError that names each source and why it gave nothing, or what the signal was aborted with. */
  resolve(request: TemplateRequest): Promise<ResolvedTemplate>
}

/** Nothing gave this template; `reasons` has a line for each source that was tried. */
export class TemplateError extends Error {
  readonly reasons: string[]
  constructor(template: string, version: string, reasons: string[]) {
    super(`Template ${template}@${version} could not be resolved: ${reasons.join('; ')}`)
    this.reasons = reasons
  }
}

const request = z.object({
  template: templateName,
  version: z.union([semver, z.string().regex(/^[a-z][a-z0-9-]{0,39}$/)]),
  locale,
})

/** How long Postgres may take to say which version. */
const manifestTimeoutMs = 3000

type Wanted = { name: string; locale: Locale | null; path: string; sha256: string; maxBytes: number }
type Got = { name: string; locale: Locale | null; bytes: Buffer; sha256: string; source: Source }
type Outcome = { version: string; versionId: string | null; source: Source; texts: Got[] }

/** Which version's manifest, then which bytes. Remote sources are used only where `isRemote` says so. */
export function createTemplates(options: {
  isRemote: boolean
  db: Db
  store: Store | undefined
  cache: Cache
  logger: Logger
  bundlesFolder?: string
}): Templates {
  const { isRemote, db, store, cache, bundlesFolder } = options
  let bundles: ReturnType<typeof readBundles> | undefined
  /** Downloads under way, by path and hash: many steps that begin at once load a file once. */
  const downloads = new Map<string, Promise<{ bytes: Buffer; source: Source }>>()

  async function findBundle(template: string): Promise<Bundle> {
    bundles ??= readBundles(bundlesFolder)
    const reading = bundles
    try {
      const found = await reading
      const bundle = found.bundles.find((one) => one.template === template)
      if (bundle) return bundle
      throw new Error(['there is no bundle of this template', ...found.faults].join('; '))
    } catch (error) {
      // What could not be read is read again next time.
      if (bundles === reading) bundles = undefined
      throw error
    }
  }

  /** What Postgres gave last, by what was asked: a version's manifest never changes, so only another version is sent again. */
  const known = new Map<string, RemoteManifest>()

  async function askPostgres(asked: Required<Omit<TemplateRequest, 'signal' | 'jobId'>>, jobId: number | undefined) {
    const question = `${asked.template} ${asked.version} ${asked.locale}`
    const before = known.get(question)
    const call = db.call<{ template_manifest: unknown }>('worker.template_manifest', {
      name: asked.template,
      version: asked.version,
      locale: asked.locale,
      key: asked.key,
      job_id: jobId ?? null,
      known_version_id: before?.version_id ?? null,
    })
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(
      () => reject(new Error(`no answer within ${manifestTimeoutMs / 1000} s`)),
      manifestTimeoutMs,
    )
    // When it is late, nobody waits for its failure.
    call.catch(() => {})
    try {
      const [row] = await Promise.race([call, late])
      const answer = row?.template_manifest as RemoteManifest | undefined
      if (before !== undefined && answer?.version_id === before.version_id) return before
      const manifest = remoteManifest.parse(answer)
      known.set(question, manifest)
      return manifest
    } finally {
      clearTimeout(timer)
    }
  }

  async function download(wanted: Wanted, logger: Logger): Promise<Buffer> {
    if (store === undefined) throw new Error('no store is configured')
    for (let attempt = 1; ; attempt++) {
      const bytes = await store.get(wanted.path, wanted.maxBytes)
      const actual = hash(bytes)
      if (actual === wanted.sha256) return bytes
      const facts = { path: wanted.path, expected: wanted.sha256, actual, attempt }
      logger.warn(facts, 'Downloaded artifact was not what was published')
      if (attempt === 2) throw new Error(`its SHA-256 is ${actual} instead of ${wanted.sha256}`)
    }
  }

  /** Cache, then storage, then what the cache still has, then the bundled file of the same version; all of them verified. */
  async function obtain(manifest: RemoteManifest, wanted: Wanted, logger: Logger, reasons: string[]): Promise<Got> {
    const { name, locale, sha256 } = wanted
    const { template, version } = manifest
    const key = { template, version, name, locale }
    const got = (bytes: Buffer, source: Source): Got => ({ name, locale, sha256, bytes, source })

    const cached = await cache.read(key, sha256)
    if (cached.state === 'fresh') return got(cached.bytes, 'cache')
    if (cached.state === 'corrupt') {
      logger.warn({ ...key, reason: cached.reason }, 'Cached artifact was dropped')
      await cache.drop(key).catch((err: Error) => logger.warn({ ...key, err }, 'Cached artifact could not be dropped'))
    }
    const why = (source: string, reason: string) =>
      reasons.push(`${source} of ${name}${locale ? `_${locale}` : ''}@${version}: ${reason}`)
    why(
      'cache',
      cached.state === 'corrupt' ? cached.reason : cached.state === 'stale' ? 'it is old' : 'it is not there',
    )

    const fetch = async () => {
      // Another step's download may have ended since.
      const now = await cache.read(key, sha256)
      if (now.state === 'fresh') return { bytes: now.bytes, source: 'cache' as const }
      const bytes = await download(wanted, logger)
      await cache.write(key, bytes).catch((err: Error) => logger.warn({ ...key, err }, 'Artifact was not cached'))
      return { bytes, source: 'remote' as const }
    }
    const id = `${wanted.path} ${sha256}`
    let pending = downloads.get(id)
    if (pending === undefined) {
      pending = fetch().finally(() => downloads.delete(id))
      downloads.set(id, pending)
    }
    try {
      const { bytes, source } = await pending
      return got(bytes, source)
    } catch (error) {
      why('storage', (error as Error).message)
    }
    if (cached.state === 'stale') return got(cached.bytes, 'cache')

    try {
      const bundle = await findBundle(template)
      const files = bundle.versions[version]?.files ?? []
      const file = files.find((one) => one.name === name && one.locale === locale)
      if (file === undefined) throw new Error('it is not in the bundle')
      const bytes = await bundle.read(version, file.file)
      const actual = hash(bytes)
      if (actual !== sha256) {
        logger.warn({ ...key, expected: sha256, actual }, 'Bundled artifact is not what was published')
        throw new Error(`its SHA-256 is ${actual} instead of ${sha256}`)
      }
      return got(bytes, 'filesystem')
    } catch (error) {
      why('bundled file', (error as Error).message)
      throw error
    }
  }

  async function resolveRemote(
    asked: Required<Omit<TemplateRequest, 'signal' | 'jobId'>>,
    jobId: number | undefined,
    logger: Logger,
    reasons: string[],
  ): Promise<{ outcome?: Outcome; hasManifest: boolean }> {
    let manifest: RemoteManifest
    try {
      manifest = await askPostgres(asked, jobId)
    } catch (error) {
      reasons.push(`Postgres: ${describe(error)}`)
      return { hasManifest: false }
    }
    const wanted: Wanted[] = [
      ...manifest.artifacts.map((one) => ({
        name: one.kind,
        maxBytes: one.size_bytes,
        path: one.storage_path,
        ...one,
      })),
      ...manifest.prompts.map((one) => ({
        name: `prompts.${one.role}`,
        maxBytes: artifactMaxBytes,
        path: one.storage_path,
        ...one,
      })),
    ]
    if (wanted.length === 0) {
      reasons.push(`Postgres: version ${manifest.version} has nothing in ${asked.locale}`)
      return { hasManifest: true }
    }
    const settled = await Promise.allSettled(wanted.map((one) => obtain(manifest, one, logger, reasons)))
    const texts = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    // Texts of different versions do not belong together: all of one, or none.
    if (texts.length < wanted.length) return { hasManifest: true }
    const source = (['filesystem', 'remote'] as const).find((one) => texts.some((text) => text.source === one))
    return {
      hasManifest: true,
      outcome: { version: manifest.version, versionId: manifest.version_id, source: source ?? 'cache', texts },
    }
  }

  /** The bundle's files as they are: of the version asked for where nobody else knows it, else of the bundle's default. */
  async function resolveLocal(
    asked: Required<Omit<TemplateRequest, 'signal' | 'jobId'>>,
    source: 'local' | 'filesystem',
    reasons: string[],
  ): Promise<Outcome | undefined> {
    try {
      const bundle = await findBundle(asked.template)
      const isThere = source === 'local' && asked.version in bundle.versions
      const version = isThere ? asked.version : bundle.defaultVersion
      const files = chooseLocale<BundleFile>(bundle.versions[version]?.files ?? [], asked.locale)
      if (files.length === 0) throw new Error(`version ${version} has nothing in ${asked.locale}`)
      const texts = await Promise.all(
        files.map(async ({ name, locale, file }): Promise<Got> => {
          const bytes = await bundle.read(version, file)
          return { name, locale, bytes, sha256: hash(bytes), source }
        }),
      )
      return { version, versionId: null, source, texts }
    } catch (error) {
      reasons.push(`bundle: ${(error as Error).message}`)
      return undefined
    }
  }

  /** What Postgres wrote down beforehand was the version that it named. */
  async function recordUse(jobId: number, template: string, version: string, logger: Logger): Promise<void> {
    try {
      await db.call('worker.record_template_use', { job_id: jobId, name: template, version })
    } catch (error) {
      logger.warn({ job: jobId, template, version, reason: (error as Error).message }, 'Template use was not recorded')
    }
  }

  async function resolve({ signal, jobId, ...rest }: TemplateRequest): Promise<ResolvedTemplate> {
    const asked = { version: 'default', key: null, ...rest }
    const logger = options.logger.child({ template: asked.template, asked: asked.version, locale: asked.locale })
    const reasons: string[] = []
    const work = async (): Promise<Outcome> => {
      const remote = isRemote ? await resolveRemote(asked, jobId, logger, reasons) : { hasManifest: false }
      const outcome =
        remote.outcome ?? (await resolveLocal(asked, remote.hasManifest ? 'filesystem' : 'local', reasons))
      if (outcome === undefined) throw new TemplateError(asked.template, asked.version, reasons)
      return outcome
    }
    try {
      request.parse(asked)
      signal?.throwIfAborted()
      const outcome = await unlessAborted(work(), signal)
      const { version, versionId, source, texts } = outcome
      if (isRemote && versionId === null && jobId !== undefined) {
        await recordUse(jobId, asked.template, version, logger)
      }
      const hashes = Object.fromEntries(
        texts.map((one) => [one.locale ? `${one.name}_${one.locale}` : one.name, `${one.source} ${one.sha256}`]),
      )
      logger[reasons.length > 0 && source !== 'remote' ? 'warn' : 'info'](
        { source, version, ...(jobId !== undefined && { job: jobId }), hashes, ...(reasons.length > 0 && { reasons }) },
        '[PROOF] Template was resolved',
      )
      return assemble(asked.template, outcome)
    } catch (error) {
      logger.error({ reasons, err: error }, '[PROOF] Template was not resolved')
      throw error
    }
  }

  return { resolve }
}

function assemble(template: string, { version, versionId, source, texts }: Outcome): ResolvedTemplate {
  const byName = (wanted: (name: string) => string | undefined) =>
    Object.fromEntries(
      texts.flatMap(({ name, bytes, ...rest }) => {
        const key = wanted(name)
        const { sha256, locale, source } = rest
        return key === undefined ? [] : [[key, { text: bytes.toString('utf8'), sha256, locale, source }]]
      }),
    )
  const prefix = 'prompts.'
  return {
    template,
    version,
    versionId,
    source,
    artifacts: byName((name) => (name.startsWith(prefix) ? undefined : name)),
    prompts: byName((name) => (name.startsWith(prefix) ? name.slice(prefix.length) : undefined)),
  }
}

/** Rejects at once when the signal aborts; what is under way ends by its own timeouts. */
async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return work
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
    work.catch(() => {})
  }
}

/** What went wrong, with the slug of a refusal. */
function describe(error: unknown): string {
  if (error instanceof z.ZodError) return `its answer does not fit: ${z.prettifyError(error)}`
  return (error as Error).message
}
