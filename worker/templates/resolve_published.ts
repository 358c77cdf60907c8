import type { Logger } from 'pino'
import type { ArtifactSource, Wanted } from './artifact_source.ts'
import { artifactMaxBytes, type RemoteManifest } from './manifest.ts'
import type { ManifestSource, Question } from './manifest_source.ts'
import { type Outcome, promptPrefix } from './outcome.ts'

/** The published version, as far as it could be had. */
export type Published = {
  /** Missing if one of the texts could not be had. */
  outcome?: Outcome
  /** The version that Postgres chose; missing if Postgres did not answer. */
  named?: string
  /** The template is not published, or is disabled. */
  isUnpublished?: boolean
}

/** Asks Postgres for the version, and obtains its texts: all of them, or only the artifact that is asked for. */
export async function resolvePublished(
  asked: Question & { artifact?: string },
  { manifests, artifacts }: { manifests: ManifestSource; artifacts: ArtifactSource },
  logger: Logger,
  reasons: string[],
): Promise<Published> {
  let manifest: RemoteManifest | undefined
  try {
    manifest = await manifests.ask(asked)
  } catch (error) {
    reasons.push(`Postgres: ${(error as Error).message}`)
    return {}
  }
  if (manifest === undefined) return { isUnpublished: true }

  const known = manifest
  const { version, version_id: versionId } = known
  const files = listFiles(known)
  if (files.length === 0) {
    reasons.push(`Postgres: version ${version} has no texts in ${asked.locale}`)
    return { named: version }
  }
  const wanted = asked.artifact === undefined ? files : files.filter(({ name }) => name === asked.artifact)
  if (wanted.length === 0) reasons.push(`Postgres: version ${version} has no artifact ${asked.artifact}`)

  const settled = await Promise.allSettled(wanted.map((one) => artifacts.obtain(known, one, logger, reasons)))
  const texts = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  // Texts of two versions must not be mixed, so an incomplete set is of no use.
  if (texts.length < wanted.length) return { named: version }
  const source = (['filesystem', 'remote'] as const).find((one) => texts.some((text) => text.source === one))
  return { named: version, outcome: { version, versionId, source: source ?? 'cache', texts } }
}

function listFiles({ artifacts, prompts }: RemoteManifest): Wanted[] {
  return [
    ...artifacts.map(({ kind, locale, storage_path, sha256, size_bytes }) => ({
      name: kind,
      locale,
      path: storage_path,
      sha256,
      maxBytes: size_bytes,
    })),
    ...prompts.map(({ role, locale, storage_path, sha256 }) => ({
      name: `${promptPrefix}${role}`,
      locale,
      path: storage_path,
      sha256,
      maxBytes: artifactMaxBytes,
    })),
  ]
}
