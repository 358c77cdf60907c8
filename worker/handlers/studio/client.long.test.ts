import type { SupabaseClient } from '@supabase/supabase-js'
import { PNG } from 'pngjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makePng } from '../../../scripts/local/gemini.ts'
import { startStudio, type TestStudio } from '../../../scripts/testing/studio.ts'
import { until } from '../../../scripts/testing/waiting.ts'

// A client of the studio, as a front-end developer writes it from origin 004 §5 to §7 and from our list of deviations: with
// supabase-js, against the local Auth, PostgREST and Storage, and a real worker.
let studio: TestStudio

beforeAll(async () => {
  studio = await startStudio()
  await studio.startWorker()
})
afterAll(() => studio.stop())

type Answer = {
  generation_id: string
  status: string
  cached: boolean
  url: string | null
  result: Record<string, unknown> | null
  credits: number
}
type Row = { id: string; status: string; url: string | null; result: object | null; error: string | null }

/** The app: a signed-in user who uploads photos and applies tools. */
function createApp(supabase: SupabaseClient, userId: string) {
  const wait = async (id: string): Promise<Row> => {
    let row: Row | undefined
    await until('the generation ends', async () => {
      // An app subscribes to the row; a test reads it again.
      const { data } = await supabase.from('generations').select('*').eq('id', id).single<Row>().throwOnError()
      row = data
      return data.status !== 'pending'
    })
    return row as Row
  }
  const request = async (kind: 'process_image' | 'analyze_face', tool: string, photo: string, parameters: object) => {
    const { data } = await supabase.from('tools').select('id').eq('key', tool).single().throwOnError()
    return supabase
      .rpc(kind, { tool_id: data.id, tool_parameters: parameters, original_image_storage_path: photo })
      .single<Answer>()
  }
  const answerOf = async (...args: Parameters<typeof request>) => {
    const { data, error } = await request(...args)
    if (error) throw error
    return data
  }
  return {
    async upload(name: string, photo: Buffer): Promise<string> {
      const { data, error } = await supabase.storage
        .from('user_uploads')
        .upload(`${userId}/${name}`, photo, { contentType: 'image/png' })
      if (error) throw error
      return data.fullPath
    },
    request,
    answerOf,
    wait,
    async apply(kind: 'process_image' | 'analyze_face', tool: string, photo: string, parameters: object = {}) {
      const answer = await answerOf(kind, tool, photo, parameters)
      return { answer, row: await wait(answer.generation_id) }
    },
    credits: async () => (await supabase.from('users').select('credits, credits_held').single().throwOnError()).data,
    notifications: async () =>
      (await supabase.from('notifications').select('*').order('created_at').throwOnError()).data,
  }
}

test('signs up, uploads a photo, edits it, gets the same again from the cache, and analyses it', async () => {
  const { client, id } = await studio.signUp()
  const app = createApp(client, id)
  const before = (await app.credits()).credits
  const photo = makePng('a face')
  const path = await app.upload('original.png', photo)
  expect(path).toBe(`user_uploads/${id}/original.png`)

  const parameters = { color: 'copper red', technique: 'balayage' }
  const first = await app.apply('process_image', 'change_hair_color', path, parameters)
  expect(first.answer).toMatchObject({ status: 'pending', cached: false, url: null, credits: before - 1 })
  expect(first.row).toMatchObject({ status: 'completed', error: null })
  expect(await app.credits()).toEqual({ credits: before - 1, credits_held: 0 })
  const loaded = await fetch(String(first.row.url))
  expect([loaded.status, loaded.headers.get('content-type')]).toEqual([200, 'image/png'])
  const [drawn, original] = [PNG.sync.read(Buffer.from(await loaded.arrayBuffer())), PNG.sync.read(photo)]
  // The stand-in paints over the photo that the worker has sent.
  const tint = (at: number) => (drawn.data[at] ?? 0) ^ (original.data[at] ?? 0)
  expect([drawn.width, drawn.height, tint(0), tint(1)]).toEqual([160, 90, tint(4000), tint(4001)])
  expect(drawn.data.equals(original.data)).toBe(false)

  const sold = studio.gemini.sold.length
  const again = await app.apply('process_image', 'change_hair_color', path, {
    technique: 'balayage',
    color: 'copper red',
  })
  expect(again.answer).toEqual({
    generation_id: first.answer.generation_id,
    status: 'completed',
    cached: true,
    url: first.row.url,
    result: null,
    credits: before - 1,
  })
  expect(studio.gemini.sold).toHaveLength(sold)

  const { row } = await app.apply('analyze_face', 'analyze_face_shape', path)
  expect(row).toMatchObject({ status: 'completed', url: null, result: expect.any(Object) })
  expect((await app.notifications()).map(({ kind }) => kind)).toEqual(['generation_completed', 'generation_completed'])
  const { data: usage } = await client.from('credit_usage').select('credits').throwOnError()
  expect(usage).toHaveLength(2)
})

test('hears why a photo was refused, and is not charged', async () => {
  const { client, id } = await studio.signUp()
  const app = createApp(client, id)
  const before = await app.credits()
  const path = await app.upload('original.png', makePng('something else'))
  studio.gemini.behave({ faults: [{ kind: 'blocked', every: 1, times: 1 }] })
  const { row } = await app.apply('process_image', 'change_hair_color', path, { color: 'black' })
  expect(row).toMatchObject({
    status: 'failed',
    error: 'The model refuses this photo: the photo or the result may show something forbidden. Use another photo.',
  })
  expect(await app.credits()).toEqual(before)
  expect(await app.notifications()).toEqual(
    expect.arrayContaining([expect.objectContaining({ kind: 'generation_failed', body: row.error })]),
  )

  const text = await app.upload('text.png', Buffer.from('no photo at all'))
  const invalid = await app.apply('process_image', 'change_hair_color', text, { color: 'black' })
  expect(invalid.row).toMatchObject({
    status: 'failed',
    error: 'The file is not a photo. Upload a JPEG, PNG, WebP or HEIC image.',
  })
  expect(await app.credits()).toEqual(before)
})

test('is out of credits, gets more, and goes on', async () => {
  const { client, id } = await studio.signUp()
  const app = createApp(client, id)
  const path = await app.upload('original.png', makePng('a third face'))
  const { credits } = await app.credits()
  const service = studio.service
  const adjust = (amount: number) =>
    service.rpc('adjust_credits', { user_id: id, amount, reason: 'Test.', idempotency_key: `${amount}` }).throwOnError()
  await adjust(-credits)
  const poor = await app.request('process_image', 'change_hair_color', path, { color: 'black' })
  expect([poor.status, poor.error?.details]).toEqual([402, 'credits_insufficient'])
  await adjust(5)
  const { row } = await app.apply('process_image', 'change_hair_color', path, { color: 'black' })
  expect(row.status).toBe('completed')
  expect((await app.credits()).credits).toBe(4)
})

test('a generation fails with a message for the user if its photo is deleted first', async () => {
  const { client, id } = await studio.signUp()
  const app = createApp(client, id)
  const before = await app.credits()
  const path = await app.upload('original.png', makePng('a fourth face'))
  studio.faulty.fail('hold', { method: 'GET', times: 1 })
  const data = await app.answerOf('process_image', 'change_hair_color', path, { color: 'black' })
  await studio.faulty.held()
  expect((await client.storage.from('user_uploads').remove([`${id}/original.png`])).data).toHaveLength(1)
  studio.faulty.release()
  expect(await app.wait(data.generation_id)).toMatchObject({
    status: 'failed',
    error: 'The photo does not exist any more. Upload it again.',
  })
  expect(await app.credits()).toEqual(before)
})

test('neither reads nor guesses the rows, photos, images and cache of another user', async () => {
  const [ana, bea] = await Promise.all([studio.signUp(), studio.signUp()])
  const [anas, beas] = [createApp(ana.client, ana.id), createApp(bea.client, bea.id)]
  const photo = makePng('the same face')
  const path = await anas.upload('original.png', photo)
  const { answer, row } = await anas.apply('process_image', 'change_hair_color', path, { color: 'blue' })
  expect(row.status).toBe('completed')
  for (const name of [path, `${ana.id}/original.png`, `${bea.id}/../${ana.id}/original.png`]) {
    const stolen = await beas.request('process_image', 'change_hair_color', name, { color: 'blue' })
    expect([stolen.status, stolen.error?.details]).toEqual([404, 'original_not_found'])
  }
  // The same photo and parameters of another user are another entry of the cache.
  const own = await beas.apply('process_image', 'change_hair_color', await beas.upload('original.png', photo), {
    color: 'blue',
  })
  expect(own.answer.cached).toBe(false)
  expect(own.answer.generation_id).not.toBe(answer.generation_id)
  expect((await bea.client.from('generations').select('id').throwOnError()).data).toEqual([
    { id: own.answer.generation_id },
  ])
  expect((await bea.client.from('generations').delete().eq('id', answer.generation_id).select()).data).toEqual([])
  const cancelled = await bea.client.rpc('cancel_generation', { generation_id: answer.generation_id })
  expect([cancelled.status, cancelled.error?.details]).toEqual([404, 'generation_not_found'])
  expect(
    (
      await bea.client
        .schema('cache' as 'public')
        .from('kv_store')
        .select('*')
    ).error,
  ).not.toBeNull()
})
