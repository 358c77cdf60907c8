import { z } from 'zod'
import { defineHandler, StepError, WithChildren } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'
import { clipText, filled } from './limits.ts'

const cast = dramaDocuments.write_cast.output.pick({ characters: true })
/** A portrait in the output of the cast, in a run of an older release. A failed portrait has no URL. */
const portrait = z.object({ url: z.string() })

/** Writes the script of an episode and its list of scenes. Children: the text of each scene. */
export default defineHandler({
  ...dramaDocuments.write_script,
  version: 2,
  async run({ outline: { episodes, ...outline }, episode_id, ...setting }, context: DramaContext) {
    const index = episodes.findIndex(({ id }) => id === episode_id)
    const episode = episodes[index]
    const characters = setting.cast ?? readCast(context.outputs['cast'])
    if (episode === undefined || characters === undefined) {
      throw new StepError(
        'input_invalid',
        'The outline does not have this episode, or the output of the cast is missing.',
        {
          isPermanent: true,
        },
      )
    }

    const { text: prompt } = await buildPrompt(context, 'script_prompt', setting, {
      ...outline,
      style: setting.style,
      episodes,
      characters,
      episode: { ...episode, position: index + 1 },
      scene_count: setting.scenes_per_episode,
    })
    context.progress(0.1)
    const { value, usage } = await context.deps.gemini.writeJson({
      model: setting.model,
      prompt,
      schema: z.object({
        script: filled,
        scenes: z
          .array(
            z.object({
              title: z.string(),
              summary: z.string(),
              characters: z.array(z.enum(characters.map(({ name }) => name))),
            }),
          )
          .length(setting.scenes_per_episode),
      }),
      signal: context.signal,
    })

    const scenes = value.scenes.map(({ title, summary, characters: names }) => ({
      id: crypto.randomUUID(),
      title: clipText('scene.title', title),
      summary: clipText('scene.summary', summary),
      character_ids: characters.filter(({ name }) => names.includes(name)).map(({ id }) => id),
    }))
    return new WithChildren(
      { script: clipText('episode.script', value.script), scenes, usage },
      scenes.map((scene, number) => ({
        key: `scene-${number + 1}`,
        type: 'write_scene',
        input: {
          ...setting,
          outline,
          episode,
          scene_id: scene.id,
          scene,
          cast: characters.filter(({ id }) => scene.character_ids.includes(id)),
          ...(setting.cast && { is_drawn_later: true }),
        },
      })),
    )
  },
})

/** Returns the characters with their portraits from the output of the cast, in a run of an older release. */
function readCast(output: unknown) {
  const portraits = output as Record<string, unknown>
  return cast.safeParse(output).data?.characters.map((one, number) => ({
    ...one,
    portrait_url: portrait.safeParse(portraits[`portrait-${number + 1}`]).data?.url ?? null,
  }))
}
