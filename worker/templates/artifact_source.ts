import type { Logger } from 'pino'
import { type Store, StoreError } from '../shared/object_store.ts'
import type { Cache } from './cache.ts'
import { type Bundle, hash, type Locale, type RemoteManifest } from './manifest.ts'

/**
 * The origin of bytes. `remote`: downloaded now. `cache`: this machine's cache. `local`: the bundle, because no published
 * version was asked for or found. `filesystem`: the bundle, because the published version could not be had.
 */
export type Source = 'remote' | 'cache' | 'local' | 'filesystem'

/** A file that a published manifest names. */
export type Wanted = { name: string; locale: Locale | null; path: string; sha256: string; maxBytes: number }
export type Got = { name: string; locale: Locale | null; bytes: Buffer; sha256: string; source: Source }

/** The pause after a store has not answered. */
const pauseMs = 5000

/** Obtains the bytes of published files. */
export type ArtifactSource = {
  /** Returns verified bytes, or throws. Adds a reason for each source that failed. */
  obtain(manifest: RemoteManifest, wanted: Wanted, logger: Logger, reasons: string[]): Promise<Got>
}

/** Tries the cache, the store, an expired cache entry, and the bundled file of the same version. Verifies all of them. */
export function createArtifactSource(options: {
  store: Store | undefined
  cache: Cache
  findBundle(template: string): Promise<Bundle>
}): ArtifactSource {
  const { store, cache, findBundle } = options
  /** Downloads in progress, by path and hash: steps that begin together load a file once. */
  const downloads = new Map<string, Promise<{ bytes: Buffer; source: Source }>>()
  /** `until` is by `performance.now()`, so that a clock that is set back does not make the pause hours long. */
  let silence: { until: number; reason: string } | undefined

  async function download(wanted: Wanted, logger: Logger): Promise<Buffer> {
    if (store === undefined) throw new Error('no store is configured')
    if (silence !== undefined && performance.now() < silence.until) {
      throw new Error(`not asked, because it did not answer some seconds ago: ${silence.reason}`)
    }
    // For the second download. The first one ends by itself.
    const inTime = AbortSignal.timeout(store.timeoutMs)
    for (let attempt = 1; ; attempt++) {
      const got = await get(store, wanted, attempt === 1 ? undefined : inTime)
      if (got.bytes) return got.bytes
      const facts = { path: wanted.path, expected: wanted.sha256, reason: got.reason, attempt }
      logger.warn(facts, 'Downloaded artifact did not match its hash')
      if (attempt === 2) throw new Error(got.reason)
    }
  }

  /** Downloads once. Returns a reason instead of bytes if a second download may succeed. */
  async function get(
    store: Store,
    { path, maxBytes, sha256 }: Wanted,
    signal: AbortSignal | undefined,
  ): Promise<{ bytes: Buffer; reason?: never } | { bytes?: never; reason: string }> {
    try {
      const bytes = await store.get(path, maxBytes, signal)
      silence = undefined
      const actual = hash(bytes)
      return actual === sha256 ? { bytes } : { reason: `its SHA-256 is ${actual} instead of ${sha256}` }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (error.isTooLarge) return { reason: error.message }
      if (error.isSilence) silence = { until: performance.now() + pauseMs, reason: error.message }
      throw error
    }
  }

  async function readBundled({ template, version }: RemoteManifest, { name, locale, sha256 }: Wanted, logger: Logger) {
    const bundle = await findBundle(template)
    const files = Object.hasOwn(bundle.versions, version) ? (bundle.versions[version]?.files ?? []) : []
    const file = files.find((one) => one.name === name && one.locale === locale)
    if (file === undefined) throw new Error('the bundle does not have it')
    const bytes = await bundle.read(version, file.file)
    const actual = hash(bytes)
    if (actual === sha256) return bytes
    const facts = { template, version, name, locale, expected: sha256, actual }
    logger.warn(facts, 'Bundled artifact did not match the published hash')
    throw new Error(`its SHA-256 is ${actual} instead of ${sha256}`)
  }

  async function obtain(manifest: RemoteManifest, wanted: Wanted, logger: Logger, reasons: string[]): Promise<Got> {
    const { name, locale, sha256, maxBytes } = wanted
    const { template, version } = manifest
    const key = { template, version, name, locale }
    const got = (bytes: Buffer, source: Source): Got => ({ name, locale, sha256, bytes, source })

    const cached = await cache.read(key, sha256, maxBytes)
    if (cached.state === 'fresh') return got(cached.bytes, 'cache')
    if (cached.state === 'corrupt') {
      await cache.drop(key).then(
        () => logger.warn({ ...key, reason: cached.reason }, 'Cached artifact was dropped'),
        (err: Error) => logger.warn({ ...key, reason: cached.reason, err }, 'Cached artifact could not be dropped'),
      )
    }
    const why = (source: string, reason: string) =>
      reasons.push(`${source} of ${name}${locale ? `_${locale}` : ''}@${version}: ${reason}`)
    why(
      'cache',
      cached.state === 'corrupt' ? cached.reason : cached.state === 'stale' ? 'it has expired' : 'it is missing',
    )

    const fetch = async () => {
      // Another step may have downloaded it since.
      const now = await cache.read(key, sha256, maxBytes)
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
      return got(await readBundled(manifest, wanted, logger), 'filesystem')
    } catch (error) {
      why('bundled file', (error as Error).message)
      throw error
    }
  }

  return { obtain }
}
