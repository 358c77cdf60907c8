import assert from 'node:assert/strict'
import type { SupabaseClient } from '@supabase/supabase-js'
import { PNG } from 'pngjs'
import { until } from '../testing/waiting.ts'
import type { Heard, Studio } from './app/studio.ts'

/** A file of a published template, as `artifacts` has it. */
export type Artifact = { path: string; sha256: string }

/** A picture that a tab shows. */
export type Shown = { width: number; height: number; pixel: number[] }

/** A tab of a browser: a page that runs the studio. */
export type Tab = {
  studio: Studio
  reload(): Promise<void>
  /** Shows a picture of this URL. Resolves with null if the browser cannot show the picture. */
  show(url: string): Promise<Shown | null>
  /** Opens a URL as a link does, and returns the text of the page. */
  follow(url: string): Promise<string>
}

/** A browser, and the stack that it uses. */
export type World = {
  /** Opens the app in another tab: with another key, or as another user of the same browser. */
  open(options?: { key?: string; user?: string }): Promise<Tab>
  /** Returns the text of the newest mail to an address. */
  mailTo(email: string): Promise<string>
  /** A server of the app, with the secret key. */
  server: SupabaseClient
  /** Runs a statement in the database, as the operator. */
  operate(sql: string, values: unknown[]): Promise<unknown>
  /** Two published artifacts. */
  artifacts: [Artifact, Artifact]
  step(what: string): void
}

const password = 'secret-123'

/** The published tables whose rows belong to a user, each with the column of the user's id. */
const ownTables: Record<string, string> = { runs: 'owner_id', tasks: 'user_id', notifications: 'user_id', users: 'id' }
const configuration = ['tools', 'hairstyles', 'colors', 'plans']
const pixel = [200, 40, 80, 255]

/** Plays the sentences of origins 004 (§3, §6) and 001 with the code of the app. Throws at the first false one. */
export async function tellStory(world: World): Promise<void> {
  const { step, server, artifacts } = world
  const email = `ana-${crypto.randomUUID()}@example.com`
  const photo = new File([drawPicture()], 'original.png', { type: 'image/png' })
  const first = await world.open()
  const { studio } = first

  assert.deepEqual(await studio.signUp(email, password), { asksForCode: true })
  step('Ana signs up: the app asks for a code')
  const mail = await world.mailTo(email)
  const code = /\b\d{6}\b/.exec(mail)?.[0] ?? ''
  assert.match(code, /^\d{6}$/)
  assert.doesNotMatch(mail, /https?:/)
  const wrong = code === '123456' ? '654321' : '123456'
  assert.equal((await refusalOf(studio.enterCode(email, wrong))).code, 'otp_expired')
  step('The mail has six digits and no link; another code is refused')
  const ana = await studio.enterCode(email, code)
  assert.deepEqual(await studio.whoAmI(), { id: ana, email, name: 'Ana' })
  step('The code signs her in')

  await studio.signOut()
  assert.equal((await refusalOf(studio.signIn(email, 'another-123'))).code, 'invalid_credentials')
  assert.equal(await studio.signIn(email, password), ana)
  step('She signs out and in again; a wrong password is refused')
  await first.reload()
  assert.equal((await studio.session())?.userId, ana)
  step('A reload keeps her session')
  const second = await world.open()
  assert.equal((await second.studio.session())?.userId, ana)
  step('A second tab has her session')

  const { refreshToken = '' } = (await studio.session()) ?? {}
  const tokens = await Promise.all([studio.refresh(refreshToken), second.studio.refresh(refreshToken)])
  assert.notEqual(tokens[0], refreshToken)
  assert.equal(tokens[1], tokens[0])
  for (const tab of [first, second]) assert.equal((await tab.studio.whoAmI()).id, ana)
  step('Both tabs refresh with the same token at once, and stay signed in')

  const path = await studio.uploadPhoto(ana, photo)
  assert.equal(path, `${ana}/original.png`)
  const stored = { name: 'original.png', type: 'image/png', size: photo.size }
  assert.deepEqual(await studio.listPhotos(ana), [stored])
  step('She uploads a photo to her own folder, and lists it')
  const ben = crypto.randomUUID()
  const bens = `${ben}/original.png`
  must(await server.storage.from('user_uploads').upload(bens, photo))
  const refused = await refusalOf(studio.uploadPhoto(ben, new File(['x'], 'x.png', { type: 'image/png' })))
  assert.match(refused.message, /row-level security/)
  assert.deepEqual(await studio.listPhotos(ben), [])
  assert.match((await refusalOf(studio.signedUrl(bens))).message, /not found/i)
  assert.equal(await studio.deletePhoto(bens), 0)
  step("She cannot upload to the folder of another user, nor see, sign or delete that user's photo")

  const drawn = { width: 3, height: 2, pixel }
  assert.deepEqual(await first.show(await studio.signedUrl(path)), drawn)
  const urls = await studio.publicUrls(path)
  assert.equal(await first.show(urls.ofPhoto), null)
  step('Her photo shows by a signed URL, and not by a public one')
  must(await server.storage.from('generations').upload(path, photo))
  assert.deepEqual(await first.show(urls.ofResult), drawn)
  assert.match((await refusalOf(studio.uploadResult(`${ana}/mine.png`, photo))).message, /row-level security/)
  step('A result, which only the server can upload, shows by its public URL')
  assert.equal(await studio.hashOfArtifact(artifacts[0].path), artifacts[0].sha256)
  step('She downloads a published artifact: its SHA-256 is right')

  const email2 = `ben-${crypto.randomUUID()}@example.com`
  const { error } = await server.auth.admin.createUser({ email: email2, password, email_confirm: true })
  if (error) throw error
  const other = await world.open({ user: 'ben' })
  const watchers = [
    { name: 'Ben', tab: other, id: await other.studio.signIn(email2, password) },
    { name: 'Ana', tab: first, id: ana },
  ]
  for (const { tab, id } of watchers) await tab.studio.watch(id)
  for (const { name, id } of watchers) await work(world, name, id)
  for (const table of configuration)
    await world.operate(`update ${table} set sort = sort + 1 where id = (select t.id from ${table} as t limit 1)`, [])
  for (const { name, tab, id } of watchers) {
    const heard = await changesOf(tab)
    for (const { table, row } of heard)
      if (ownTables[table])
        assert.equal(row[ownTables[table]], id, `${name} received a row of ${table} of another user.`)
    // Each notification arrives twice: by the binding with a filter, and by the binding without one.
    const titles = heard.filter(({ row }) => String(row['title']).startsWith('For ')).map(({ row }) => row['title'])
    assert.deepEqual(titles, [`For ${name}`, `For ${name}`])
    const shared = heard.filter(({ table }) => configuration.includes(table)).map(({ table }) => table)
    assert.deepEqual(shared, configuration)
  }
  step(
    'She and Ben, at the same time, each hear of their own runs, tasks, notifications and credits, and of the catalogue',
  )

  assert.match(await first.follow(await studio.urlOfGoogle()), /provider is not enabled.*no OAuth/s)
  step('A sign-in by Google ends at a page that says what is missing')
  const stranger = await world.open({ key: 'sb_publishable_of_another_stack' })
  assert.equal((await refusalOf(stranger.studio.signIn(email, password))).status, 401)
  step('The app can read the refusal of a wrong key')

  assert.equal(await studio.deletePhoto(path), 1)
  assert.deepEqual(await studio.listPhotos(ana), [])
  step('She deletes her photo')
  const last = (await studio.session())?.refreshToken ?? ''
  await studio.signOut()
  assert.equal(await second.studio.session(), null)
  await first.reload()
  assert.equal(await studio.session(), null)
  assert.match((await refusalOf(studio.uploadPhoto(ana, photo))).message, /row-level security/)
  // The browser may still have the first artifact in its cache, because artifacts never change.
  assert.equal((await refusalOf(studio.hashOfArtifact(artifacts[1].path))).status, 400)
  assert.equal((await refusalOf(studio.refresh(last))).code, 'refresh_token_not_found')
  step('She signs out: both tabs are signed out, and uploads, downloads and her last refresh token are refused')
}

/** Does work for a user: a run with its progress, a task, a notification and a gift of credits. */
async function work({ operate }: World, name: string, id: string): Promise<void> {
  const steps = { key: 'root', type: 'group', steps: [{ key: 'step', type: 'group' }] }
  await operate('select app.submit_run($1, $2, null)', [steps, id])
  await operate("update runs set updated_at = updated_at - interval '1 second' where owner_id = $1", [id])
  await operate('select app.publish_runs()', [])
  await operate('insert into tasks (user_id, correlation_id, mandate, max_ticks) values ($1, $2, $3, 1)', [
    id,
    crypto.randomUUID(),
    `Say hello to ${name}.`,
  ])
  await operate("insert into notifications (user_id, kind, title) values ($1, 'generation_ready', $2)", [
    id,
    `For ${name}`,
  ])
  await operate("select public.adjust_credits(user_id => $1, amount => 5, reason => 'A gift', idempotency_key => $2)", [
    id,
    crypto.randomUUID(),
  ])
}

/** Waits for all changes that a tab must receive for its user, and returns them. */
async function changesOf({ studio }: Tab): Promise<Heard[]> {
  const wanted = [
    'runs INSERT queued',
    'runs UPDATE completed',
    'tasks INSERT pending',
    'notifications INSERT',
    'users UPDATE',
    ...configuration.map((table) => `${table} UPDATE`),
  ]
  let missing = wanted
  await until('all changes arrive', async () => {
    const heard = (await studio.heard()).map(({ table, event, row }) =>
      `${table} ${event} ${row['status'] ?? ''}`.trim(),
    )
    missing = wanted.filter((change) => !heard.includes(change))
    return missing.length === 0
  }).catch((error: Error) => {
    throw new Error(`These changes did not arrive: ${missing.join(', ')}`, { cause: error })
  })
  return await studio.heard()
}

function drawPicture(): Uint8Array<ArrayBuffer> {
  const png = new PNG({ width: 3, height: 2 })
  for (let at = 0; at < png.data.length; at += 4) png.data.set(pixel, at)
  return new Uint8Array(PNG.sync.write(png))
}

type Refusal = { message: string; code?: string; status?: number }

/** Resolves with the error of a call that must fail. */
async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const refusal = await call.then(
    () => undefined,
    (error: Refusal) => error,
  )
  assert.ok(refusal, 'The call was not refused.')
  return refusal
}

function must({ error }: { error: Error | null }): void {
  if (error) throw error
}
