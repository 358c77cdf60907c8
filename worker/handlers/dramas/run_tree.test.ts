import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type StandIn, startGemini } from '../../../scripts/local/gemini.ts'
import type { DramaMedia } from '../../adapters/drama_media.ts'
import { createGemini } from '../../adapters/gemini.ts'
import { type HandlerFactory, type Step, type StepSpec, WithChildren } from '../../steps/define_handler.ts'
import type { Cache } from '../../templates/cache.ts'
import { createTemplates, type Templates } from '../../templates/resolver.ts'
import type { DramaDeps } from './deps.ts'
import { dramaHandlers } from './index.ts'

// The handlers and a stand-in for Gemini, without a database: this test walks through the children itself.
const logger = pino({ level: 'silent' })
const bundled = createTemplates({
  isRemote: false,
  db: { call: async () => [] },
  store: undefined,
  cache: {} as Cache,
  logger,
})
let standIn: StandIn

beforeAll(async () => {
  standIn = await startGemini()
})
afterAll(() => standIn.stop())

const media: DramaMedia = {
  requireStore: () => {},
  put: async () => 'https://cdn.example.com/drama-assets/x.png',
  load: async () => undefined,
}

/** Calls the handler of a step. */
async function runStep(
  { key, type, input }: StepSpec,
  outputs: Record<string, unknown>,
  templates: Templates = bundled,
): Promise<unknown> {
  const gemini = createGemini({
    GEMINI_API_KEY: 'key',
    GEMINI_BASE_URL: standIn.url,
    GEMINI_TIMEOUT_SECONDS: 5,
    GEMINI_VIDEO_POLL_SECONDS: 1,
    GEMINI_VIDEO_HOSTS: [],
  })
  const step: Step = {
    id: 1,
    fence: 1,
    runId: 1,
    ownerId: null,
    key,
    outputs,
    state: null,
    failures: 0,
    buyingIsStopped: false,
    signal: new AbortController().signal,
    logger,
    now: Date.now,
    progress: () => {},
  }
  const handlers: Record<string, HandlerFactory<DramaDeps>> = dramaHandlers
  return handlers[type]?.({ templates, gemini, media })(JSON.parse(JSON.stringify(input)), step)
}

const setting = {
  drama_id: crypto.randomUUID(),
  premise: 'A door.',
  model: 'gemini-3-pro-preview',
  image_model: 'gemini-3-pro-image-preview',
  video_model: 'veo-3.1-generate-preview',
  episodes: 1,
  scenes_per_episode: 1,
  characters: 1,
  with_video: true,
  language: 'English',
  style: '',
}

test('every step of a run uses the version of its first step, also after another version became the default', async () => {
  let defaultVersion = '1.0.0'
  const used: [kind: string | undefined, version: string][] = []
  const templates: Templates = {
    async resolve(request) {
      const version = request.version ?? defaultVersion
      used.push([request.artifact, version])
      return { ...(await bundled.resolve({ ...request, version: 'default' })), version }
    },
  }
  async function run(spec: StepSpec, outputs: Record<string, unknown>): Promise<unknown> {
    const result = await runStep(spec, outputs, templates)
    defaultVersion = '0.9.0'
    if (!(result instanceof WithChildren)) return result
    const done: Record<string, unknown> = {}
    for (const child of result.children) done[child.key] = await run(child, done)
    return spec.collect ? { ...(result.output as object), ...done } : result.output
  }
  await run({ key: 'outline', type: 'write_outline', input: setting }, {})

  expect(used).toEqual(
    [
      'outline_prompt',
      'cast_prompt',
      'portrait_prompt',
      'script_prompt',
      'scene_text_prompt',
      'scene_image_prompt',
      'scene_video_prompt',
    ].map((kind) => [kind, '1.0.0']),
  )
})

test('no text waits for a portrait, and the drawing of an episode waits for its texts and all portraits', async () => {
  const { output, children } = (await runStep(
    { key: 'outline', type: 'write_outline', input: { ...setting, episodes: 2, characters: 2 } },
    {},
  )) as WithChildren
  expect(children.map(({ key }) => key)).toEqual(['cast'])
  const cast = (await runStep(children[0] as StepSpec, {})) as WithChildren
  expect(cast.children.map(({ key, depends_on = [] }) => [key, depends_on])).toEqual([
    ['portrait-1', []],
    ['portrait-2', []],
    ['script-1', []],
    ['drawing-1', ['script-1', 'portrait-1', 'portrait-2']],
    ['script-2', []],
    ['drawing-2', ['script-2', 'portrait-1', 'portrait-2']],
  ])
  expect(output).toMatchObject({ episodes: [{}, {}] })
})

test('an episode is drawn with the portraits that exist, from the prompts of its scenes', async () => {
  const [first, second, scene] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
  const input = { ...setting, script: 'script-1', portraits: { [first]: 'portrait-1', [second]: 'portrait-2' } }
  const { children } = (await runStep(
    { key: 'drawing-1', type: 'draw_episode', input },
    {
      'portrait-1': { error: 'prompt_blocked' },
      'portrait-2': { url: 'https://cdn.example.com/2.png' },
      'script-1': {
        scenes: [{ id: scene, title: 'A', summary: 'S', character_ids: [first, second] }],
        'scene-1': { text: 'T', image_prompt: 'I', video_prompt: 'V' },
      },
    },
  )) as WithChildren
  expect(children).toMatchObject([
    {
      key: 'image-1',
      type: 'generate_image',
      input: { target_id: scene, kind: 'image', prompt: 'I', references: ['https://cdn.example.com/2.png'] },
    },
    {
      key: 'video-1',
      type: 'generate_video',
      depends_on: ['image-1'],
      input: { target_id: scene, kind: 'video', prompt: 'V', references: [] },
    },
  ])
})

test('the steps of a run that 0.1.0 started keep the tree of that release', async () => {
  const id = crypto.randomUUID()
  const outline = { title: 'T', logline: 'L', genre: 'G', episodes: [{ id, title: 'One', summary: 'S' }] }
  const cast = (await runStep({ key: 'cast', type: 'write_cast', input: { ...setting, outline } }, {})) as WithChildren
  expect(cast.children.map(({ key }) => key)).toEqual(['portrait-1'])
  const portrait = 'https://cdn.example.com/1.png'
  const collected = { cast: { ...(cast.output as object), 'portrait-1': { url: portrait } } }
  const script = (await runStep(
    { key: 'script-1', type: 'write_script', input: { ...setting, outline, episode_id: id } },
    collected,
  )) as WithChildren
  const [spec] = script.children as [StepSpec & { input: { cast: object[] } }]
  const [character] = (cast.output as { characters: object[] }).characters
  spec.input.cast = [{ ...character, portrait_url: portrait }]
  const scene = (await runStep(spec, {})) as WithChildren
  expect(scene.children).toMatchObject([
    { key: 'image', type: 'generate_image', input: { references: [portrait] } },
    { key: 'video', type: 'generate_video', depends_on: ['image'] },
  ])
})
