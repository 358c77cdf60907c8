import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import schema from '../../docs/drama.schema.json' with { type: 'json' }
import { dramaDocuments } from '../../worker/handlers/dramas/drama_documents.ts'
import { createDatabase, type TestDatabase } from '../testing/database.ts'
import {
  checkLimits,
  compareColumns,
  compareComment,
  compareDefinitions,
  compareFields,
  compareHandlers,
  type JsonSchema,
  type Limits,
  readLimits,
} from './limits.ts'

let database: TestDatabase
let limits: Limits

beforeAll(async () => {
  database = await createDatabase()
  limits = await readLimits(await database.connect())
})
afterAll(() => database.drop())

/** A copy of the schema, changed. */
function changed(change: (document: Required<JsonSchema>) => void): JsonSchema {
  const document = structuredClone(schema) as unknown as Required<JsonSchema>
  change(document)
  return document
}

/** The domains, one of them with another check. */
const withLimit = (name: string, limit: number) =>
  limits.domains.map((domain) =>
    domain.name === name ? { name, limit, check: domain.check.replace(String(domain.limit), String(limit)) } : domain,
  )

test('finds nothing wrong with the files as they are', async () => {
  expect(limits.domains.length).toBeGreaterThan(15)
  expect(limits.columns.length).toBeGreaterThan(25)
  const outcome = await checkLimits(await database.connect())
  expect(outcome.problems).toEqual([])
})

test.each([
  ['short_text', 'short_text: maxLength is 500 in the schema, and 3 in app.short_text'],
  ['character_ids', 'character_ids: maxItems is 200 in the schema, and 3 in app.character_ids'],
  ['wanted_episodes', 'wanted_episodes: maximum is 24 in the schema, and 3 in app.wanted_episodes'],
  ['http_url', 'http_url: its description in the schema does not say 3 bytes'],
  ['extra', 'extra: its description in the schema does not say 3 bytes'],
  ['scene_total', 'the description of the schema does not say 3 scenes: app.scene_total'],
  ['drama_document', 'the description of the schema does not say'],
])('finds a domain whose limit is not the one of the schema: %s', (name, problem) => {
  expect(compareDefinitions(withLimit(name, 3), schema as JsonSchema).join('\n')).toContain(problem)
})

test('finds another pattern, a missing definition and a domain without a limit', () => {
  const pattern = changed(({ $defs }) => {
    $defs['http_url'] = { ...$defs['http_url'], pattern: '^https?://' }
  })
  expect(compareDefinitions(limits.domains, pattern)).toEqual([
    expect.stringMatching(/^http_url: pattern is \^https\?:\/\/ in the schema, and \^https\?:\/\/\[/),
  ])
  const missing = changed(({ $defs }) => {
    delete $defs['long_text']
  })
  expect(compareDefinitions(limits.domains, missing)).toEqual([
    'the schema has no definition long_text for domain app.long_text',
  ])
  expect(compareDefinitions([{ name: 'new_text', check: 'CHECK (true)', limit: null }], schema as JsonSchema)).toEqual([
    'domain app.new_text has no check with a limit',
  ])
})

test('finds a field with another domain in the schema than in SQL, and a field that only one of them has', () => {
  const other = changed(({ properties, $defs }) => {
    properties['title'] = { $ref: '#/$defs/long_text' }
    delete $defs['scene']?.properties?.['audio_url']
  })
  expect(compareFields(limits, other)).toEqual([
    'drama.title: long_text is in the schema, and not in app.list_drama_fields and app.list_drama_options',
    'drama.title: short_text is in app.list_drama_fields and app.list_drama_options, and not in the schema',
    'scene.audio_url: http_url is in app.list_drama_fields and app.list_drama_options, and not in the schema',
  ])
})

test('finds a column without the check of its domain', () => {
  const columns = limits.columns.filter(({ table, column }) => table !== 'scenes' || column !== 'text')
  expect(compareColumns({ ...limits, columns })).toEqual([
    'scene.text: huge_text is in app.list_drama_fields, and not in the checks of the tables',
  ])
})

test('finds a handler with another limit', () => {
  const output = z.object({ text: z.string().max(5), image_prompt: z.string(), video_prompt: z.string().max(10_000) })
  const documents = { ...dramaDocuments, write_scene: { ...dramaDocuments.write_scene, output } }
  expect(compareHandlers(limits, documents)).toEqual([
    'write_scene.text has the limit 5 in its handler, and 100000 in SQL',
    'write_scene.image_prompt has the limit undefined in its handler, and 10000 in SQL',
  ])
})

test('finds a comment that names another limit', () => {
  const comment = limits.comment.replace('episodes (1 to 24', 'episodes (1 to 25')
  expect(compareComment({ ...limits, comment })).toEqual([
    'the comment on public.generate_drama does not say "episodes (1 to 24"',
  ])
})
