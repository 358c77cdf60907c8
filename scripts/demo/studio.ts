import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import pg from 'pg'
import type { Database, ServiceDatabase } from '../../db/client_types.ts'
import { readMails } from '../local/auth/mail.ts'
import { makePng } from '../local/gemini.ts'
import { must, type Stage, timed } from './act.ts'

/** Edits and analyses a photo, gets the same again from the cache, runs out of credits, buys some, and goes on. */
export async function editPhotos(stage: Stage): Promise<void> {
  const { url, env, home, step } = stage
  const standIn = env['PAYMOB_STAND_IN_URL']
  if (env['GEMINI_BASE_URL'] === undefined || standIn === undefined) {
    step('This stack uses the real Gemini or the real Paymob, which cost money: this act is skipped')
    return
  }
  const options = { auth: { persistSession: false, autoRefreshToken: false } }
  const fay = createClient<Database>(url, env['SUPABASE_PUBLISHABLE_KEY'] ?? '', options)
  const service = createClient<ServiceDatabase>(url, env['SUPABASE_SERVICE_ROLE_KEY'] ?? '', options)
  const operator = new pg.Client({ connectionString: env['DATABASE_URL'] })
  await operator.connect()
  const email = `fay-${crypto.randomUUID().slice(0, 8)}@example.com`
  const account = async () => (await fay.from('users').select('id, credits').single().throwOnError()).data
  const toolOf = async (key: string) =>
    (await fay.from('tools').select('id, cost').eq('key', key).single().throwOnError()).data
  try {
    const signedUp = await timed(async () => {
      await fay.auth.signUp({ email, password: 'secret-123' })
      const mail = (await readMails(join(home, 'mail'), 10)).find(({ to }) => to === email)
      const token = /\b\d{6}\b/.exec(mail?.text ?? '')?.[0] ?? ''
      return fay.auth.verifyOtp({ type: 'signup', email, token })
    })
    const id = signedUp.value.data.user?.id ?? ''
    must(id !== '', 'the code signs nobody in')
    const { credits } = await account()
    step(`Fay signs up by the code of a mail, and has ${credits} credits`, signedUp.ms)

    const photo = makePng('Fay')
    const photos = fay.storage.from('user_uploads')
    const uploaded = await timed(() => photos.upload(`${id}/fay.png`, photo, { contentType: 'image/png' }))
    const path = uploaded.value.data?.fullPath ?? ''
    must(path !== '', `the upload failed: ${uploaded.value.error?.message}`)
    step(`She uploads a photo to her folder of bucket user_uploads`, uploaded.ms)
    const stolen = await photos.upload(`${crypto.randomUUID()}/fay.png`, photo, { contentType: 'image/png' })
    must(stolen.error !== null, 'a user could write to the folder of another user')
    step(`To another folder: ${stolen.error?.message}`)

    const tool = await toolOf('change_hair_color')
    const request = (color: string) =>
      fay.rpc('process_image', {
        tool_id: tool.id,
        tool_parameters: { color, technique: 'balayage' },
        original_image_storage_path: path,
      })
    const first = await timed(async () => {
      const answer = (await request('copper red').throwOnError()).data
      return watch(fay, answer.generation_id)
    })
    const image = await fetch(String(first.value.url))
    must(image.ok && image.headers.get('content-type') === 'image/png', 'the image cannot be loaded')
    step(`Copper red hair, ${tool.cost} credit: an image at a URL that nobody can guess`, first.ms)
    const again = await timed(() => request('copper red').throwOnError())
    const hit = again.value.data
    must(hit.cached && hit.url === first.value.url, 'the same request was not answered from the cache')
    must((await account()).credits === credits - tool.cost, 'a hit of the cache was charged')
    step('The same again: from the cache, at once, and free', again.ms)

    const face = await toolOf('analyze_face_shape')
    const analysed = await timed(async () => {
      const args = { tool_id: face.id, original_image_storage_path: path }
      const answer = (await fay.rpc('analyze_face', args).throwOnError()).data
      return watch(fay, answer.generation_id)
    })
    const facts = Object.keys((analysed.value.result ?? {}) as object)
    must(facts.length > 0, 'the analysis has no result')
    step(`An analysis of her face: ${facts.join(', ')}`, analysed.ms)

    const rest = (await account()).credits
    const adjust = { user_id: id, amount: -rest, reason: 'Many portraits.', idempotency_key: 'demo' }
    await service.rpc('adjust_credits', adjust).throwOnError()
    const poor = await timed(() => request('black'))
    must(poor.value.error?.details === 'credits_insufficient', 'a user without credits got an image')
    step(`She spends the rest, and asks for black hair: ${poor.value.status} ${poor.value.error?.message}`, poor.ms)

    const bought = await timed(async () => {
      const billing = { first_name: 'Fay', last_name: 'Adel', email, phone: '+201000000000' }
      const args = { kind: 'credit_pack' as const, item_id: 'small', billing, idempotency_key: 'demo' }
      const { data } = await fay.rpc('create_order', args).throwOnError()
      const opened = await orderOf(fay, data.id, 'opened')
      const page = await (await fetch(String(opened.checkout_url))).text()
      await fetch(`${standIn}${/action="([^"]*\/pay)"/.exec(page)?.[1]}`, { method: 'POST' })
      return orderOf(fay, opened.id, 'paid')
    })
    step(`She buys a pack, and has ${(await account()).credits} credits`, bought.ms)
    const last = await timed(async () => {
      const answer = (await request('black').throwOnError()).data
      return watch(fay, answer.generation_id)
    })
    must(last.value.url !== null, 'the image is missing')
    step('She goes on: black hair', last.ms)

    const { data: mine } = await fay.rpc('list_generations').throwOnError()
    const { data: usage } = await fay.from('credit_usage').select('credits').throwOnError()
    const { generations } = mine
    must(generations.length === 3 && usage.length === 3, 'generations and charges do not match')
    step(`${generations.length} generations, and a charge for each of them`)
  } finally {
    await operator.query('delete from auth.users where email = $1', [email])
    await operator.end()
  }
  step('Fay deletes her account: a job deletes her photo and her images')
}

type Client = ReturnType<typeof createClient<Database>>

/** Polls a generation until it has ended; an app subscribes to its row. */
async function watch(fay: Client, id: string) {
  for (const end = Date.now() + 30_000; ; await sleep(20)) {
    const { data } = await fay.from('generations').select('*').eq('id', id).single().throwOnError()
    if (data.status === 'completed') return data
    must(data.status === 'pending' && Date.now() < end, `the generation is ${data.status}: ${data.error}`)
  }
}

/** Polls an order until it has a status. */
async function orderOf(fay: Client, id: string, status: string) {
  for (const end = Date.now() + 30_000; ; await sleep(50)) {
    const { data } = await fay.from('orders').select('*').eq('id', id).single().throwOnError()
    if (data.status === status) return data
    must(data.status !== 'failed' && Date.now() < end, `the order is ${data.status}: ${data.error}`)
  }
}
