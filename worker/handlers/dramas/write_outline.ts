import { z } from 'zod'
import { defineHandler, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'
import { clipText, filled } from './limits.ts'

/** Writes the outline of a drama. Child: the cast, which starts everything else. */
export default defineHandler({
  ...dramaDocuments.write_outline,
  async run(setting, context: DramaContext) {
    const { text: prompt, version } = await buildPrompt(context, 'outline_prompt', setting, {
      premise: setting.premise,
      style: setting.style,
      character_count: setting.characters,
      episode_count: setting.episodes,
    })
    context.progress(0.1)
    const { value, usage } = await context.deps.gemini.writeJson({
      model: setting.model,
      prompt,
      schema: z.object({
        title: filled,
        logline: z.string(),
        genre: z.string(),
        episodes: z.array(z.object({ title: z.string(), summary: z.string() })).length(setting.episodes),
      }),
      signal: context.signal,
    })

    const outline = {
      title: clipText('drama.title', value.title),
      logline: clipText('drama.logline', value.logline),
      genre: clipText('drama.genre', value.genre),
      episodes: value.episodes.map(({ title, summary }) => ({
        id: crypto.randomUUID(),
        title: clipText('episode.title', title),
        summary: clipText('episode.summary', summary),
      })),
    }
    // Every step of the run uses the version of the first one, also after a rollback.
    const pinned = { ...setting, template_version: version }
    return new WithChildren({ ...outline, usage }, [
      { key: 'cast', type: 'write_cast', input: { ...pinned, outline, starts_scripts: true } },
    ])
  },
})
