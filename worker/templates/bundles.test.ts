import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { locale, readBundles } from './manifest.ts'
import { render } from './render.ts'

const { bundles, faults } = await readBundles()

/** The variables that the handlers of dramas fill in. */
const variables = {
  premise: 'A lighthouse keeper <finds> "a radio" & a voice {{title}}.',
  style: 'Muted blues, 35 mm.',
  language: 'English',
  title: 'Night Signal',
  logline: 'A voice knows her name.',
  genre: 'mystery',
  episodes: [{ title: 'Static', summary: 'A voice.' }],
  character_count: 3,
  episode_count: 2,
  scene_count: 4,
  characters: [
    { name: 'Ada', role: 'protagonist', description: 'Keeper.', appearance: 'Grey coat.' },
    { name: 'Ben', role: 'ally', description: 'Pilot.', appearance: 'Red scarf.' },
  ],
  episode: { title: 'Static', summary: 'A voice.', position: 1 },
  scene: { title: 'The voice', summary: 'She listens.' },
  prompt: 'A woman at a radio.',
}

test('the bundles are agent, drama and section7-ai-formatter, without faults', () => {
  expect(faults).toEqual([])
  expect(bundles.map(({ template }) => template).sort()).toEqual(['agent', 'drama', 'section7-ai-formatter'])
})

test.each(bundles)('every file of $template exists and is UTF-8 text of more than 100 characters', async (bundle) => {
  for (const [version, { files }] of Object.entries(bundle.versions)) {
    for (const { file } of files) {
      const bytes = await bundle.read(version, file)
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      expect(text.trim().length, file).toBeGreaterThan(100)
    }
    expect(new Set(files.map(({ name, locale }) => `${name} ${locale}`)).size).toBe(files.length)
  }
})

test.each(bundles)('$template has the same files in each language', (bundle) => {
  for (const { files } of Object.values(bundle.versions)) {
    const names = (wanted: string) => files.filter((one) => one.locale === wanted).map(({ name }) => name)
    expect(names('fr')).toEqual(names('en'))
  }
})

test('every prompt of drama can be filled in, with and without the optional variables', async () => {
  const drama = bundles.find(({ template }) => template === 'drama')
  const files = drama?.versions['1.0.0']?.files ?? []
  expect(files).toHaveLength(14)
  const { style: _style, ...needed } = variables
  for (const { file, name } of files) {
    const text = (await drama?.read('1.0.0', file))?.toString('utf8') ?? ''
    for (const given of [variables, needed]) {
      const prompt = render(text, given)
      expect(prompt.replace(variables.premise, '')).not.toMatch(/\{\{|\}\}|undefined|&lt;|&quot;/)
      if (name === 'outline_prompt') expect(prompt).toContain(variables.premise)
      if (name === 'scene_text_prompt') expect(prompt).toContain('- Ben (ally)')
    }
  }
})

test.each(['fr', 'en'] as const)(
  'the golden example of section7 obeys its prompt and configuration in %s',
  async (language) => {
    const section7 = bundles.find(({ template }) => template === 'section7-ai-formatter')
    const read = async (name: string) => {
      const files = section7?.versions['1.0.0']?.files ?? []
      const file = files.find((one) => one.name === name && (one.locale ?? language) === language)
      return (await section7?.read('1.0.0', file?.file ?? ''))?.toString('utf8') ?? ''
    }
    const [golden, config] = [await read('golden_example'), JSON.parse(await read('json_config'))]
    const notes = golden.slice(golden.indexOf('<notes>'), golden.indexOf('</notes>'))
    const answer = JSON.parse(golden.slice(golden.indexOf('\n{')))
    const isAnswer = new Ajv2020().compile(config.answer)
    expect(isAnswer(answer), JSON.stringify(isAnswer.errors)).toBe(true)

    const [heading, ...paragraphs] = (answer.text as string).split('\n\n')
    expect(heading).toBe(config.headings[language])
    for (const paragraph of paragraphs) {
      // Subject, date, verb: one event.
      const [subject = '', date = '', rest = ''] = paragraph.split(/, ((?:le|en|on|in) .*? ?20\d\d(?: \[[^\]]+\])?), /)
      expect(config.subjects[language]).toContain(subject)
      expect(notes).toContain(/20\d\d/.exec(date)?.[0])
      expect(config.verbs[language], paragraph).toContain(rest.split(' ')[0])
      expect(paragraph.split(/\s+/).length).toBeLessThanOrEqual(config.paragraph.words_max)
    }
    for (const { passage } of answer.to_verify) expect(answer.text).toContain(passage)
    expect(answer.to_verify).toHaveLength(answer.text.split('[').length - 1)
    const [open, close] = config.quotes[language]
    for (const quote of (answer.text as string).matchAll(new RegExp(`${open}(.*?)${close}`, 'g'))) {
      expect(notes).toContain(quote[1])
    }
  },
)

test('a prompt with a missing variable is refused', () => {
  expect(() => render('Hello {{name}}', {})).toThrow('The prompt needs the variable "name", which was not given')
  expect(render('{{#name}}x{{/name}}{{^name}}nobody{{/name}}', {})).toBe('nobody')
})

test('a prompt sees only the given variables, and cannot include other prompts', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'given.constructor', 'given.length.x', 'call']) {
    expect(() => render(`{{${name}}}`, { given: {}, call: () => 'called' })).toThrow('was not given')
  }
  expect(render('{{#constructor}}x{{/constructor}}{{^toString}}y{{/toString}}', {})).toBe('y')
  expect(render('{{a.b}} {{#list}}{{.}}{{a.b}}{{/list}}', { a: { b: 1 }, list: [2, 3] })).toBe('1 2131')
  expect(() => render('a {{> hole}}', { hole: 'x' })).toThrow('The prompt includes "hole"')
})

test('locales are those of the tables', () => {
  expect(locale.options).toEqual(['fr', 'en'])
})
