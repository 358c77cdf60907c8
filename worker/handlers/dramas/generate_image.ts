import { defineHandler } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt, loadReferences } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'

/** Generates the portrait of a character or the image of a scene. */
export default defineHandler({
  ...dramaDocuments.generate_image,
  async run({ drama_id, kind, model, prompt, style, references, ...setting }, context: DramaContext) {
    const { deps, signal, progress } = context
    deps.media.requireStore()
    const [{ text }, pictures] = await Promise.all([
      buildPrompt(context, kind === 'portrait' ? 'portrait_prompt' : 'scene_image_prompt', setting, { prompt, style }),
      loadReferences(references, context),
    ])
    progress(0.1)
    const { bytes, mimeType, usage } = await deps.gemini.drawImage({
      model,
      prompt: text,
      references: pictures,
      signal,
    })
    progress(0.9)
    const url = await deps.media.put({ dramaId: drama_id, bytes, mimeType, signal })
    return { url, mime_type: mimeType, bytes: bytes.length, usage }
  },
})
