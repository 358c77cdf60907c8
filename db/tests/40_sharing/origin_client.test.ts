import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { v2 as v2Schema } from 'character-card-utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import { shareCard, shareFlow, shareSession } from '../../../scripts/testing/origin_client.ts'
import { someGif, startTestSidecar, type TestSidecar } from '../../../scripts/testing/sidecar.ts'
import { startTestStore, type TestStore } from '../../../scripts/testing/store.ts'

// The client code of origin 000 for cards and sessions, unchanged, with the sidecar as its backend.
let database: TestDatabase
let api: Api
let store: TestStore
let sidecar: TestSidecar
let anon: SupabaseClient

beforeAll(async () => {
  database = await createDatabase()
  ;[api, store] = await Promise.all([startApi(database), startTestStore()])
  sidecar = await startTestSidecar({ databaseUrl: database.url('sidecar'), storePort: store.port })
  anon = createClient(api.url, api.anonKey)
})
afterAll(async () => {
  await Promise.all([sidecar.stop(), api.stop()])
  await store.stop()
  await database.drop()
})

const open = async (url: string) =>
  (await anon.rpc('get_shared_resource', { share_id: url.split('/').at(-1) }, { get: true }).throwOnError()).data
const load = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer())

const card = {
  spec: 'chara_card_v2',
  spec_version: '2.0',
  data: {
    name: 'Mira',
    description: 'Keeps the lighthouse.',
    mes_example: '<START>',
    character_book: { extensions: {}, entries: [] },
    tags: ['sea'],
    creator: 'ana',
    character_version: '1.2',
    creator_notes: 'Be kind.',
    extensions: { title: 'The keeper', conceptualOrigin: 'a dream' },
  },
}

test('shares a card with its icon', async () => {
  const icon = someGif()
  const opened = await open(await shareCard(anon, sidecar.url, card, new File([icon], 'icon.gif')))
  v2Schema.parse(opened)
  expect(opened).toMatchObject({ ...card, data: { ...card.data, personality: '', alternate_greetings: [] } })
  expect(await load(opened.data.extensions.icon_url)).toEqual(icon)
})

test('shares a card without an icon, and one that lacks what the export left out', async () => {
  const opened = await open(await shareCard(anon, sidecar.url, { data: { name: 'Bo', extensions: {} } }, null))
  v2Schema.parse(opened)
  expect(opened.data.extensions).toMatchObject({ title: null, icon_url: null, conceptualOrigin: null })
})

test('shares a session with background, cover, icons, and the flow that it has shared before', async () => {
  const flowId = crypto.randomUUID()
  const flow = { name: 'F', description: null, nodes: [], edges: [], responseTemplate: null }
  await shareFlow(anon, { ...flow, agents: {}, dataStoreNodes: {}, ifNodes: {} } as never, undefined, flowId)

  const files = { background: someGif(), cover: someGif(), icon: someGif() }
  const session = {
    title: 'An evening',
    all_cards: [
      { id: 'c1', icon_asset_id: 'icon' },
      { id: 'c2', icon_asset_id: null },
      { id: 'c3', icon_asset_id: 'icon' },
    ],
    user_character_card_id: 'c1',
    turn_ids: ['t1', 't2'],
    background_id: 'background',
    cover_id: 'cover',
    translation: { to: 'fr' },
    chat_styles: null,
    flow_id: flowId,
  }
  const named = Object.fromEntries(Object.entries(files).map(([id, bytes]) => [id, new File([bytes], `${id}.gif`)]))
  const opened = await open(await shareSession(anon, sidecar.url, session, named))
  expect(opened).toMatchObject({
    title: 'An evening',
    user_character_card_id: 'c1',
    turn_ids: ['t1', 't2'],
    translation: { to: 'fr' },
    chat_styles: null,
    flow_id: flowId,
    flow: { ...flow, agents: {}, dataStoreNodes: {}, ifNodes: {} },
  })
  expect(await load(opened.background_url)).toEqual(files.background)
  expect(await load(opened.cover_url)).toEqual(files.cover)
  expect(opened.all_cards.map((one: { id: string }) => one.id)).toEqual(['c1', 'c2', 'c3'])
  expect(await load(opened.all_cards[0].icon_url)).toEqual(files.icon)
  expect(opened.all_cards[1].icon_url).toBeNull()
  expect(opened.all_cards[2].icon_url).toBe(opened.all_cards[0].icon_url)
})
