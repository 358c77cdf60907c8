import type { Picture } from '../../adapters/gemini.ts'
import type { Locale } from '../../templates/resolver.ts'
import { fillPrompt, resolveTemplate } from '../prompts.ts'
import type { DramaContext } from './deps.ts'

/**
 * Renders a prompt of bundle `drama`, in French for French dramas, else in English, and returns it with the version that it
 * comes from. The first step of a run gets the default version, and passes the number on: `template_version` of the others.
 */
export async function buildPrompt(
  context: DramaContext,
  kind: string,
  { language, template_version }: { language: string; template_version?: string | undefined },
  variables: Record<string, unknown>,
): Promise<{ text: string; version: string }> {
  const locale: Locale = /^(fr([-_ ]|$)|french|fran[cç]ais)/i.test(language.trim()) ? 'fr' : 'en'
  const resolved = await resolveTemplate(
    context,
    { template: 'drama', version: template_version, locale, artifact: kind },
    `No source has the ${kind} of template drama. Retry the run. If it fails again, tell the operator.`,
  )
  const text = fillPrompt(resolved, kind, { language: language.trim() || 'English', ...variables })
  return { text, version: resolved.version }
}

/** The largest size of the images in a request, before base64. */
const referencesMaxBytes = 14 * 2 ** 20

/** Loads the reference images for a new image. Skips images outside our bucket and images beyond the request's size. */
export async function loadReferences(urls: string[], { deps, signal, logger }: DramaContext): Promise<Picture[]> {
  const pictures: Picture[] = []
  let bytes = 0
  for (const [index, picture] of (await Promise.all(urls.map((url) => deps.media.load(url, signal)))).entries()) {
    if (picture === undefined || bytes + picture.bytes.length > referencesMaxBytes) {
      logger.warn({ reference: index }, 'Reference was skipped')
      continue
    }
    bytes += picture.bytes.length
    pictures.push(picture)
  }
  return pictures
}
