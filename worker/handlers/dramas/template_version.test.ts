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
  const gemini = createGemini({
    GEMINI_API_KEY: 'key',
    GEMINI_BASE_URL: standIn.url,
    GEMINI_TIMEOUT_SECONDS: 5,
    GEMINI_VIDEO_POLL_SECONDS: 1,
    GEMINI_VIDEO_HOSTS: [],
  })
  const media: DramaMedia = {
    requireStore: () => {},
    put: async () => 'https://cdn.example.com/drama-assets/x.png',
    load: async () => undefined,
  }
  const handlers: Record<string, HandlerFactory<DramaDeps>> = dramaHandlers

  async function run({ key, type, input }: StepSpec, outputs: Record<string, unknown>): Promise<unknown> {
    const step: Step = {
      id: 1,
      runId: 1,
      ownerId: null,
      key,
      outputs,
      state: null,
      failures: 0,
      signal: new AbortController().signal,
      logger,
      now: Date.now,
      progress: () => {},
    }
    const result = await handlers[type]?.({ templates, gemini, media })(JSON.parse(JSON.stringify(input)), step)
    defaultVersion = '0.9.0'
    if (!(result instanceof WithChildren)) return result
    const done: Record<string, unknown> = {}
    for (const child of result.children) done[child.key] = await run(child, done)
    return result.output
  }
  await run(
    {
      key: 'outline',
      type: 'write_outline',
      input: {
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
      },
    },
    {},
  )

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
