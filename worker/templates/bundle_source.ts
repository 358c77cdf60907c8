import { type Bundle, readBundles } from './manifest.ts'

/** The bundles that are part of the code. */
export type BundleSource = {
  /** Throws an Error if the template has no bundle; the message also names bundles that cannot be read. */
  find(template: string): Promise<Bundle>
}

/** Reads the bundles once, and again after a search that failed. */
export function createBundleSource(folder?: string): BundleSource {
  let bundles: ReturnType<typeof readBundles> | undefined

  return {
    async find(template) {
      bundles ??= readBundles(folder)
      const reading = bundles
      try {
        const found = await reading
        const bundle = found.bundles.find((one) => one.template === template)
        if (bundle) return bundle
        throw new Error(['this template has no bundle', ...found.faults].join('; '))
      } catch (error) {
        if (bundles === reading) bundles = undefined
        throw error
      }
    },
  }
}
