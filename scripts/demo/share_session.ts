import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { createClient } from '@supabase/supabase-js'
import { PNG } from 'pngjs'
import type { Database } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

const run = crypto.randomUUID()

/** Uploads two files, shares a card and a session that show them, opens both, and loads what they show. */
export async function shareSession({ url, anonKey, step }: Stage): Promise<void> {
  const ana = createClient<Database>(url, anonKey)
  const ben = createClient<Database>(url, anonKey)

  const icon = await timed(() => upload(url, picture(40)))
  step('Ana uploads an icon', icon.ms)
  const again = await timed(() => upload(url, picture(40)))
  must(again.value === icon.value, 'the same bytes were stored twice')
  step('Ana uploads the same picture again: the same asset', again.ms)
  const background = await timed(() => upload(url, picture(200)))
  step('Ana uploads a background', background.ms)

  const card = {
    spec: 'chara_card_v2',
    spec_version: '2.0',
    data: { name: 'Mira', first_mes: 'The lamp is lit.', tags: ['sea'], extensions: { mood: { calm: 0.5 } } },
  }
  const cardId = crypto.randomUUID()
  const sharedCard = await timed(() =>
    ana.rpc('share_card', { card, icon_asset_id: icon.value, share_id: cardId }).throwOnError(),
  )
  step('Ana shares a character card with the icon', sharedCard.ms)
  step(`  → ${sharedCard.value.data.url}`)
  const openedCard = await timed(() => open(ben, cardId))
  const { data } = openedCard.value as {
    data: { name: string; personality: string; extensions: Record<string, unknown> }
  }
  must(data.name === 'Mira' && data.personality === '', 'the card did not open as Character Card V2')
  must(isDeepStrictEqual(data.extensions['mood'], { calm: 0.5 }), 'an unknown extension was lost')
  step('Ben opens the card as Character Card V2, with its unknown extensions', openedCard.ms)
  const image = await timed(() => fetch(String(data.extensions['icon_url'])))
  must(image.value.headers.get('content-type') === 'image/png', 'the icon did not load')
  step('Ben loads the card’s icon from the CDN', image.ms)

  const flow = JSON.parse(await readFile(new URL('./flow.json', import.meta.url), 'utf8'))
  const session = {
    title: 'An evening at the lighthouse',
    all_cards: [{ id: 'local-1', name: 'Mira', icon_asset_id: icon.value }],
    user_character_card_id: 'local-1',
    turn_ids: [crypto.randomUUID()],
    background_id: background.value,
  }
  const sessionId = crypto.randomUUID()
  const shared = await timed(() => ana.rpc('share_session', { session, flow, share_id: sessionId }).throwOnError())
  step('Ana shares a session with its flow', shared.ms)
  step(`  → ${shared.value.data.url}`)
  const opened = await timed(() => open(ben, sessionId))
  const package_ = opened.value as { flow: unknown; background_url: string; all_cards: { icon_url: string }[] }
  must(isDeepStrictEqual(package_.flow, flow), "the session's flow differs from the shared one")
  must(package_.all_cards[0]?.icon_url === data.extensions['icon_url'], 'the session does not show the icon')
  must((await fetch(package_.background_url)).ok, 'the background did not load')
  step('Ben opens the session: cards with icons, background, and the flow', opened.ms)
}

async function upload(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const form = new FormData()
  form.append('file', new File([bytes], 'picture.png'))
  const response = await fetch(`${url}/api/assets`, { method: 'POST', body: form })
  const answer = (await response.json()) as { assetId?: string }
  must(answer.assetId !== undefined, `an upload was refused: ${JSON.stringify(answer)}`)
  return answer.assetId as string
}

async function open(client: ReturnType<typeof createClient<Database>>, shareId: string): Promise<unknown> {
  return (await client.rpc('get_shared_resource', { share_id: shareId }, { get: true }).throwOnError()).data
}

/** Makes a grey PNG of this width and height. Its first pixels derive from the run, so that no two runs upload the same bytes. */
function picture(size: number): Uint8Array<ArrayBuffer> {
  const png = new PNG({ width: size, height: size })
  png.data.fill(size)
  png.data.set(Buffer.from(run))
  return new Uint8Array(PNG.sync.write(png))
}
