import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import type { HandlerFactory, Step, WithChildren } from '../../steps/define_handler.ts'
import type { DramaDeps } from './deps.ts'
import { dramaHandlers } from './index.ts'

const id = crypto.randomUUID()
const setting = { drama_id: id, premise: 'A door.', model: 'm', image_model: 'm', video_model: 'm', episodes: 1 }
const sizes = { scenes_per_episode: 1, characters: 1, with_video: false, language: 'en', style: '' }
const outline = { title: 't', logline: 'l', genre: 'g' }
const episode = { id, title: 't', summary: 's' }
const scene = { id, title: 't', summary: 's', character_ids: [] }
const cast = [{ id, name: 'Ana', role: '', description: '', appearance: 'x' }]

/** Calls the handler of a text step. The model answers with `answer`, which is checked by the schema of the handler. */
async function write(type: keyof typeof dramaHandlers, input: object, answer: object): Promise<WithChildren> {
  const deps = {
    templates: {
      resolve: async ({ artifact }: { artifact: string }) => ({
        version: '1',
        artifacts: { [artifact]: { text: 'x' } },
      }),
    },
    gemini: {
      writeJson: async ({ schema }: { schema: z.ZodType }) => ({
        value: schema.parse(answer),
        usage: { model: 'm', input_tokens: 1, output_tokens: 1 },
      }),
    },
  } as unknown as DramaDeps
  const step: Step = {
    ...{
      id: 1,
      fence: 1,
      runId: 1,
      ownerId: null,
      key: 'k',
      outputs: {},
      state: null,
      failures: 0,
      buyingIsStopped: false,
    },
    signal: new AbortController().signal,
    logger: pino({ level: 'silent' }),
    now: Date.now,
    progress: () => {},
  }
  const handlers: Record<string, HandlerFactory<DramaDeps>> = dramaHandlers
  return (await handlers[type]?.(deps)({ ...setting, ...sizes, ...input }, step)) as WithChildren
}

const person = { name: ' Ana ', role: '', description: '', appearance: 'x' }
const written = { text: 'a', image_prompt: 'b\n', video_prompt: 'c' }
const texts: ['write_cast' | 'write_scene' | 'write_script', object, object, string][] = [
  ['write_cast', { outline: { ...outline, episodes: [episode] } }, { characters: [person] }, '"Ana"'],
  ['write_scene', { outline, episode, scene_id: id, scene, cast, is_drawn_later: true }, written, '"b"'],
  [
    'write_script',
    { outline: { ...outline, episodes: [episode] }, episode_id: id, cast },
    { script: ' s', scenes: [{ title: '', summary: '', characters: [] }] },
    '"s"',
  ],
]

test.each(texts)('%s stores texts without white space around them', async (type, input, answer, stored) => {
  expect(JSON.stringify(await write(type, input, answer))).toContain(stored)
})

test.each<[(typeof texts)[number][0], object]>([
  ['write_cast', { characters: [{ ...person, name: ' ' }] }],
  ['write_cast', { characters: [{ ...person, appearance: '\n' }] }],
  ['write_scene', { ...written, text: ' ' }],
  ['write_scene', { ...written, image_prompt: '\u00a0' }],
  ['write_script', { script: '\t', scenes: [{ title: '', summary: '', characters: [] }] }],
])('%s refuses a blank text, so that no image is drawn from nothing', async (type, answer) => {
  const [, input = {}] = texts.find(([one]) => one === type) ?? []
  await expect(write(type, input, answer)).rejects.toThrow('Too small')
})
