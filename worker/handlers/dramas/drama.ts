import type { Picture } from '../../adapters/gemini.ts'
import { type StepContext, StepError } from '../../steps/define_handler.ts'
import { type Locale, render } from '../../templates/resolver.ts'

/** What the handlers of dramas have in common. */

/** A prompt of bundle `drama`, filled in. It is in the drama's language where there is one, else in English. */
export async function buildPrompt(
  { id, ownerId, signal, deps }: StepContext,
  kind: string,
  language: string,
  variables: Record<string, unknown>,
): Promise<string> {
  const locale: Locale = /^(fr([-_ ]|$)|french|fran[cç]ais)/i.test(language.trim()) ? 'fr' : 'en'
  const { artifacts, version } = await deps.templates.resolve({
    template: 'drama',
    locale,
    key: ownerId ?? String(id),
    jobId: id,
    signal,
  })
  const text = artifacts[kind]?.text
  if (text === undefined) {
    throw new StepError('template_incomplete', `Version ${version} of template drama has no ${kind}.`)
  }
  return render(text, { language: language.trim() || 'English', ...variables })
}

/** A text as a model has written it, as Postgres can store it and the drama takes it. */
export function toText(text: string, maxLength: number): string {
  return text.replaceAll('\u0000', '').slice(0, maxLength).toWellFormed()
}

/** What a request may hold beside its prompt, before base64. */
const referencesMaxBytes = 14 * 2 ** 20

/** The pictures that a new one is to resemble, as far as they are ours, and fit into one request. */
export async function loadReferences(urls: string[], { deps, signal, logger }: StepContext): Promise<Picture[]> {
  const pictures: Picture[] = []
  let bytes = 0
  for (const [index, picture] of (await Promise.all(urls.map((url) => deps.assets.load(url, signal)))).entries()) {
    if (picture === undefined || bytes + picture.bytes.length > referencesMaxBytes) {
      logger.warn({ reference: index }, 'Reference was left out')
      continue
    }
    bytes += picture.bytes.length
    pictures.push(picture)
  }
  return pictures
}
