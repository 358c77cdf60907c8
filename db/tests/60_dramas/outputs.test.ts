import * as fc from 'fast-check'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allowMedia } from '../../../scripts/testing/allow_media.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { announceVersions, claimSteps, completed, exchangeSteps } from '../../../scripts/testing/steps.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'

// Whatever output a worker sends: the step and the other steps of the batch complete, and the drama stays valid.
let database: TestDatabase
let client: Client
const owner = crypto.randomUUID()
const worker = crypto.randomUUID()

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query('insert into auth.users (id, email) values ($1, $2)', [owner, 'ana@example.com'])
  await announceVersions(client, worker)
  // The user generates more dramas here than a plan allows.
  await allowMedia(client)
  await client.query('update app.settings set drama_writes_per_minute = 1000000')
  await client.query(`select set_config('request.jwt.claims', $1, false)`, [
    JSON.stringify({ sub: owner, role: 'authenticated' }),
  ])
})
afterAll(() => database.drop())

const known = Array.from({ length: 3 }, () => crypto.randomUUID())
const id = fc.oneof(fc.constantFrom(...known), fc.uuid(), fc.constantFrom('x', '', null, 1))
const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 600, maxLength: 700 }), fc.constant(7))
const any = fc.jsonValue({ maxDepth: 3 })
const url = fc.oneof(fc.webUrl(), fc.constantFrom('javascript:alert(1)', 'https://a b', '', null, {}))
const part = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      { id, title: text, name: text, summary: text, character_ids: fc.oneof(fc.array(id), any) },
      { requiredKeys: [] },
    ),
  },
  any,
)
const parts = fc.oneof(fc.array(part, { maxLength: 6 }), any)
const output = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        title: text,
        logline: text,
        script: text,
        text,
        image_prompt: text,
        url,
        episodes: parts,
        characters: parts,
        scenes: parts,
      },
      { requiredKeys: [] },
    ),
  },
  any,
)
const input = fc.oneof(
  fc.record({ episode_id: id, scene_id: id, target_id: id, kind: fc.constantFrom('image', 'portrait', 1) }),
  any,
)
const type = fc.constantFrom(
  'write_outline',
  'write_cast',
  'write_script',
  'write_scene',
  'draw_episode',
  'generate_image',
  'generate_video',
)

test('completes every step of a batch, whatever the outputs are', async () => {
  await client.query("insert into job_types (name) values ('noop')")
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(type, input, output), { minLength: 1, maxLength: 5 }), async (made) => {
      // An earlier attempt that failed may have left a drama with the same parts.
      await client.query('delete from dramas')
      const { rows } = await client.query(
        `select (save_drama_complete(json_build_object(
           'characters', json_build_array(json_build_object('id', $1::uuid)),
           'episodes', json_build_array(json_build_object('id', $2::uuid, 'scenes', json_build_array(json_build_object('id', $3::uuid))))
         ))::json ->> 'id')::uuid as id`,
        known,
      )
      const steps = [['noop', {}, { fine: true }] as const, ...made].map(([type, input], n) => ({
        key: `s${n}`,
        type,
        input,
      }))
      const plain = (value: unknown) => JSON.stringify(value).replaceAll('\\u0000', '')
      const run = await client.query('select app.submit_run($1, $2, null) as id', [
        plain({ key: 'root', type: 'group', steps }),
        owner,
      ])
      await client.query('insert into app.drama_runs (run_id, drama_id) values ($1, $2)', [run.rows[0].id, rows[0].id])
      const results = (await claimSteps(client, worker)).map((step) =>
        completed(step, step.key === 's0' ? { fine: true } : made[Number(step.key.slice(1)) - 1]?.[2]),
      )
      expect((await exchangeSteps(client, worker, plain(results))).refused).toEqual([])
      const ended = await client.query('select distinct status from jobs where root_id = $1', [run.rows[0].id])
      expect(ended.rows).toEqual([{ status: 'completed' }])
      const opened = await client.query('select get_drama_complete($1) as drama', [rows[0].id])
      // The drama can be saved as it was read.
      const saved = await client.query('select save_drama_complete($1) as drama', [
        JSON.stringify(opened.rows[0].drama),
      ])
      // (Saving closes the gaps in position that unusable parts left.)
      expect({ ...saved.rows[0].drama, updated_at: 0 }).toEqual({ ...opened.rows[0].drama, updated_at: 0 })
      await client.query('select delete_drama($1)', [rows[0].id])
    }),
    { numRuns: 150 },
  )
})

type Result = [step: ClaimedStep, output: object, children?: object[]]

test('generates no more than can be saved as it was read', async () => {
  const generate = async () =>
    (await client.query("select (d).* from (select generate_drama('A lighthouse') as d) as made")).rows[0]
  const open = async (id: string) => (await client.query('select get_drama_complete($1) as drama', [id])).rows[0].drama
  const save = async (drama: unknown) =>
    (await client.query('select save_drama_complete($1) as drama', [JSON.stringify(drama)])).rows[0].drama
  const claim = () => claimSteps(client, worker, 1000)
  const handIn = (results: Result[]) =>
    exchangeSteps(
      client,
      worker,
      results.map((result) => completed(...result)),
    )
  const some = (count: number) =>
    Array.from({ length: count }, () => ({ id: crypto.randomUUID(), title: 'x', name: 'x' }))

  // As many parts as a drama may have, together with those of a person.
  const drama = await generate()
  const [outline] = await claim()
  const episodes = some(5)
  const scripts = episodes.map(({ id }, n) => ({ key: `s${n}`, type: 'write_script', input: { episode_id: id } }))
  await handIn([[outline as ClaimedStep, { title: 'T', episodes }, [{ key: 'cast', type: 'write_cast' }, ...scripts]]])
  const steps = await claim()
  const opened = await open(drama.id)
  await save({ ...opened, characters: Array(198).fill({}), episodes: [...opened.episodes, ...Array(494).fill({})] })
  await handIn(
    steps.map(
      (step): Result =>
        step.key === 'cast' ? [step, { characters: some(4) }] : [step, { script: 'S', scenes: some(450) }],
    ),
  )
  const full = await open(drama.id)
  expect(full.characters).toHaveLength(200)
  expect(full.episodes.map(({ scenes }: { scenes: object[] }) => scenes.length).slice(0, 5)).toEqual([
    450, 450, 450, 450, 200,
  ])
  expect({ ...(await save(full)), updated_at: 0 }).toEqual({ ...full, updated_at: 0 })

  // Texts as long as a drama may have, of characters that take six bytes, in one batch and in several.
  const large = await generate()
  const [first] = await claim()
  const [episode] = some(1)
  await handIn([
    [
      first as ClaimedStep,
      { title: 'T', episodes: [episode] },
      [{ key: 's', type: 'write_script', input: { episode_id: episode?.id } }],
    ],
  ])
  const [script] = await claim()
  const scenes = some(60)
  const children = scenes.map(({ id }, n) => ({ key: `s${n}`, type: 'write_scene', input: { scene_id: id } }))
  await handIn([[script as ClaimedStep, { script: 'S', scenes }, children]])
  let written = 0
  for (let writing = await claim(); writing.length > 0; writing = await claim()) {
    const results = writing.map((step): Result => [step, { text: '\u0001'.repeat(18_000) }])
    for (let from = 0; from < results.length; from += 4) await handIn(results.slice(from, from + 4))
    written += writing.length
  }
  expect(written).toBe(60)
  const largest = await open(large.id)
  expect(JSON.stringify(largest).length).toBeGreaterThan(3_900_000)
  expect({ ...(await save(largest)), updated_at: 0 }).toEqual({ ...largest, updated_at: 0 })
  const left = await client.query(
    "select count(*)::integer as count from jobs where root_id = $1 and error_slug = 'output_not_taken'",
    [large.run_id],
  )
  const empty = largest.episodes[0].scenes.filter(({ text }: { text: string }) => text === '')
  expect(left.rows[0].count).toBe(empty.length)
  expect(empty.length).toBeGreaterThan(10)
})
