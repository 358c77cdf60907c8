import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Document, type DramaApi, startDramaApi } from './drama_api.ts'

let dramas: DramaApi

beforeAll(async () => {
  dramas = await startDramaApi()
})
afterAll(() => dramas.stop())

test('lists all dramas, newest first, page by page', async () => {
  const { client } = dramas
  const { user, client: api } = await dramas.createUser('cleo')
  // Ten at the same moment each, so that the id decides.
  await client.query(
    `insert into dramas (owner_id, title, created_at)
     select $1, n::text, timestamptz '2026-01-01' + (n / 10) * interval '1 second' from generate_series(1, 45) as n`,
    [user.id],
  )
  const seen: string[] = []
  let after: string | null = null
  let pages = 0
  do {
    const page: Document = await api.rpc('list_dramas', { page_size: 10, after })
    expect(page.error).toBeNull()
    seen.push(...page.data.dramas.map((drama: { id: string }) => drama.id))
    after = page.data.next
    pages += 1
  } while (after !== null)
  const { rows } = await client.query('select id from dramas where owner_id = $1 order by created_at desc, id desc', [
    user.id,
  ])
  expect(seen).toEqual(rows.map((row) => row.id))
  expect(pages).toBe(5)
  for (const page of [{ page_size: 0 }, { page_size: 101 }, { after: 'x' }, { after: '1_x' }, { page_size: null }]) {
    expect(await api.rpc('list_dramas', page)).toMatchObject({ status: 422, error: { details: 'page_invalid' } })
  }
  expect((await api.from('dramas').select('id, title').order('title').limit(1)).data).toMatchObject([{ title: '1' }])
})

test('takes limit as list_tasks does, and a tag that changes with the page', async () => {
  const { client: api, user } = await dramas.createUser('dora')
  for (const title of ['one', 'two', 'three'])
    await dramas.client.query('insert into dramas (owner_id, title) values ($1, $2)', [user.id, title])
  expect((await api.rpc('list_dramas', { limit: 2 })).data.dramas).toHaveLength(2)
  expect((await api.rpc('list_dramas', { limit: 1, page_size: 3 })).data.dramas).toHaveLength(1)
  expect(await api.rpc('list_dramas', { limit: 0 })).toMatchObject({ status: 422, error: { details: 'page_invalid' } })

  const get = (headers: Record<string, string> = {}) => dramas.send(user, 'rpc/list_dramas?page_size=2', headers)
  const first = await get()
  const tag = first.headers.get('etag') ?? ''
  expect(tag).toMatch(/^"[0-9a-f]{32}"$/)
  expect(first.headers.get('cache-control')).toBe('private, no-cache')
  const unchanged = await get({ 'if-none-match': tag })
  expect([unchanged.status, unchanged.text]).toEqual([304, ''])
  await dramas.client.query("update dramas set title = 'four' where owner_id = $1 and title = 'three'", [user.id])
  const changed = await get({ 'if-none-match': tag })
  expect([changed.status, JSON.parse(changed.text).dramas[0].title]).toEqual([200, 'four'])
})

test('every Accept and Range header gets the whole document or a 4xx', async () => {
  const { client: api, user } = await dramas.createUser('elsa')
  const { data: drama } = await api.rpc('save_drama_complete', { drama: { title: 'A' } })
  for (const [name, parameters] of [
    ['get_drama_complete', { drama_id: drama.id }],
    ['list_dramas', {}],
    ['list_tasks', {}],
    ['list_public_shares', {}],
  ] as const) {
    const plain = (await api.rpc(name, parameters)).data
    expect(plain, name).toBeTypeOf('object')
    const call = () => api.rpc(name, parameters)
    expect((await call().single()).data, `${name} single`).toEqual(plain)
    expect((await call().maybeSingle()).data, `${name} maybeSingle`).toEqual(plain)
    expect(JSON.parse((await call().csv()).data ?? 'null'), `${name} csv`).toEqual(plain)
    expect((await call().limit(1)).data, `${name} limit`).toEqual(plain)
    expect((await call().range(0, 9)).data, `${name} range`).toEqual(plain)
    expect(await call().range(10, 19), `${name} second range`).toMatchObject({ status: 416, data: null })
    expect((await api.rpc(name, parameters, { count: 'exact' })).data, `${name} count`).toEqual(plain)
    expect((await api.rpc(name, parameters, { head: true })).status, `${name} head`).toBe(200)
    const query = new URLSearchParams(parameters as Record<string, string>)
    for (const accept of ['text/csv', 'text/plain', 'application/geo+json', 'application/vnd.pgrst.object+json']) {
      const answer = await dramas.send(user, `rpc/${name}?${query}`, { accept })
      expect(JSON.parse(answer.text), `${name} as ${accept}`).toEqual(plain)
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    }
  }
})
