import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'

// Rows that a client inserts directly, as origin 000 does: safe to repeat, and readable by the statement that inserts them.

let database: TestDatabase
let api: Api
let anon: SupabaseClient

beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database)
  anon = createClient(api.url, api.anonKey)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

type Table = 'flows' | 'characters' | 'scenarios' | 'sessions'
const rows: Record<Table, Record<string, unknown>> = {
  flows: { name: 'F', nodes: [], edges: [] },
  characters: { name: 'C' },
  scenarios: { name: 'S' },
  sessions: { title: 'T', all_cards: [] },
}
const tables = Object.keys(rows) as Table[]
const insertFlow = async (id = crypto.randomUUID() as string) => {
  await anon
    .from('flows')
    .insert({ id, ...rows.flows })
    .throwOnError()
  return id
}

test.each(tables)('an insert into %s may be repeated with ignoreDuplicates', async (table) => {
  const id = crypto.randomUUID()
  const send = (row: object) => anon.from(table).upsert({ id, ...row }, { ignoreDuplicates: true })
  expect(await send(rows[table])).toMatchObject({ status: 201, error: null })
  expect(await send(rows[table])).toMatchObject({ status: 201, error: null })
  // supabase-js sends on_conflict only if it is told to; both forms name the id.
  const named = anon.from(table).upsert({ id, ...rows[table] }, { ignoreDuplicates: true, onConflict: 'id' })
  expect(await named.select()).toMatchObject({ error: null, data: [] })
  const other = crypto.randomUUID()
  const both = [other, id].map((one) => ({ id: one, ...rows[table] }))
  const { data } = await anon.from(table).upsert(both, { ignoreDuplicates: true }).select('id').throwOnError()
  expect(data).toEqual([{ id: other }])
})

test.each(tables)('an insert into %s without an id is refused', async (table) => {
  expect(await anon.from(table).insert(rows[table])).toMatchObject({
    status: 422,
    error: { details: 'id_missing', hint: expect.stringContaining('crypto.randomUUID()') },
  })
  expect(await anon.from(table).insert({ id: null, ...rows[table] })).toMatchObject({
    error: { details: 'id_missing' },
  })
})

test('an insert returns the row, and a later request does not', async () => {
  for (const table of tables) {
    const id = crypto.randomUUID()
    const inserted = await anon
      .from(table)
      .insert({ id, ...rows[table] })
      .select()
      .single()
    expect(inserted, table).toMatchObject({ status: 201, data: { id } })
    expect((await anon.from(table).select('id').eq('id', id)).data).toEqual([])
  }
  const flow_id = await insertFlow()
  for (const table of ['agents', 'data_store_nodes', 'if_nodes']) {
    const node = anon.from(table).upsert({ flow_id, id: 'a', name: 'A' }, { ignoreDuplicates: true })
    expect(await node.select('id').single(), table).toMatchObject({ data: { id: 'a' } })
    expect((await anon.from(table).select('id')).data, table).toEqual([])
  }
  const share = { id: crypto.randomUUID(), resource_type: 'flow', resource_id: flow_id }
  expect(await anon.from('shared_resources').insert(share).select('id').single()).toMatchObject({
    data: { id: share.id },
  })
})

test('an insert shows no row but its own', async () => {
  // Somebody's flow that is not shared yet, whose id the attacker knows.
  const flow_id = await insertFlow()
  await anon.from('agents').insert({ flow_id, id: 'secret', name: 'Secret' }).throwOnError()
  const character = crypto.randomUUID()
  await anon.from('characters').insert({ id: character, name: 'Secret' }).throwOnError()

  const agent = await anon.from('agents').insert({ flow_id, id: 'mine' }).select('id, flows(id, name)')
  expect(agent.data).toEqual([{ id: 'mine', flows: null }])
  const both = [
    { id: crypto.randomUUID(), ...rows.flows },
    { id: flow_id, ...rows.flows },
  ]
  const known = await anon.from('flows').upsert(both, { ignoreDuplicates: true }).select('id, agents(name)')
  expect(known.data).toEqual([{ id: both[0]?.id, agents: [] }])
  // A row of one table does not show a row of another table with the same id.
  const session = { id: flow_id, ...rows.sessions }
  expect((await anon.from('sessions').insert(session).select('id')).data).toEqual([{ id: flow_id }])
  expect(
    (await anon.from('characters').upsert({ id: character, name: 'x' }, { ignoreDuplicates: true }).select()).data,
  ).toEqual([])
  expect((await anon.from('flows').select('id')).data).toEqual([])
})

test('an unknown type or visibility of a share is refused with the known ones', async () => {
  const share = { id: crypto.randomUUID(), resource_type: 'flow', resource_id: crypto.randomUUID() }
  expect(await anon.from('shared_resources').insert({ ...share, resource_type: 'card' })).toMatchObject({
    status: 422,
    error: { details: 'resource_type_unknown', hint: 'Use flow, card_character, card_scenario or session.' },
  })
  expect(await anon.from('shared_resources').insert({ ...share, visibility: 'privat' })).toMatchObject({
    status: 422,
    error: { details: 'visibility_unknown', hint: 'Use unlisted or public.' },
  })
})

test("select('*') works on every table that everybody may read", async () => {
  for (const table of ['job_types', 'plans', 'ai_models', 'tools', 'flows', 'shared_resources'])
    expect((await anon.from(table).select('*').limit(1)).error, table).toBeNull()
})
