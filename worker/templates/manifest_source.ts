import { z } from 'zod'
import type { Db } from '../shared/db.ts'
import { type Locale, type RemoteManifest, remoteManifest } from './manifest.ts'

/** What is asked for, as Postgres is asked. */
export type Question = { template: string; version: string; locale: Locale; key: string | null }

/** Postgres, as far as templates go. Each call ends in a bounded time. */
export type ManifestSource = {
  /** The manifest of the version that this question means; undefined where the template is not published, or is disabled. */
  ask(question: Question): Promise<RemoteManifest | undefined>
  /** Notes which version a job really used, if its texts are those that were published. */
  recordUse(use: { jobId: number; template: string; version: string; hashes: string[] }): Promise<void>
}

/** How long Postgres may take to say which version. */
const manifestTimeoutMs = 3000
/** A note is worth less waiting than an answer. */
const recordTimeoutMs = 1000

export function createManifestSource(db: Db): ManifestSource {
  /** What Postgres gave last, by what was asked: a version's manifest never changes, so only another version is sent again. */
  const known = new Map<string, RemoteManifest>()

  return {
    async ask({ template, version, locale, key }) {
      const question = `${template} ${version} ${locale}`
      const before = known.get(question)
      const [row] = await within(
        manifestTimeoutMs,
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
      if (!parsed.success) throw new Error(`its answer does not fit: ${z.prettifyError(parsed.error)}`)
      known.set(question, parsed.data)
      return parsed.data
    },

    async recordUse({ jobId, template, version, hashes }) {
      const args = { job_id: jobId, name: template, version, hashes }
      await within(recordTimeoutMs, db.call('worker.record_template_use', args))
    },
  }
}

/** Nobody waits longer than this, nor for the failure of what is late. */
async function within<Result>(ms: number, call: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms)
  call.catch(() => {})
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}
