import { z } from 'zod'
import { defineHandler, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt, toText } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'

/** Writes the outline of a drama. Children: the cast, and one script for each episode, which depends on the cast. */
export default defineHandler({
  ...dramaDocuments.write_outline,
  async run(setting, context: DramaContext) {
    const prompt = await buildPrompt(context, 'outline_prompt', setting.language, {
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
        title: z.string().min(1),
        logline: z.string(),
        genre: z.string(),
        episodes: z.array(z.object({ title: z.string(), summary: z.string() })).length(setting.episodes),
      }),
      signal: context.signal,
    })

    const outline = {
      title: toText(value.title, 500),
      logline: toText(value.logline, 2000),
      genre: toText(value.genre, 200),
      episodes: value.episodes.map(({ title, summary }) => ({
        id: crypto.randomUUID(),
        title: toText(title, 500),
        summary: toText(summary, 10_000),
      })),
    }
    return new WithChildren({ ...outline, usage }, [
      { key: 'cast', type: 'write_cast', collect: 'children', input: { ...setting, outline } },
      ...outline.episodes.map(({ id }, index) => ({
        key: `script-${index + 1}`,
        type: 'write_script',
        depends_on: ['cast'],
        input: { ...setting, outline, episode_id: id },
      })),
    ])
  },
})
