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
