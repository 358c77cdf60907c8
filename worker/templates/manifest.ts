import { hash as digest } from 'node:crypto'
import { lstat, readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

// The schemas of both manifests: the manifest of a published version, from Postgres, and the manifest of a bundle, from its
// folder. Everything that becomes part of a path must be a plain name, so that no name leads out of a folder.

/** The languages of prompts. */
export const locale = z.enum(['fr', 'en'])
export type Locale = z.output<typeof locale>

export const role = z.enum(['system', 'manager', 'user'])
export type Role = z.output<typeof role>

export const templateName = z
  .string()
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/)
  .max(63)
export const kind = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/)
/** SemVer 2.0.0 without build metadata; the same pattern as the constraint of template_versions. */
export const semver = z
  .string()
  .max(64)
  .regex(
    /^(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})(-(0|[1-9]\d{0,17}|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d{0,17}|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?$/,
    'must be a version like 1.2.0 or 1.2.0-rc.1',
  )
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const storagePath = z.string().regex(/^[a-z0-9][a-z0-9_-]*\/v[0-9A-Za-z.-]+\/[A-Za-z0-9][A-Za-z0-9._-]*$/)

/** The largest file of a bundle. */
export const artifactMaxBytes = 1_048_576

/** The answer of `worker.template_manifest`: the files of one version for one locale. */
export const remoteManifest = z.object({
  template: templateName,
  version: semver,
  version_id: z.uuid(),
  artifacts: z.array(
    z.object({
      kind,
      locale: locale.nullable(),
      storage_path: storagePath,
      sha256,
      size_bytes: z.int().min(1).max(artifactMaxBytes),
      content_type: z.string(),
    }),
  ),
  prompts: z.array(z.object({ role, locale: locale.nullable(), storage_path: storagePath, sha256 })),
})
export type RemoteManifest = z.output<typeof remoteManifest>

const file = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a file name')
  .max(200)

/** `manifest.json` of a bundle. The files of a version are in the bundle's folder `v<version>`. */
const bundleManifest = z
  .strictObject({
    template: templateName,
    default_version: semver,
    versions: z.record(
      semver,
      z.strictObject({
        changelog: z
          .string()
          .refine((text) => Buffer.byteLength(text) <= 10_000, 'has more than 10,000 bytes')
          .default(''),
        artifacts: z
          .array(z.strictObject({ kind, locale: locale.nullable(), file, content_type: z.string().max(100) }))
          .min(1),
        prompts: z.array(z.strictObject({ role, locale: locale.nullable(), file })).default([]),
      }),
    ),
  })
  .refine((manifest) => Object.hasOwn(manifest.versions, manifest.default_version), {
    path: ['default_version'],
    message: 'must be one of the versions',
  })

/** A file of a version in a bundle: `name` is the kind of an artifact, or `prompts.<role>`. */
export type BundleFile = { name: string; locale: Locale | null; file: string; contentType: string | null }

/** A folder of `worker/templates/bundles`. */
export type Bundle = {
  folder: string
  template: string
  defaultVersion: string
  versions: Record<string, { changelog: string; files: BundleFile[] }>
  read(version: string, file: string): Promise<Buffer>
}

/** The bundles that are part of the code. */
export const bundlesFolder = join(import.meta.dirname, 'bundles')

/** Reads the manifest of one bundle. Throws an Error that says what is wrong with the manifest. */
export async function readBundle(folder: string, root = bundlesFolder): Promise<Bundle> {
  const path = join(root, folder, 'manifest.json')
  const readOwn = (...names: string[]) => readInside(root, join(folder, ...names))
  let parsed: z.output<typeof bundleManifest>
  try {
    parsed = bundleManifest.parse(JSON.parse((await readOwn('manifest.json')).toString('utf8')))
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message
    throw new Error(`Invalid manifest ${path}: ${reason}`, { cause })
  }
  // Kept in memory: the files are part of the code, and every prompt reads them.
  const contents = new Map<string, Promise<Buffer>>()
  return {
    folder,
    template: parsed.template,
    defaultVersion: parsed.default_version,
    versions: Object.fromEntries(
      Object.entries(parsed.versions).map(([version, { changelog, artifacts, prompts }]) => [
        version,
        {
          changelog,
          files: [
            ...artifacts.map(({ kind: name, content_type: contentType, ...rest }) => ({ name, contentType, ...rest })),
            ...prompts.map(({ role: name, ...rest }) => ({ name: `prompts.${name}`, contentType: null, ...rest })),
          ],
        },
      ]),
    ),
    read: (version, name) => {
      const file = join(`v${version}`, name)
      const content = contents.get(file) ?? readOwn(file)
      contents.set(file, content)
      // A file that could not be read is read again next time.
      content.catch(() => contents.delete(file))
      return content
    },
  }
}

/**
 * Reads a file of this folder. Refuses links, because a link could publish any file of this machine, and what is neither a
 * file nor a link, such as a device.
 */
async function readInside(root: string, path: string): Promise<Buffer> {
  const file = join(await realpath(root), path)
  if ((await realpath(file)) !== file) throw new Error('it is a link. Replace the link by a copy of the file')
  if (!(await lstat(file)).isFile()) throw new Error('it is not a regular file. Replace it by a file')
  return readFile(file)
}

/** Reads every bundle below a folder. A broken bundle is one of the faults, and does not affect the other bundles. */
export async function readBundles(root = bundlesFolder): Promise<{ bundles: Bundle[]; faults: string[] }> {
  const entries = await readdir(root, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory())
  const outcomes = await Promise.allSettled(folders.map((entry) => readBundle(entry.name, root)))
  return {
    bundles: outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    faults: outcomes.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : [])),
  }
}

/** Chooses for each name the file in this locale, or else the file for all languages. */
export function chooseLocale<One extends { name: string; locale: Locale | null }>(files: One[], wanted: Locale): One[] {
  const chosen = new Map<string, One>()
  for (const one of files) {
    if (one.locale === wanted || (one.locale === null && !chosen.has(one.name))) chosen.set(one.name, one)
  }
  return [...chosen.values()]
}

export function hash(bytes: Buffer): string {
  return digest('sha256', bytes, 'hex')
}
