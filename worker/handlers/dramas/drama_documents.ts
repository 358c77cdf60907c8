import { z } from 'zod'
import { httpUrl, limitOf, referencesMax } from './limits.ts'

/**
 * The inputs and outputs of the steps of a drama; docs/adr/0014-runs-of-dramas.md has the tree. SQL stores the outputs in the
 * transaction that completes the step (db/modules/60_dramas/apply_drama_outputs.sql). A handler chooses the ids of new episodes,
 * characters and scenes, which become the ids of the rows, so that its children can refer to them.
 */

/** Any version and variant, as in Postgres. */
const id = z.guid()
/** The version of the prompts that the run uses. Steps of older releases have none, and get the default version. */
const template_version = z.string().max(64).optional()
const url = z.string().regex(httpUrl.pattern).max(httpUrl.maxLength)
const text = (field: Parameters<typeof limitOf>[0]) => z.string().max(limitOf(field))
const model = text('drama.model').min(1)

/** The cost of a provider's call; stored in the output of the job. */
export const usage = z.object({
  model,
  input_tokens: z.int().nonnegative(),
  output_tokens: z.int().nonnegative(),
})
export type Usage = z.output<typeof usage>

/** The input that all text steps of a drama share; a step passes it on to its children. */
const setting = z.object({
  drama_id: id,
  premise: z.string(),
  model,
  image_model: model,
  video_model: model,
  episodes: z.int().min(1).max(limitOf('options.episodes')),
  scenes_per_episode: z.int().min(1).max(limitOf('options.scenes_per_episode')),
  characters: z.int().min(1).max(limitOf('options.characters')),
  with_video: z.boolean(),
  language: z.string(),
  style: z.string(),
  template_version,
})

const episode = z.object({ id, title: text('episode.title'), summary: text('episode.summary') })
const character = z.object({
  id,
  name: text('character.name').min(1),
  role: text('character.role'),
  description: text('character.description'),
  appearance: text('character.appearance'),
})
const scene = z.object({
  id,
  title: text('scene.title'),
  summary: text('scene.summary'),
  character_ids: z.array(id).max(limitOf('scene.character_ids')),
})
const outline = z.object({
  title: text('drama.title'),
  logline: text('drama.logline'),
  genre: text('drama.genre'),
})

/** By job type: the schemas of its input and output. */
export const dramaDocuments = {
  write_outline: {
    input: setting,
    output: outline.extend({ episodes: z.array(episode).min(1).max(limitOf('options.episodes')), usage }),
  },
  write_cast: {
    /** `starts_scripts`: the scripts are children of the cast. Missing in steps of older releases, whose outline starts them. */
    input: setting.extend({
      outline: outline.extend({ episodes: z.array(episode) }),
      starts_scripts: z.literal(true).optional(),
    }),
    output: z.object({ characters: z.array(character).min(1).max(limitOf('options.characters')), usage }),
  },
  write_script: {
    /** `cast`: missing in steps of older releases, which depend on the cast and draw the images of each scene. */
    input: setting.extend({
      outline: outline.extend({ episodes: z.array(episode) }),
      episode_id: id,
      cast: z.array(character).optional(),
    }),
    output: z.object({
      script: text('episode.script'),
      scenes: z.array(scene).min(1).max(limitOf('options.scenes_per_episode')),
      usage,
    }),
  },
  write_scene: {
    input: setting.extend({
      outline,
      episode,
      scene_id: id,
      scene,
      /** Missing in steps of older releases, which start the image and the video of the scene themselves. */
      is_drawn_later: z.literal(true).optional(),
      cast: z.array(character.extend({ portrait_url: url.nullable().optional() })),
    }),
    output: z.object({
      text: text('scene.text'),
      image_prompt: text('scene.image_prompt'),
      video_prompt: text('scene.video_prompt'),
      usage,
    }),
  },
  draw_episode: {
    input: z.object({
      drama_id: id,
      image_model: model,
      video_model: model,
      with_video: z.boolean(),
      language: z.string(),
      style: z.string(),
      template_version,
      /** The key of the script that this step depends on. */
      script: z.string(),
      /** By character: the key of the portrait that this step depends on. */
      portraits: z.record(id, z.string()),
    }),
    output: z.object({}),
  },
  generate_image: {
    input: z.object({
      drama_id: id,
      target_id: id,
      kind: z.enum(['portrait', 'image']),
      model,
      /** The language of the prompt; steps of older releases have none. */
      language: z.string().default(''),
      style: z.string(),
      template_version,
      prompt: z.string().min(1),
      references: z.array(url).max(referencesMax),
    }),
    output: z.object({ url, mime_type: z.string(), bytes: z.int().positive(), usage }),
  },
  generate_video: {
    input: z.object({
      drama_id: id,
      target_id: id,
      kind: z.literal('video'),
      model,
      /** The language of the prompt; steps of older releases have none. */
      language: z.string().default(''),
      style: z.string(),
      template_version,
      prompt: z.string().min(1),
      references: z.array(url).max(referencesMax),
    }),
    output: z.object({ url, mime_type: z.string(), bytes: z.int().positive() }),
  },
} satisfies Record<string, { input: z.ZodType; output: z.ZodType }>
