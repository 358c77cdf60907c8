import type { Logger } from 'pino'
import { z } from 'zod'
import type { Db } from '../shared/db.ts'
import type { Store } from '../shared/object_store.ts'
import { createArtifactSource } from './artifact_source.ts'
import { createBundleSource } from './bundle_source.ts'
import type { Cache } from './cache.ts'
import { kind, type Locale, locale, semver, templateName } from './manifest.ts'
import { createManifestSource } from './manifest_source.ts'
import { assemble, describeTexts, type Outcome, type ResolvedTemplate } from './outcome.ts'
import { resolveBundled } from './resolve_bundled.ts'
import { type Published, resolvePublished } from './resolve_published.ts'

export type { Source } from './artifact_source.ts'
export type { Locale, Role } from './manifest.ts'
export type { ResolvedTemplate, TemplateText } from './outcome.ts'
export { render } from './render.ts'

/** The texts that a job needs. */
export type TemplateRequest = {
  /** The template's name, such as `drama`. */
  template: string
  /** A semver, `default` (also if left out), `latest`, `stable`, or a channel that an operator has made. */
  version?: string
  locale: Locale
  /** The kind of the only artifact that the job needs. If left out: all artifacts and prompts. */
  artifact?: string
  /** The caller's key, such as the owner's id: under canary weights the same key gets the same version. */
  key?: string | null
  /** The step that asks. The version that it gets is recorded with it. */
  jobId?: number
  signal?: AbortSignal
}

/** Provides the texts of templates for every job that builds a prompt. */
export type Templates = {
  /** Throws a TemplateError that names each source and why it failed, or the reason of the aborted signal. */
  resolve(request: TemplateRequest): Promise<ResolvedTemplate>
}

/** No source has this template. `reasons` has a line for each source that was tried. */
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
  artifact: kind.optional(),
})

/** Published versions first, if `isRemote` switches them on; then the bundles that are part of the code. */
export function createTemplates(options: {
  isRemote: boolean
  db: Db
  store: Store | undefined
  cache: Cache
  logger: Logger
  bundlesFolder?: string
}): Templates {
  const { isRemote, db, store, cache } = options
  const bundles = createBundleSource(options.bundlesFolder)
  const manifests = createManifestSource(db)
  const artifacts = createArtifactSource({ store, cache, findBundle: bundles.find })

  /** Called when it is known which version is used. If recording fails, the job continues after a second at most. */
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
    let published: Published = {}
    const work = async (): Promise<Outcome> => {
      if (isRemote) published = await resolvePublished(asked, { manifests, artifacts }, logger, reasons)
      const outcome = published.outcome ?? (await resolveBundled(asked, published.named, bundles, reasons))
      if (outcome === undefined) {
        if (published.isUnpublished) reasons.unshift('Postgres: the template is not published, or is disabled')
        throw new TemplateError(asked.template, asked.version, reasons)
      }
      signal?.throwIfAborted()
      if (isRemote && jobId !== undefined) await recordUse(jobId, asked.template, outcome, logger)
      return outcome
    }
    try {
      request.parse(asked)
      signal?.throwIfAborted()
      const outcome = await unlessAborted(work(), signal)
      logProof(logger, outcome, published, jobId, reasons)
      return assemble(asked.template, outcome)
    } catch (error) {
      logger.error({ reasons, err: error }, '[PROOF] Template was not resolved')
      throw error
    }
  }

  return { resolve }
}

/** One line for each resolution: the version, its texts, and which sources failed. A warning if a fallback was used. */
function logProof(
  logger: Logger,
  { source, version, texts }: Outcome,
  { named, isUnpublished }: Published,
  jobId: number | undefined,
  reasons: string[],
): void {
  logger[reasons.length > 0 && source !== 'remote' ? 'warn' : 'info'](
    {
      source,
      ...(named !== undefined && { named }),
      ...(isUnpublished && { is_published: false }),
      version,
      ...(jobId !== undefined && { job: jobId }),
      hashes: describeTexts(texts),
      ...(reasons.length > 0 && { reasons }),
    },
    '[PROOF] Template was resolved',
  )
}

/** Rejects at once when the signal aborts. The work goes on until its own timeouts end it. */
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
