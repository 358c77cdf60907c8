import type { SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Fault } from '../../../scripts/local/gemini.ts'
import { makePng } from '../../../scripts/local/gemini.ts'
import { startStudio, type TestStudio } from '../../../scripts/testing/studio.ts'
import { until } from '../../../scripts/testing/waiting.ts'
import type { TestWorker } from '../../../scripts/testing/workers.ts'

// Whole lives of generations: a client, PostgREST, Storage and real worker processes that are killed at each step, with a
// stand-in for Gemini and a Storage that fail. At the end of each test, every completed generation has one charge and one
// image, every other one has neither, and after the cleaning no object is left over.
let studio: TestStudio
let admin: pg.Client
let ana: SupabaseClient
let anaId: string
let path: string
let tools: Record<string, string>
/** A new photo for each test, so that no test hits the cache of another one. */
let photos = 0

beforeAll(async () => {
  studio = await startStudio()
  admin = studio.admin
  await admin.query("update app.settings set job_lease = '3 seconds', generations_open = 1000")
  await admin.query("update public.plans set credits_per_period = 10000 where id = 'free'")
  const { rows } = await admin.query('select key, id from tools')
  tools = Object.fromEntries(rows.map(({ key, id }) => [key, id]))
  const user = await studio.signUp()
  ana = user.client
  anaId = user.id
})
beforeEach(async () => {
  studio.gemini.behave({ latencyMs: 0, faults: [] })
  path = await upload(ana, anaId)
})
afterEach(async () => {
  studio.faulty.forget()
  studio.faulty.heal()
  await studio.stopWorkers()
  await settle()
})
afterAll(() => studio.stop())

async function upload(client: SupabaseClient, userId: string): Promise<string> {
  photos += 1
  const name = `${userId}/${photos}.png`
  const { error } = await client.storage
    .from('user_uploads')
    .upload(name, makePng(`face ${photos}`), { contentType: 'image/png' })
  if (error) throw error
  return name
}

type Row = { id: string; status: string; url: string | null; result: object | null; error: string | null }

/** Requests an image, or an analysis. */
async function request(color = 'red', client = ana, photo = path): Promise<string> {
  const { data } = await client
    .rpc(color === 'analysis' ? 'analyze_face' : 'process_image', {
      tool_id: color === 'analysis' ? tools['analyze_face_shape'] : tools['change_hair_color'],
      tool_parameters: color === 'analysis' ? {} : { color },
      original_image_storage_path: photo,
    })
    .single<{ generation_id: string }>()
    .throwOnError()
  return data.generation_id
}

async function ended(id: string): Promise<Row> {
  let row: Row | undefined
  await until('the generation ends', async () => {
    row = (await admin.query('select * from public.generations where id = $1', [id])).rows[0]
    return row?.status !== 'pending'
  })
  return row as Row
}

/** Kills a worker as a crash does. */
async function kill(worker: TestWorker): Promise<void> {
  process.kill(worker.pid, 'SIGKILL')
  await worker.exited
}

/** Checks the books, lets a worker clean, and checks that only the images of completed generations are left. */
async function settle(): Promise<void> {
  const { rows: faults } = await admin.query(`
    select g.id, g.status, h.status as hold, (
      select count(*)::integer from public.credit_usage as u where u.run_id = g.run_id
    ) as charges
    from public.generations as g
    left join public.credit_holds as h on h.run_id = g.run_id
    where h.status is distinct from case g.status when 'completed' then 'captured' else 'released' end
      or (select count(*) from public.credit_usage as u where u.run_id = g.run_id)
        <> case g.status when 'completed' then 1 else 0 end`)
  expect(faults).toEqual([])
  expect((await admin.query('select * from ops.credit_faults')).rows).toEqual([])
  expect((await admin.query('select from public.users where credits_held <> 0')).rowCount).toBe(0)
  await admin.query('update app.generation_files set delete_at = app.now() where delete_at is not null')
  const cleaner = await studio.startWorker()
  await admin.query('select app.enqueue_file_removal()')
  await until('the files are removed', async () => {
    const { rows } = await admin.query(
      `select (select count(*) from app.generation_files where delete_at is not null)
         + (select count(*) from app.deleted_folders where delete_at <= app.now() or claim_id is not null) as due`,
    )
    return Number(rows[0].due) === 0
  })
  await cleaner.stop('SIGTERM', 6000)
  const { rows: objects } = await admin.query(
    "select name from storage.objects where bucket_id = 'generations' order by 1",
  )
  const { rows: images } = await admin.query(
    "select split_part(url, '/public/generations/', 2) as name from public.generations where url is not null order by 1",
  )
  expect(objects).toEqual(images)
}

const imageFaults: [string, Fault[], string][] = [
  ['503 twice', [{ kind: 'unavailable', every: 1, times: 2 }], 'completed'],
  ['a connection that is reset', [{ kind: 'reset', every: 1, times: 1 }], 'completed'],
  ['an answer without an image', [{ kind: 'no_image', every: 1, times: 2 }], 'completed'],
  ['a cut image', [{ kind: 'cut_image', every: 1, times: 2 }], 'completed'],
  ['a slow answer', [{ kind: 'slow', every: 1, times: 1, delayMs: 1500 }], 'completed'],
  ['503 always', [{ kind: 'unavailable', every: 1 }], 'failed'],
  ['cut images always', [{ kind: 'cut_image', every: 1 }], 'failed'],
  ['no image always', [{ kind: 'no_image', every: 1 }], 'failed'],
  ['a refusal of safety', [{ kind: 'safety', every: 1 }], 'failed'],
  ['a refusal of the prompt', [{ kind: 'blocked', every: 1 }], 'failed'],
]
const analysisFaults: [string, Fault[], string][] = [
  ['JSON of another form once', [{ kind: 'wrong_json', every: 1, times: 1 }], 'completed'],
  ['JSON that breaks off once', [{ kind: 'broken_json', every: 1, times: 1 }], 'completed'],
  ['JSON in a fence', [{ kind: 'fence', every: 1 }], 'completed'],
  ['a schema that is refused', [{ kind: 'too_many_states', every: 1 }], 'completed'],
  ['JSON of another form always', [{ kind: 'wrong_json', every: 1 }], 'failed'],
]

test('a fault of Gemini that passes costs time, and a fault that stays fails the generation', async () => {
  await studio.startWorker()
  for (const [name, faults, status] of imageFaults) {
    studio.gemini.behave({ faults })
    expect([name, (await ended(await request(name))).status]).toEqual([name, status])
  }
  for (const [name, faults, status] of analysisFaults) {
    studio.gemini.behave({ faults })
    const photo = await upload(ana, anaId)
    expect([name, (await ended(await request('analysis', ana, photo))).status]).toEqual([name, status])
  }
})

test.each<[string, () => void]>([
  ['downloads the photo', () => studio.faulty.fail('hold', { method: 'GET', times: 1 })],
  ['waits for Gemini', () => studio.gemini.behave({ faults: [{ kind: 'hang', every: 1, times: 1 }] })],
  ['uploads the image', () => studio.faulty.fail('hold', { method: 'PUT', times: 1 })],
  [
    'has uploaded the image',
    () => {
      // The answer to the first upload is lost, so the worker repeats the upload, and is killed before it reports the result.
      studio.faulty.fail('drop', { method: 'PUT', times: 1 })
      studio.faulty.fail('hold', { method: 'PUT', times: 1 })
    },
  ],
])('a worker is killed while it %s: the next one completes the generation', async (name, hinder) => {
  hinder()
  const worker = await studio.startWorker()
  const asked = studio.gemini.requests.length
  const id = await request()
  if (name === 'waits for Gemini') {
    await until('Gemini is asked', () => studio.gemini.requests.length > asked)
  } else await studio.faulty.held()
  await kill(worker)
  studio.faulty.forget()
  await studio.startWorker()
  expect(await ended(id)).toMatchObject({ status: 'completed' })
})

test('a stored image whose report is not accepted any more is removed, and the user is not charged', async () => {
  studio.faulty.fail('hold', { method: 'PUT', times: 1 })
  await studio.startWorker()
  const id = await request()
  await studio.faulty.held()
  await ana.rpc('cancel_generation', { generation_id: id }).throwOnError()
  studio.faulty.release()
  const stored = () =>
    admin.query(
      `select from storage.objects as o join app.generation_files as f on o.name like f.user_id || '/' || f.file_id || '.%'
       where f.generation_id = $1`,
      [id],
    )
  await until('the late image is stored', async () => (await stored()).rowCount === 1)
  expect(await ended(id)).toMatchObject({ status: 'cancelled', url: null })
})

test('a Storage that is down fails the attempt, and the user is not charged', async () => {
  studio.faulty.fail('error')
  await studio.startWorker({ STORAGE_S3_TIMEOUT_SECONDS: '1' })
  expect(await ended(await request())).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('You were not charged'),
  })
})

test('a generation fails with a message for the user if its photo is replaced first', async () => {
  const id = await request()
  await ana.storage
    .from('user_uploads')
    .upload(path, makePng('another face'), { contentType: 'image/png', upsert: true })
  await studio.startWorker()
  expect(await ended(id)).toMatchObject({
    status: 'failed',
    error: 'Another photo has replaced this photo. Request it again.',
  })
})

test('a worker without STORAGE_S3_* leaves generations and files to another worker', async () => {
  const id = await request()
  const poor = await studio.startWorker({
    STORAGE_S3_ENDPOINT: '',
    STORAGE_S3_REGION: '',
    STORAGE_S3_ACCESS_KEY_ID: '',
    STORAGE_S3_SECRET_ACCESS_KEY: '',
  })
  expect(poor.readLog()).toContain('STORAGE_S3_* is not set: other workers must run these types')
  // The worker claims whatever else there is.
  await admin.query("select app.enqueue('run_steps', '{}', 'run_steps')")
  await studio.startWorker()
  expect(await ended(id)).toMatchObject({ status: 'completed' })
})

test('the deletion of an account removes its photos and images, also the image that a worker is making', async () => {
  const bea = await studio.signUp()
  const photo = await upload(bea.client, bea.id)
  await studio.startWorker()
  expect(await ended(await request('red', bea.client, photo))).toMatchObject({ status: 'completed' })
  studio.faulty.fail('hold', { method: 'PUT', times: 1 })
  await request('blue', bea.client, photo)
  await studio.faulty.held()
  const { error } = await studio.service.auth.admin.deleteUser(bea.id)
  expect(error).toBeNull()
  studio.faulty.release()
  const folder = () => admin.query('select from storage.objects where name like $1', [`${bea.id}/%`])
  await until('the late image is stored', async () => (await folder()).rowCount === 3)
  await settle()
  expect((await folder()).rowCount).toBe(0)
  // Whatever a late worker stores still, the second removal finds.
  await studio.storage.service
    .from('generations')
    .upload(`${bea.id}/late.png`, makePng('late'), { contentType: 'image/png' })
  await admin.query(
    'update app.deleted_folders set deleted_at = deleted_at - interval $$3 hours$$, delete_at = app.now()',
  )
  await settle()
  expect((await folder()).rowCount).toBe(0)
  expect((await admin.query('select from app.deleted_folders')).rowCount).toBe(0)
})

test('every generation ends although workers are killed and everything fails at times', async () => {
  studio.gemini.behave({
    latencyMs: 30,
    faults: [
      { kind: 'unavailable', every: 5 },
      { kind: 'cut_image', every: 7 },
      { kind: 'reset', every: 11 },
      { kind: 'wrong_json', every: 13 },
    ],
  })
  studio.faulty.fail('drop', { method: 'PUT', times: 5 })
  studio.faulty.fail('reset', { method: 'PUT', times: 5 })
  const ids: string[] = []
  for (let n = 0; n < 60; n++) ids.push(await request(n % 5 === 0 ? 'analysis' : `color ${n}`))
  for (let round = 0; round < 3; round++) {
    const asked = studio.gemini.requests.length
    const doomed = await studio.startWorker()
    await until('Gemini is asked', () => studio.gemini.requests.length > asked + 5)
    await kill(doomed)
  }
  await Promise.all([studio.startWorker(), studio.startWorker()])
  const rows = []
  for (const id of new Set(ids)) rows.push(await ended(id))
  expect(rows.every(({ status }) => status === 'completed' || status === 'failed')).toBe(true)
  expect(rows.filter(({ status }) => status === 'completed').length).toBeGreaterThan(30)
})
