import { z } from 'zod'
import type { Db } from '../shared/db.ts'
import { within } from '../shared/within.ts'
import { type Locale, type RemoteManifest, remoteManifest } from './manifest.ts'

/** A request as Postgres gets it. */
export type Question = { template: string; version: string; locale: Locale; key: string | null }

/** Postgres's part of templates. Each call ends in a bounded time. */
export type ManifestSource = {
  /** Returns the manifest of the right version; undefined if the template is not published, or is disabled. */
  ask(question: Question): Promise<RemoteManifest | undefined>
  /** Records the version that a job used, if its texts are the published ones. */
  recordUse(use: { jobId: number; template: string; version: string; hashes: string[] }): Promise<void>
}

/** The timeout of a question. */
const manifestTimeoutMs = 3000
/** The timeout of a record: shorter, because the job could already go on. */
const recordTimeoutMs = 1000

export function createManifestSource(db: Db): ManifestSource {
  /** The last manifest for each question. A published version never changes, so Postgres sends only other versions again. */
  const known = new Map<string, RemoteManifest>()

  return {
    async ask({ template, version, locale, key }) {
      const question = `${template} ${version} ${locale}`
      const before = known.get(question)
      const [row] = await within(manifestTimeoutMs, undefined, () =>
        db.call<{ template_manifest: unknown }>('worker.template_manifest', {
          name: template,
          version,
          locale,
          key,
          known_version_id: before?.version_id ?? null,
        }),
      )
      const answer = row?.template_manifest as RemoteManifest | null | undefined
      if (answer === null) return undefined
      if (before !== undefined && answer?.version_id === before.version_id) return before
      const parsed = remoteManifest.safeParse(answer)
      if (!parsed.success) throw new Error(`invalid answer: ${z.prettifyError(parsed.error)}`)
      known.set(question, parsed.data)
      return parsed.data
    },

    async recordUse({ jobId, template, version, hashes }) {
      const args = { job_id: jobId, name: template, version, hashes }
      await within(recordTimeoutMs, undefined, () => db.call('worker.record_template_use', args))
    },
  }
}
