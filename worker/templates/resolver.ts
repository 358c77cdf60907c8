import type { Logger } from 'pino'
import { z } from 'zod'
import type { Db } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import { createArtifactSource, type Got, type Source, type Wanted } from './artifact_source.ts'
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
  semver,
  templateName,
} from './manifest.ts'
import { createManifestSource, type Question } from './manifest_source.ts'

export type { Source } from './artifact_source.ts'
export type { Locale, Role } from './manifest.ts'
export { render } from './render.ts'

/** Which prompts are wanted. */
export type TemplateRequest = {
  /** Its name, such as `drama`. */
  template: string
  /** A version, `default` (which it is if not said), `latest`, `stable`, or a channel that an operator has made. */
  version?: string
  locale: Locale
  /** Who asks, such as the owner's id: under canary weights the same key gets the same version. */
  key?: string | null
  /** The step that asks; the version that it really got is recorded with it. */
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
  const manifests = createManifestSource(db)
  const artifacts = createArtifactSource({ store, cache, findBundle })
  let bundles: ReturnType<typeof readBundles> | undefined

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

  async function resolveRemote(
    asked: Question,
    logger: Logger,
    reasons: string[],
  ): Promise<{ outcome?: Outcome; named?: string; isUnpublished?: boolean }> {
    let manifest: RemoteManifest | undefined
    try {
      manifest = await manifests.ask(asked)
    } catch (error) {
      reasons.push(`Postgres: ${(error as Error).message}`)
      return {}
    }
    if (manifest === undefined) return { isUnpublished: true }
    const known = manifest
    const named = manifest.version
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
      reasons.push(`Postgres: version ${named} has nothing in ${asked.locale}`)
      return { named }
    }
    const settled = await Promise.allSettled(wanted.map((one) => artifacts.obtain(known, one, logger, reasons)))
    const texts = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    // Texts of different versions do not belong together: all of one, or none.
    if (texts.length < wanted.length) return { named }
    const source = (['filesystem', 'remote'] as const).find((one) => texts.some((text) => text.source === one))
    return {
      named,
      outcome: { version: named, versionId: manifest.version_id, source: source ?? 'cache', texts },
    }
  }

  /**
   * The bundle's files as they are: of the version asked for where nobody else knows it; else of the bundle's default, in place of
   * the one that Postgres has named.
   */
  async function resolveLocal(
    asked: Question,
    named: string | undefined,
    reasons: string[],
  ): Promise<Outcome | undefined> {
    try {
      const bundle = await findBundle(asked.template)
      const isThere = named === undefined && Object.hasOwn(bundle.versions, asked.version)
      const version = isThere ? asked.version : bundle.defaultVersion
      if (version === named) {
        reasons.push(`bundle: its own ${version}, which is not the published one, is used`)
      } else if (named !== undefined || (asked.version !== 'default' && asked.version !== version)) {
        reasons.push(`bundle: its default, ${version}, is used instead of ${named ?? asked.version}`)
      }
      const all = bundle.versions[version]?.files ?? []
      const files = chooseLocale<BundleFile>(all, asked.locale)
      const missing = all.find(({ name }) => files.every((one) => one.name !== name))
      if (missing) throw new Error(`version ${version} has no ${missing.name} in ${asked.locale}`)
      const source = named === undefined ? 'local' : 'filesystem'
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

  /** After it is known what was used. A note that cannot be made costs a second at most, and no answer. */
  async function recordUse(
    jobId: number,
    template: string,
    { version, texts }: Outcome,
    logger: Logger,
  ): Promise<void> {
    try {
      await manifests.recordUse({ jobId, template, version, hashes: texts.map(({ sha256 }) => sha256) })
    } catch (error) {
      logger.warn({ job: jobId, version, reason: (error as Error).message }, 'Template use was not recorded')
    }
  }

  async function resolve({ signal, jobId, ...rest }: TemplateRequest): Promise<ResolvedTemplate> {
    const asked = { version: 'default', key: null, ...rest }
    const logger = options.logger.child({ template: asked.template, asked: asked.version, locale: asked.locale })
    const reasons: string[] = []
    let remote: Awaited<ReturnType<typeof resolveRemote>> = {}
    const work = async (): Promise<Outcome> => {
      if (isRemote) remote = await resolveRemote(asked, logger, reasons)
      const outcome = remote.outcome ?? (await resolveLocal(asked, remote.named, reasons))
      if (outcome === undefined && remote.isUnpublished) {
        reasons.unshift('Postgres: there is no such template, or it is disabled')
      }
      if (outcome === undefined) throw new TemplateError(asked.template, asked.version, reasons)
      signal?.throwIfAborted()
      if (isRemote && jobId !== undefined) await recordUse(jobId, asked.template, outcome, logger)
      return outcome
    }
    try {
      request.parse(asked)
      signal?.throwIfAborted()
      const outcome = await unlessAborted(work(), signal)
      const { version, source, texts } = outcome
      const hashes = Object.fromEntries(
        texts.map((one) => [one.locale ? `${one.name}_${one.locale}` : one.name, `${one.source} ${one.sha256}`]),
      )
      logger[reasons.length > 0 && source !== 'remote' ? 'warn' : 'info'](
        {
          source,
          ...(remote.named !== undefined && { named: remote.named }),
          ...(remote.isUnpublished && { is_published: false }),
          version,
          ...(jobId !== undefined && { job: jobId }),
          hashes,
          ...(reasons.length > 0 && { reasons }),
        },
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
