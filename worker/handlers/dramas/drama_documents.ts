import { z } from 'zod'

/**
 * What the steps of a drama are given and what they make: the contract of docs/adr/0010-dramas.md. SQL reads the outputs in
 * the transaction that completes the step (db/modules/60_dramas/apply_drama_outputs.sql): the ids that a step gives to what
 * it makes are the ids of the rows, so that its children can name them at once.
 */

/** As Postgres has them: whatever version and variant. */
const id = z.guid()
const url = z
  .string()
  .regex(/^https?:\/\/[^\s"<>]+$/)
  .max(2000)
const model = z.string().min(1).max(100)

/** What a call of a provider has cost; kept with the job. */
export const usage = z.object({
  model,
  input_tokens: z.int().nonnegative(),
  output_tokens: z.int().nonnegative(),
})
export type Usage = z.output<typeof usage>

/** What every text step of a drama knows; its children get it handed down. */
const setting = z.object({
  drama_id: id,
  premise: z.string(),
  model,
  image_model: model,
  video_model: model,
  episodes: z.int().min(1).max(24),
  scenes_per_episode: z.int().min(1).max(30),
  characters: z.int().min(1).max(20),
  with_video: z.boolean(),
  language: z.string(),
  style: z.string(),
})
export type Setting = z.output<typeof setting>

const episode = z.object({ id, title: z.string().max(500), summary: z.string().max(10_000) })
const character = z.object({
  id,
  name: z.string().min(1).max(500),
  role: z.string().max(500),
  description: z.string().max(10_000),
  appearance: z.string().max(10_000),
})
const scene = z.object({
  id,
  title: z.string().max(500),
  summary: z.string().max(10_000),
  character_ids: z.array(id).max(200),
})
const outline = z.object({ title: z.string().max(500), logline: z.string().max(2000), genre: z.string().max(200) })

/** By job type: the schemas of its input and output. */
export const dramaDocuments = {
  write_outline: {
    input: setting,
    output: outline.extend({ episodes: z.array(episode).min(1).max(24), usage }),
  },
  write_cast: {
    input: setting.extend({ outline: outline.extend({ episodes: z.array(episode) }) }),
    output: z.object({ characters: z.array(character).min(1).max(20), usage }),
  },
  write_script: {
    input: setting.extend({ outline: outline.extend({ episodes: z.array(episode) }), episode_id: id }),
    output: z.object({ script: z.string().max(100_000), scenes: z.array(scene).min(1).max(30), usage }),
  },
  write_scene: {
    input: setting.extend({
      outline,
      episode,
      scene_id: id,
      scene,
      cast: z.array(character.extend({ portrait_url: url.nullable() })),
    }),
    output: z.object({
      text: z.string().max(100_000),
      image_prompt: z.string().max(10_000),
      video_prompt: z.string().max(10_000),
      usage,
    }),
  },
  generate_image: {
    input: z.object({
      drama_id: id,
      target_id: id,
      kind: z.enum(['portrait', 'image']),
      model,
      /** Of its prompt: it was not always said. */
      language: z.string().default(''),
      style: z.string(),
      prompt: z.string().min(1),
      references: z.array(url).max(8),
    }),
    output: z.object({ url, mime_type: z.string(), bytes: z.int().positive(), usage }),
  },
  generate_video: {
    input: z.object({
      drama_id: id,
      target_id: id,
      kind: z.literal('video'),
      model,
      /** Of its prompt: it was not always said. */
      language: z.string().default(''),
      style: z.string(),
      prompt: z.string().min(1),
      references: z.array(url).max(8),
    }),
    output: z.object({ url, mime_type: z.string(), bytes: z.int().positive() }),
  },
} satisfies Record<string, { input: z.ZodType; output: z.ZodType }>
