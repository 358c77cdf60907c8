import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type StandIn, startGemini } from '../scripts/local/gemini.ts'
import { makeTransaction, nextId, type PaymobTransaction } from '../scripts/local/paymob/callbacks.ts'
import { freePort } from '../scripts/local/ports.ts'
import { type Child, startChild, systemEnv } from '../scripts/local/process.ts'
import { spacesEnv, storageEnv } from '../scripts/local/services.ts'
import { type Api, createDatabase, startApi, type TestDatabase } from '../scripts/testing/database.ts'
import { asCallback, paymobAccount, record } from '../scripts/testing/shop.ts'
import { someGif, startTestSidecar, type TestSidecar } from '../scripts/testing/sidecar.ts'
import { announceVersions, claimSteps, completed, exchangeSteps } from '../scripts/testing/steps.ts'
import { startTestStorage, type TestStorage } from '../scripts/testing/storage.ts'
import { type FaultyStore, startFaultyStore, startTestStore, type TestStore } from '../scripts/testing/store.ts'

// A user does everything that leaves rows or objects, and is deleted. Then every table is searched for the user's ids, so
// that the test also searches a table that does not exist yet.
let database: TestDatabase
let client: pg.Client
let api: Api
let store: TestStore
let faulty: FaultyStore
let storage: TestStorage
let gemini: StandIn
let sidecar: TestSidecar
let home: string
let worker: Child
let ana: SupabaseClient
let service: SupabaseClient
const user = { id: crypto.randomUUID(), email: 'ana.deleted@example.com' }
// No other number in the database begins like the ids of the user's jobs.
const firstJobId = 7_700_000_000_001

beforeAll(async () => {
  database = await createDatabase()
  client = await database.connect()
  await client.query('insert into auth.users (id, email) values ($1, $2)', [user.id, user.email])
  await client.query(`alter table jobs alter column id restart with ${firstJobId}`)
  await client.query('update app.settings set job_events_are_kept = true')
  // The clock of the rules, which `travel` moves on.
  await client.query(`
    create table app.test_clock (ahead interval);
    insert into app.test_clock values ('0');
    create or replace function app.now() returns timestamptz language sql stable set search_path = ''
      as 'select pg_catalog.now() + ahead from app.test_clock';
  `)
  api = await startApi(database)
  store = await startTestStore()
  faulty = await startFaultyStore(store.port)
  storage = await startTestStorage(database)
  gemini = await startGemini()
  sidecar = await startTestSidecar({
    databaseUrl: database.url('sidecar'),
    storePort: store.port,
    env: { JWT_SECRET: inject('cluster').secrets.jwtSecret },
  })
  home = mkdtempSync(join(tmpdir(), 'plinth-deleted-'))
  ana = createClient(api.url, api.anonKey, { accessToken: async () => api.tokenFor(user) })
  service = createClient(api.url, api.serviceKey)
  worker = await startWorker()
})
afterAll(async () => {
  await worker.stop('SIGTERM', 6000)
  await Promise.all([sidecar.stop(), gemini.stop(), api.stop(), storage.stop()])
  faulty.stop()
  await store.stop()
  await database.drop()
  rmSync(home, { recursive: true, force: true })
})

async function startWorker(): Promise<Child> {
  return startChild(home, 'worker', process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      ...systemEnv(),
      DATABASE_URL: database.url('worker'),
      WORKER_HEALTH_PORT: String(await freePort()),
      GEMINI_API_KEY: 'key',
      GEMINI_BASE_URL: gemini.url,
      GEMINI_VIDEO_POLL_SECONDS: '0.05',
      ...spacesEnv(faulty.port),
      ...storageEnv({
        endpoint: `${storage.url}/storage/v1/s3`,
        accessKeyId: String(storage.templatesEnv['TEMPLATES_STORE_ACCESS_KEY_ID']),
        secretAccessKey: String(storage.templatesEnv['TEMPLATES_STORE_SECRET_ACCESS_KEY']),
      }),
      PLINTH_HOME: home,
    },
  })
}

const rows = async (text: string, values: unknown[] = []) => (await client.query(text, values)).rows
const travel = (ahead: string) => client.query('update app.test_clock set ahead = $1::interval', [ahead])

async function until(what: string, fact: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 100_000; Date.now() < end; await sleep(50)) if (await fact()) return
  throw new Error(`It never happened: ${what}.\n${readFileSync(worker.log, 'utf8').slice(-3000)}`)
}
const hasStatus = async (jobId: number, status: string) =>
  (await rows('select from jobs where id = $1 and status = $2', [jobId, status])).length === 1
/** Runs a function that a schedule calls, and waits until the worker has done what it enqueued. */
async function runToEnd(name: string, task: string): Promise<void> {
  await client.query(`select ${name}()`)
  await until(`${task} ended`, async () => {
    const jobs = await rows('select from graphile_worker.jobs where task_identifier = $1', [task])
    return jobs.length === 0
  })
}

const payCard = { pan: '7301', type: 'card', sub_type: 'MasterCard' }
const billing = { first_name: 'Anahita', last_name: 'Zzyzx', email: user.email, phone: '+201555012345' }

/** Orders a pack, and hands in the result of the step that opens the order, as a worker with Paymob's keys does. */
async function buy(key: string, isOpened: boolean) {
  const args = { kind: 'credit_pack', item_id: 'small', billing, idempotency_key: `${billing.last_name} ${key}` }
  const { data } = await ana
    .rpc('create_order', args)
    .single<{ id: string; amount_minor: number; currency: string }>()
    .throwOnError()
  const at = { id: nextId(), reference: data.id, amount: data.amount_minor, currency: data.currency, ...paymobAccount }
  if (isOpened) {
    const opener = crypto.randomUUID()
    await announceVersions(client, opener)
    const steps = await claimSteps(client, opener)
    expect(steps).toHaveLength(1)
    const output = { paymob_order_id: at.id, checkout_url: `https://accept.paymob.com/unifiedcheckout/?x=${user.id}` }
    await exchangeSteps(
      client,
      opener,
      steps.map((step) => completed(step, output)),
    )
  }
  return {
    id: data.id,
    pay: (change: Partial<PaymobTransaction> = {}) => makeTransaction(at, { source_data: payCard, ...change }),
  }
}

/** The tables that have a row with one of these texts in any column. */
async function search(texts: string[]): Promise<string[]> {
  const tables = await rows(`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('public', 'app', 'cache', 'ops', 'graphile_worker') and c.relkind in ('r', 'p')
      and c.relname <> 'test_clock'
    order by 1`)
  expect(tables.length).toBeGreaterThan(40)
  const found: string[] = []
  for (const { name } of tables) {
    const pattern = texts.map((text) => `%${text}%`)
    if ((await rows(`select from ${name} as t where t::text like any ($1) limit 1`, [pattern])).length > 0) {
      found.push(name)
    }
  }
  return found
}

test('leaves no row and no object of a deleted user', { timeout: 300_000 }, async () => {
  // Given an order that is paid, one with a declined payment, and one whose payment and token come before it is opened
  await client.query('update app.settings set paymob_integration_ids = $1, paymob_owner_id = $2', [
    [paymobAccount.integrationId],
    paymobAccount.owner,
  ])
  const paid = await buy('paid', true)
  const payment = paid.pay()
  expect(await record(client, asCallback(payment))).toMatchObject({ status: 'applied' })
  const declined = await buy('declined', true)
  expect(await record(client, asCallback(declined.pay({ success: false })))).toMatchObject({ status: 'declined' })
  const unopened = await buy('unopened', false)
  expect(await record(client, asCallback(unopened.pay()))).toMatchObject({ status: 'parked' })
  const token = { email: user.email, masked_pan: `xxxx-${payCard.pan}`, order_id: String(payment.order.id), id: '7' }
  const tokenCallback = { type: 'TOKEN', hmac: 'x', body: JSON.stringify(token), signed: token, hints: {} }
  expect(await record(client, tokenCallback)).toMatchObject({ status: 'noted' })

  // Given a generated drama with images and videos, one of them made again, under idempotency keys
  const options = { episodes: 1, scenes_per_episode: 1, characters: 1, with_video: true }
  const generate = async (premise: string) =>
    (
      await ana
        .rpc('generate_drama', { premise, options, idempotency_key: `key of ${premise}` })
        .single<{ id: string; run_id: number }>()
        .throwOnError()
    ).data
  const done = await generate('A lighthouse')
  await until('the drama is complete', () => hasStatus(done.run_id, 'completed'))
  const { data: drama } = await ana.rpc('get_drama_complete', { drama_id: done.id }).throwOnError()
  const scene = drama.episodes[0].scenes[0]
  const { data: again } = await ana
    .rpc('regenerate_asset', { target_id: scene.id, kind: 'image', prompt: 'Rain', idempotency_key: 'again' })
    .throwOnError()
  await until('the image is made again', () => hasStatus(again, 'completed'))
  // Given a drama whose video is under way, so that its step has saved a state, and whose run was retried
  gemini.behave({ videoPolls: 1_000_000 })
  const open = await generate('A mill')
  const hasState = async () =>
    (await rows('select from app.job_queue where run_id = $1 and state is not null', [open.run_id])).length > 0
  await until('a video is under way', hasState)
  await ana.rpc('cancel_job', { job_id: open.run_id }).throwOnError()
  await ana.rpc('retry_job', { job_id: open.run_id }).throwOnError()
  await until('the video is under way again', hasState)
  // Given an agent task that is completed, and one that waits for an answer
  const submit = async (mandate: string) =>
    (await ana.rpc('submit_task', { mandate }).single<{ id: string }>().throwOnError()).data.id
  const isTask = (id: string, status: string) =>
    until(`task ${id} is ${status}`, async () => {
      return (await rows('select from tasks where id = $1 and status = $2', [id, status])).length === 1
    })
  const answered = await submit('Ask me first.')
  await isTask(answered, 'input_required')
  await ana.rpc('answer_task', { id: answered, tick: 1, answer: 'Yes.' }).throwOnError()
  await isTask(answered, 'completed')
  const asking = await submit('Ask me, too.')
  await isTask(asking, 'input_required')
  // Given a saved drama, API keys and their use, a run of the service, an upload and a share
  const { data: saved } = await ana.rpc('save_drama_complete', { drama: { title: 'Mine' } }).throwOnError()
  const { data: key } = await ana
    .rpc('create_api_key', { name: 'k', scopes: ['read', 'write'] })
    .single<{ id: string; key: string }>()
    .throwOnError()
  const byKey = await fetch(`${api.url}/rest/v1/rpc/save_drama_complete`, {
    method: 'POST',
    headers: { apikey: api.anonKey, 'x-api-key': key.key, 'content-type': 'application/json' },
    body: JSON.stringify({ drama: { title: 'By key' } }),
  })
  expect(byKey.status).toBe(200)
  await service
    .rpc('submit_run', { spec: { key: 'r', type: 'group' }, owner_id: user.id, idempotency_key: 'x' })
    .throwOnError()
  const upload = await sidecar.upload(someGif(), 'mine.gif', { authorization: `Bearer ${await api.tokenFor(user)}` })
  expect(upload.status).toBe(201)
  const { assetId } = (await upload.json()) as { assetId: string }
  const card = { spec: 'chara_card_v2', spec_version: '2.0', data: { name: 'Mira' } }
  await ana.rpc('share_card', { card, icon_asset_id: assetId, share_id: crypto.randomUUID() }).throwOnError()

  // Given a photo of the studio
  const photo = `${user.id}/photo.png`
  const photos = storage.service.from('user_uploads')
  expect((await photos.upload(photo, 'x', { contentType: 'image/png' })).error).toBeNull()
  const hasPhoto = async () => (await rows('select from storage.objects where name = $1', [photo])).length === 1

  // Given credits: a charge, and an open hold
  await client.query(`select app.place_hold($1, $2, 2, 'A drama.')`, [user.id, done.run_id])
  await client.query('select app.capture_hold($1)', [done.run_id])
  await client.query(`select app.place_hold($1, $2, 2, 'A drama.')`, [user.id, open.run_id])

  const byKeyId = ((await byKey.json()) as { id: string }).id
  const ids = [user.id, user.email, done.id, open.id, saved.id, byKeyId, key.id, answered, asking]
  const payer = [billing.first_name, billing.last_name, billing.phone, `"${payCard.pan}"`, `xxxx-${payCard.pan}`]
  const texts = [...ids, ...payer, String(firstJobId).slice(0, 10)]
  expect(await search(texts)).toEqual(
    expect.arrayContaining([
      'app.credit_periods',
      'app.drama_media',
      'app.drama_packages',
      'app.drama_requests',
      'app.drama_runs',
      'app.drama_sizes',
      'app.job_events',
      'app.job_queue',
      'app.lanes',
      'app.order_details',
      'app.payment_callbacks',
      'app.rate_limits',
      'app.runs',
      'app.task_answers',
      'app.task_owners',
      'app.task_states',
      'public.api_keys',
      'public.credit_entries',
      'public.credit_grants',
      'public.credit_holds',
      'public.drama_characters',
      'public.dramas',
      'public.episodes',
      'public.jobs',
      'public.notifications',
      'public.orders',
      'public.payments',
      'public.runs',
      'public.scenes',
      'public.tasks',
      'public.users',
    ]),
  )
  const media = (await store.keys()).filter((name) => name.startsWith('drama-assets/'))
  expect(media.length).toBeGreaterThanOrEqual(4)

  // The books keep the entries and the orders without the user; their runs are deleted.
  const ledger = ['public.credit_entries', 'public.orders']
  // The folders of the studio keep the user's id until they are deleted for the last time, 3 hours after the user: a signed URL
  // for an upload is valid until then.
  const folders = 'app.deleted_folders'
  // When the user is deleted, and the worker is killed while it deletes the objects
  faulty.fail('hold', { method: 'DELETE' })
  await client.query('delete from auth.users where id = $1', [user.id])
  await faulty.held()
  process.kill(worker.pid, 'SIGKILL')
  await worker.exited
  faulty.heal()
  expect((await store.keys()).filter((name) => name.startsWith('drama-assets/'))).toEqual(media)
  // A worker deletes the recorded changes of deleted runs within seconds.
  const found = (await search(texts)).filter((name) => name !== 'app.run_changes')
  expect(found).toEqual([folders, 'app.deleted_media', ...ledger])
  worker = await startWorker()
  await until('no change of a run is left', async () => (await rows('select from app.run_changes')).length === 0)
  // The queue gives a killed worker's job to others after four hours; the schedule does not wait for it.
  await client.query('delete from graphile_worker._private_jobs where locked_at is not null')
  await travel('11 minutes')
  await runToEnd('app.enqueue_media_removal', 'remove_deleted_media')
  expect((await store.keys()).filter((name) => name.startsWith('drama-assets/'))).toEqual([])
  await runToEnd('app.enqueue_file_removal', 'remove_deleted_files')
  expect(await hasPhoto()).toBe(false)

  // When a step that was running stores its file after that
  const late = `drama-assets/${open.id}/late.png`
  const object = { key: late, open: () => Readable.from(['x']), length: 1, contentType: 'image/png' }
  await store.store.put({ ...object, cacheControl: 'no-store' })
  await travel('59 minutes')
  await runToEnd('app.enqueue_media_removal', 'remove_deleted_media')
  expect(await search(texts)).toEqual([folders, 'app.deleted_media', ...ledger])
  await travel('61 minutes')
  await runToEnd('app.enqueue_media_removal', 'remove_deleted_media')
  expect(await search(texts)).toEqual([folders, ...ledger])
  expect((await store.keys()).filter((name) => name.startsWith('drama-assets/'))).toEqual([])

  // When the signed URLs have expired
  await travel('181 minutes')
  await runToEnd('app.enqueue_file_removal', 'remove_deleted_files')
  expect(await search(texts)).toEqual(ledger)

  // When the share has expired, and nothing has shown the upload for two grace periods
  await client.query('select app.delete_expired_shares()')
  for (const hours of [4, 7]) {
    await travel(`${hours} hours`)
    await runToEnd('app.enqueue_asset_cleaning', 'clean_orphaned_assets')
  }
  expect(await store.keys()).toEqual([])
  // When Paymob reports a refund after that, and repeats the payment: both are suspicious, and without personal data
  const refund = paid.pay({ has_parent_transaction: true, parent_transaction: payment.id, is_refund: true })
  for (const late of [refund, { ...payment, profile_id: 1 }, unopened.pay()]) {
    const recorded = await record(client, asCallback(late))
    expect(recorded).toMatchObject({ status: 'suspicious' })
  }
  expect(await search(texts)).toEqual(ledger)
  expect(
    await rows(`
      select o.status, o.user_id, o.checkout_url, o.error, o.amount_minor > 0 as has_price, d.billing, d.user_id as payer,
        d.idempotency_key = o.id::text as is_neutral
      from orders o join app.order_details d on d.order_id = o.id order by o.created_at`),
  ).toEqual(
    ['paid', 'failed', 'failed'].map((status) => ({
      ...{ status, user_id: null, checkout_url: null, error: null, has_price: true },
      ...{ billing: null, payer: null, is_neutral: true },
    })),
  )
  const books = await rows(`
    select concat_ws(' ', p.kind, p.status, p.reason, o.status) as what, p.user_id, c.body, c.hints,
      c.signed ->> 'amount_cents' as amount
    from payments p join app.payment_callbacks c on c.payment_id = p.id left join orders o on o.id = p.order_id
    order by p.created_at, p.kind`)
  const amount = String(payment.amount_cents)
  expect(books).toEqual(
    [
      'payment applied paid',
      'payment declined failed',
      'payment parked order_not_opened',
      'token noted paid',
      // Paymob does not sign that it is a refund.
      'unknown suspicious user_deleted paid',
      'payment suspicious user_deleted paid',
      'payment suspicious order_unknown',
    ].map((what) => ({ what, user_id: null, body: '', hints: {}, amount: what.startsWith('token') ? null : amount })),
  )
  expect(await rows('select user_id, kind, amount from credit_entries order by id')).toEqual([
    { user_id: null, kind: 'grant', amount: 10 },
    { user_id: null, kind: 'grant', amount: 50 },
    { user_id: null, kind: 'charge', amount: -2 },
  ])
})
