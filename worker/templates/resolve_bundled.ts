import type { Got } from './artifact_source.ts'
import type { BundleSource } from './bundle_source.ts'
import { type BundleFile, chooseLocale, hash } from './manifest.ts'
import type { Question } from './manifest_source.ts'
import type { Outcome } from './outcome.ts'

/**
 * Reads a version from the bundle, as its own manifest has it. If Postgres did not name a version, that is the version
 * asked for, provided that the bundle has it. Otherwise it is the bundle's default version, in place of the named one.
 * Undefined if the bundle cannot provide the texts; the reason is added to the reasons.
 */
export async function resolveBundled(
  asked: Question & { artifact?: string },
  named: string | undefined,
  bundles: BundleSource,
  reasons: string[],
): Promise<Outcome | undefined> {
  try {
    const bundle = await bundles.find(asked.template)
    const isThere = named === undefined && Object.hasOwn(bundle.versions, asked.version)
    const version = isThere ? asked.version : bundle.defaultVersion
    if (version === named) {
      reasons.push(`bundle: its own ${version}, which differs from the published one, is used`)
    } else if (named !== undefined || (asked.version !== 'default' && asked.version !== version)) {
      reasons.push(`bundle: its default version ${version} is used instead of ${named ?? asked.version}`)
    }

    const all = bundle.versions[version]?.files ?? []
    const files = chooseLocale<BundleFile>(all, asked.locale)
    const missing = all.find(({ name }) => files.every((one) => one.name !== name))
    if (missing) throw new Error(`version ${version} has no ${missing.name} in ${asked.locale}`)
    const wanted = asked.artifact === undefined ? files : files.filter(({ name }) => name === asked.artifact)
    if (wanted.length === 0) reasons.push(`bundle: version ${version} has no artifact ${asked.artifact}`)

    const source = named === undefined ? 'local' : 'filesystem'
    const texts = await Promise.all(
      wanted.map(async ({ name, locale, file }): Promise<Got> => {
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
