import { z } from 'zod'
import { defineHandler, type StepSpec, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'
import { clipText, filled } from './limits.ts'

/**
 * Writes the characters of a drama. Children: a portrait for each character; for each episode its script, and a step that draws
 * the episode when the script with its scenes and the portraits are done. So no text waits for a portrait.
 */
export default defineHandler({
  ...dramaDocuments.write_cast,
  version: 2,
  async run({ outline, starts_scripts, ...setting }, context: DramaContext) {
    const { text: prompt } = await buildPrompt(context, 'cast_prompt', setting, {
      ...outline,
      premise: setting.premise,
      style: setting.style,
      character_count: setting.characters,
    })
    context.progress(0.1)
    const { value, usage } = await context.deps.gemini.writeJson({
      model: setting.model,
      prompt,
      schema: z.object({
        characters: z
          .array(
            z.object({
              name: filled,
              role: z.string(),
              description: z.string(),
              appearance: filled,
            }),
          )
          .length(setting.characters),
      }),
      signal: context.signal,
    })

    const characters = value.characters.map(({ name, role, description, appearance }) => ({
      id: crypto.randomUUID(),
      name: clipText('character.name', name),
      role: clipText('character.role', role),
      description: clipText('character.description', description),
      appearance: clipText('character.appearance', appearance),
    }))
    const { drama_id, image_model, video_model, with_video, language, style, template_version } = setting
    const shared = { drama_id, language, style, template_version }
    const portraits = characters.map(
      ({ id, appearance }, index): StepSpec => ({
        key: `portrait-${index + 1}`,
        type: 'generate_image',
        input: { ...shared, target_id: id, kind: 'portrait', model: image_model, prompt: appearance, references: [] },
      }),
    )
    const episodes = outline.episodes.flatMap(({ id: episode_id }, index): StepSpec[] => {
      const script = `script-${index + 1}`
      return [
        {
          key: script,
          type: 'write_script',
          collect: 'children',
          input: { ...setting, outline, episode_id, cast: characters },
        },
        {
          key: `drawing-${index + 1}`,
          type: 'draw_episode',
          depends_on: [script, ...portraits.map(({ key }) => key)],
          input: {
            ...shared,
            image_model,
            video_model,
            with_video,
            script,
            portraits: Object.fromEntries(characters.map(({ id }, number) => [id, `portrait-${number + 1}`])),
          },
        },
      ]
    })
    // In a run of an older release the outline has started the scripts.
    return new WithChildren({ characters, usage }, [...portraits, ...(starts_scripts ? episodes : [])])
  },
})
