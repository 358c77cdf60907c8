import { z } from 'zod'
import { defineHandler, type StepSpec, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'
import { clipText, filled, referencesMax } from './limits.ts'

/**
 * Writes the text of a scene and the prompts for its media. Only a step of an older release has children: the image and, if
 * wanted, the video.
 */
export default defineHandler({
  ...dramaDocuments.write_scene,
  version: 2,
  async run({ outline, episode, scene, scene_id, cast, is_drawn_later, ...setting }, context: DramaContext) {
    const { text: prompt } = await buildPrompt(context, 'scene_text_prompt', setting, {
      ...outline,
      style: setting.style,
      characters: cast,
      episode,
      scene,
    })
    context.progress(0.1)
    const { value, usage } = await context.deps.gemini.writeJson({
      model: setting.model,
      prompt,
      schema: z.object({ text: filled, image_prompt: filled, video_prompt: filled }),
      signal: context.signal,
    })

    const written = {
      text: clipText('scene.text', value.text),
      image_prompt: clipText('scene.image_prompt', value.image_prompt),
      video_prompt: clipText('scene.video_prompt', value.video_prompt),
    }
    if (is_drawn_later) return { ...written, usage }

    const { drama_id, language, style, template_version } = setting
    const picture = { drama_id, target_id: scene_id, language, style, template_version }
    const children: StepSpec[] = [
      {
        key: 'image',
        type: 'generate_image',
        input: {
          ...picture,
          kind: 'image',
          model: setting.image_model,
          prompt: written.image_prompt,
          references: cast.flatMap(({ portrait_url }) => portrait_url ?? []).slice(0, referencesMax),
        },
      },
    ]
    if (setting.with_video) {
      children.push({
        key: 'video',
        type: 'generate_video',
        depends_on: ['image'],
        input: {
          ...picture,
          kind: 'video',
          model: setting.video_model,
          prompt: written.video_prompt,
          references: [],
        },
      })
    }
    return new WithChildren({ ...written, usage }, children)
  },
})
