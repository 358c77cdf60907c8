import { z } from 'zod'
import { defineHandler, type StepSpec, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { dramaDocuments } from './drama_documents.ts'
import { referencesMax } from './limits.ts'

/** The part of the output of a scene that this step reads. */
const written = z.object({ image_prompt: z.string().min(1), video_prompt: z.string().min(1) })
/** A failed portrait has no URL. */
const portrait = z.object({ url: z.string() })
const scenes = dramaDocuments.write_script.output.pick({ scenes: true })

/**
 * Starts the images of an episode and, if wanted, its videos, when its texts and the portraits of the cast are done. It calls
 * no provider. Children: an image and a video for each scene.
 */
export default defineHandler({
  ...dramaDocuments.draw_episode,
  run({ script, portraits, image_model, video_model, with_video, ...setting }, { outputs }: DramaContext) {
    const episode = outputs[script] as Record<string, unknown>
    return new WithChildren(
      {},
      scenes.parse(episode).scenes.flatMap(({ id, character_ids }, index): StepSpec[] => {
        const { image_prompt, video_prompt } = written.parse(episode[`scene-${index + 1}`])
        const media = { ...setting, target_id: id }
        const references = character_ids.flatMap(
          (character) => portrait.safeParse(outputs[portraits[character] ?? '']).data?.url ?? [],
        )
        const image: StepSpec = {
          key: `image-${index + 1}`,
          type: 'generate_image',
          input: {
            ...media,
            kind: 'image',
            model: image_model,
            prompt: image_prompt,
            references: references.slice(0, referencesMax),
          },
        }
        const video: StepSpec = {
          key: `video-${index + 1}`,
          type: 'generate_video',
          depends_on: [image.key],
          input: { ...media, kind: 'video', model: video_model, prompt: video_prompt, references: [] },
        }
        return with_video ? [image, video] : [image]
      }),
    )
  },
})
