import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Document, type DramaApi, startDramaApi } from './drama_api.ts'

// The owner edits single scenes and episodes with PATCH, instead of saving the whole drama.

let dramas: DramaApi
let drama: Document
let scene: Document

beforeAll(async () => {
  dramas = await startDramaApi()
})
afterAll(() => dramas.stop())

async function makeDrama(): Promise<void> {
  const scenes = [{ title: 'First', summary: 's', text: 't' }, { title: 'Second' }]
  const saved = await dramas.ana
    .rpc('save_drama_complete', { drama: { title: 'A', episodes: [{ title: 'E', scenes }] } })
    .throwOnError()
  drama = saved.data
  scene = drama.episodes[0].scenes[0]
}

async function patch(path: string, body: unknown, headers: Record<string, string> = {}) {
  // Users may not select every column.
  const response = await fetch(`${dramas.api.url}/rest/v1/${path}&select=id,title,summary`, {
    method: 'PATCH',
    headers: {
      apikey: dramas.api.anonKey,
      authorization: `Bearer ${await dramas.api.tokenFor(dramas.users.ana)}`,
      'content-type': 'application/json',
      prefer: 'return=representation',
      ...headers,
    },
    body: JSON.stringify(body),
  })
  return { status: response.status, tag: response.headers.get('etag'), body: await response.json() }
}

const read = async () => {
  const { headers, text } = await dramas.send(dramas.users.ana, `rpc/get_drama_complete?drama_id=${drama.id}`)
  return { tag: headers.get('etag'), drama: JSON.parse(text) }
}

test('an edit raises the version of the drama, and sends the new tag', async () => {
  await makeDrama()
  const before = await read()
  const edited = await patch(`scenes?id=eq.${scene.id}`, { title: 'New', summary: '', text: 'x'.repeat(100_000) })
  expect(edited).toMatchObject({ status: 200, body: [{ id: scene.id, title: 'New' }] })
  expect(edited.tag).not.toBe(before.tag)
  const after = await read()
  expect(after.tag).toBe(edited.tag)
  expect(after.drama.episodes[0].scenes.map(({ title }: Document) => title)).toEqual(['New', 'Second'])
  const episode = await patch(`episodes?id=eq.${drama.episodes[0].id}`, { title: 'E2', summary: 'S2' })
  expect((await read()).drama.episodes[0]).toMatchObject({ title: 'E2', summary: 'S2' })
  expect((await read()).tag).toBe(episode.tag)
  // The package is stored, and its size counts.
  const { rows } = await dramas.client.query(
    `select p.updated_at = d.updated_at as is_packed, octet_length(p.package::text)::int = z.document_bytes as is_counted
     from dramas as d join app.drama_packages as p on p.drama_id = d.id join app.drama_sizes as z on z.drama_id = d.id
     where d.id = $1`,
    [drama.id],
  )
  expect(rows).toEqual([{ is_packed: true, is_counted: true }])
  // A client that read the drama before the edit cannot overwrite it.
  const stale = await dramas.ana.rpc('save_drama_complete', { drama: before.drama })
  expect(stale).toMatchObject({ status: 409, error: { details: 'drama_changed' } })
})

test('If-Match refuses an edit of a drama that has changed', async () => {
  await makeDrama()
  const { tag } = await read()
  const path = `scenes?id=eq.${scene.id}`
  const first = await patch(path, { title: 'one' }, { 'if-match': tag ?? '' })
  expect(first.status).toBe(200)
  expect(await patch(path, { title: 'two' }, { 'if-match': tag ?? '' })).toMatchObject({
    status: 409,
    body: { details: 'drama_changed' },
  })
  expect(await patch(path, { title: 'two' }, { 'if-match': first.tag ?? '' })).toMatchObject({ status: 200 })
  expect(await patch(path, { title: 'three' }, { 'if-match': '*' })).toMatchObject({ status: 200 })
})

test('an edit is checked as save_drama_complete checks a document', async () => {
  await makeDrama()
  const { tag } = await read()
  const path = `scenes?id=eq.${scene.id}`
  for (const body of [{ title: 'x'.repeat(10_001) }, { text: null }, { summary: 'x'.repeat(200_000) }]) {
    const key = Object.keys(body)[0]
    expect(await patch(path, body), key).toMatchObject({
      status: 422,
      body: { details: 'drama_invalid', message: expect.stringContaining(`"${key}" must be a text of up to`) },
    })
  }
  for (const body of [{ image_url: 'https://example.com/a.png' }, { position: 5 }, { owner_id: dramas.users.ben.id }])
    expect((await patch(path, body)).status).toBe(403)
  expect((await patch(`episodes?id=eq.${drama.episodes[0].id}`, { script: 's' })).status).toBe(400)
  expect((await read()).tag).toBe(tag)
  await dramas.client.query('update plans set bytes_stored = 1')
  expect(await patch(path, { text: 'x'.repeat(1000) })).toMatchObject({
    status: 409,
    body: { details: 'storage_used_up' },
  })
  expect(await patch(path, { title: '', text: '' })).toMatchObject({ status: 200 })
  await dramas.client.query('update plans set bytes_stored = 1e9')
  await dramas.client.query('update app.settings set drama_writes_per_minute = 1')
  await patch(path, { title: 'again' })
  expect(await patch(path, { title: 'too often' })).toMatchObject({ status: 429, body: { details: 'rate_limited' } })
  await dramas.client.query('update app.settings set drama_writes_per_minute = 1000000')
})

test('a user cannot edit the scenes of another user', async () => {
  await makeDrama()
  const edited = await dramas.ben.from('scenes').update({ title: 'Mine' }).eq('id', scene.id).select('id')
  expect(edited).toMatchObject({ status: 200, data: [] })
  expect((await read()).drama.episodes[0].scenes[0].title).toBe('First')
})

test('edits of one drama at the same time all succeed, next to saves and steps that hold the drama', async () => {
  await makeDrama()
  const [first, second] = drama.episodes[0].scenes
  const edits = await Promise.all(
    Array.from({ length: 12 }, (_, n) => patch(`scenes?id=eq.${n % 2 ? first.id : second.id}`, { text: `${n}` })),
  )
  expect(edits.map(({ status }) => status)).toEqual(Array(12).fill(200))
  // A step locks the drama, then waits for the row of an edit: the edit ends, instead of a deadlock.
  const worker = await dramas.database.connect()
  await worker.query('begin')
  await worker.query('select from dramas where id = $1 for no key update', [drama.id])
  const refused = await patch(`scenes?id=eq.${first.id}`, { text: 'late' })
  expect(refused).toMatchObject({ status: 409, body: { details: 'drama_changed', hint: 'Repeat the request.' } })
  await worker.query('update scenes set text = $2 where id = $1', [first.id, 'by the step'])
  await worker.query('commit')
  expect((await patch(`scenes?id=eq.${first.id}`, { text: 'late' })).status).toBe(200)
})
