import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import type { Cache } from '../../templates/cache.ts'
import * as manifest from '../../templates/manifest.ts'
import { createTemplates } from '../../templates/resolver.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt } from './drama.ts'

// Counts the texts that are hashed.
vi.mock('../../templates/manifest.ts', async (original) => {
  const real = await original<typeof manifest>()
  return { ...real, hash: vi.fn(real.hash) }
})

const templates = createTemplates({
  isRemote: false,
  db: { call: async () => [] },
  store: undefined,
  cache: {} as Cache,
  logger: pino({ level: 'silent' }),
})
const context = { id: 1, ownerId: null, signal: new AbortController().signal, deps: { templates } } as DramaContext
const variables = { premise: 'A door.', style: '', character_count: 2, episode_count: 3 }
const outline = async (language: string) => (await buildPrompt(context, 'outline_prompt', { language }, variables)).text

test.each(['Français', 'francais', 'French', 'fr', 'fr-CA', ' FR '])(
  'takes the French prompts for the language %s',
  async (language) => {
    expect(await outline(language)).toContain('Répondez en français')
  },
)

test.each([
  ['German', 'Answer in German,'],
  ['Frisian', 'Answer in Frisian,'],
  ['', 'Answer in English,'],
])('takes the English prompts for the language "%s", and asks for an answer in it', async (language, expected) => {
  expect(await outline(language)).toContain(expected)
})

test('a prompt hashes one of the seven texts', async () => {
  const { hash } = vi.mocked(manifest)
  hash.mockClear()
  await outline('en')
  expect(hash).toHaveBeenCalledOnce()
})

test('tells the owner neither the sources of a template nor why they failed', async () => {
  const folder = createTemplates({
    isRemote: false,
    db: { call: async () => [] },
    store: undefined,
    cache: {} as Cache,
    logger: pino({ level: 'silent' }),
    bundlesFolder: '/srv/no/such/folder',
  })
  const failed = buildPrompt(
    { ...context, deps: { templates: folder } } as DramaContext,
    'outline_prompt',
    { language: 'en' },
    {},
  )
  await expect(failed).rejects.toMatchObject({
    slug: 'template_unavailable',
    message: 'No source has the outline_prompt of template drama. Retry the run. If it fails again, tell the operator.',
    cause: { message: expect.stringContaining('/srv/no/such/folder') },
  })
})

test('names the prompt that cannot be filled in', async () => {
  await expect(buildPrompt(context, 'outline_prompt', { language: 'en' }, {})).rejects.toMatchObject({
    slug: 'template_incomplete',
    message: 'The outline_prompt of version 1.0.0 of template drama cannot be filled in. Tell the operator.',
    cause: { message: expect.stringContaining('which was not given') },
  })
})

test('names the prompt that a version of the template does not have', async () => {
  await expect(buildPrompt(context, 'sequel_prompt', { language: 'fr' }, {})).rejects.toMatchObject({
    slug: 'template_incomplete',
    message: 'Version 1.0.0 of template drama has no sequel_prompt.',
  })
})
