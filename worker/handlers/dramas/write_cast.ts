import { z } from 'zod'
import { defineHandler, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'
import { clipText } from './limits.ts'

/** Writes the characters of a drama. Children: one portrait for each character. */
export default defineHandler({
  ...dramaDocuments.write_cast,
  async run({ outline, ...setting }, context: DramaContext) {
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
              name: z.string().min(1),
              role: z.string(),
              description: z.string(),
              appearance: z.string().min(1),
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
    return new WithChildren(
      { characters, usage },
      characters.map(({ id, appearance }, index) => ({
        key: `portrait-${index + 1}`,
        type: 'generate_image',
        input: {
          drama_id: setting.drama_id,
          target_id: id,
          kind: 'portrait',
          model: setting.image_model,
          language: setting.language,
          template_version: setting.template_version,
          style: setting.style,
          prompt: appearance,
          references: [],
        },
      })),
    )
  },
})
