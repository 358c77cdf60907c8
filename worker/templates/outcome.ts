import type { Got, Source } from './artifact_source.ts'
import type { Role } from './manifest.ts'

/** The texts of one version: all that were asked for, never of two versions. */
export type Outcome = { version: string; versionId: string | null; source: Source; texts: Got[] }

/** One text, and where it came from. */
export type TemplateText = { text: string; sha256: string; locale: Got['locale']; source: Source }

/** A template as a job uses it. */
export type ResolvedTemplate = {
  template: string
  version: string
  /** Null if the texts are those of the bundle's own version. */
  versionId: string | null
  source: Source
  /** By kind. */
  artifacts: Record<string, TemplateText>
  prompts: Partial<Record<Role, TemplateText>>
}

/** The names of prompts begin with this; the other names are kinds of artifacts. */
export const promptPrefix = 'prompts.'

/** Decodes the texts, and sorts them into artifacts and prompts. */
export function assemble(template: string, { version, versionId, source, texts }: Outcome): ResolvedTemplate {
  const decoded = texts.map(({ name, bytes, ...rest }) => ({
    name,
    text: { text: bytes.toString('utf8'), sha256: rest.sha256, locale: rest.locale, source: rest.source },
  }))
  const isPrompt = ({ name }: { name: string }) => name.startsWith(promptPrefix)
  return {
    template,
    version,
    versionId,
    source,
    artifacts: Object.fromEntries(decoded.filter((one) => !isPrompt(one)).map(({ name, text }) => [name, text])),
    prompts: Object.fromEntries(
      decoded.filter(isPrompt).map(({ name, text }) => [name.slice(promptPrefix.length), text]),
    ),
  }
}

/** Source and hash of each text, for the log. */
export function describeTexts(texts: Got[]): Record<string, string> {
  return Object.fromEntries(
    texts.map(({ name, locale, source, sha256 }) => [locale ? `${name}_${locale}` : name, `${source} ${sha256}`]),
  )
}
