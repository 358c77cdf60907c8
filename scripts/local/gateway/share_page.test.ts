import { readFile } from 'node:fs/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../testing/database.ts'

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

/** Opens a page as a browser does, without a key. */
async function open(path: string) {
  const answered = await fetch(`${api.url}${path}`)
  return { status: answered.status, headers: answered.headers, url: answered.url, html: await answered.text() }
}

async function share(name: string, parameters: object): Promise<string> {
  const share_id = crypto.randomUUID()
  await anon.rpc(name, { ...parameters, share_id }).throwOnError()
  return share_id
}

const attack = `<script>alert("1")</script>'"&<img src=x onerror=alert(2)>`

test('shows a flow with its agents, and the links of shares lead to the page', async () => {
  const flow = JSON.parse(await readFile(new URL('../../demo/flow.json', import.meta.url), 'utf8'))
  const id = await share('share_flow', { flow })
  const page = await open(`/flows/detail/${id}`)
  expect([page.status, page.url]).toEqual([200, `${api.url}/share/${id}`])
  expect(page.html).toContain('<h1>A fencing master&#39;s winter</h1>')
  const agents = Object.values<{ name: string }>(flow.agents)
  expect(agents.length).toBeGreaterThan(0)
  for (const { name } of agents) expect(page.html.split('<details>')[0]).toContain(name)
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const policy = page.headers.get('content-security-policy')
  expect(policy).toMatch(/^default-src 'none'; img-src 'none'; style-src 'sha256-[^']+'; /)
  expect(page.headers.get('access-control-allow-origin')).toBeNull()
})

test('shows a character, a scenario and a session, and escapes every text', async () => {
  const card = { spec: 'chara_card_v2', spec_version: '2.0', data: { name: attack, description: attack } }
  const scenario = { ...card, data: { ...card.data, scenario: attack, first_mes: 'Once upon a time', tags: [attack] } }
  const pages = await Promise.all([
    share('share_card', { card, kind: 'character' }).then((id) => open(`/cards/detail/${id}`)),
    share('share_card', { card: scenario, kind: 'scenario' }).then((id) => open(`/cards/detail/${id}`)),
    share('share_session', { session: { title: attack, all_cards: [card], turn_ids: [] } }).then((id) =>
      open(`/sessions/detail/${id}`),
    ),
    share('share_flow', { flow: { name: attack, description: attack, nodes: [], edges: [] } }).then((id) =>
      open(`/flows/detail/${id}`),
    ),
  ])
  expect(pages.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  for (const { html } of pages) {
    expect(html).toContain('&#60;script&#62;')
    expect(html).not.toMatch(/<script|<img|onerror="|javascript:/i)
  }
  expect(pages[0]?.html).toContain('A shared character')
  expect(pages[1]?.html).toContain('Once upon a time')
  expect(pages[2]?.html).toContain('A shared session')
})

test('says that a share is gone if the share has expired, or the id is unknown or malformed', async () => {
  const id = await share('share_flow', { flow: { name: 'Soon', nodes: [], edges: [] } })
  const db = await database.connect()
  await db.query("update shared_resources set expires_at = created_at + interval '1 microsecond' where id = $1", [id])
  for (const gone of [id, crypto.randomUUID(), 'x', encodeURIComponent('"><script>alert(1)</script>'), '..%2f..%2fx']) {
    const { status, html } = await open(`/share/${gone}`)
    expect([status, html.includes('This share is gone'), html.includes('<script')], gone).toEqual([404, true, false])
  }
  expect((await open('/dramas/detail/x')).status).toBe(404)
})
