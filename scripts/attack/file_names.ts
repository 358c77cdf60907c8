import { gif, upload } from './slow_uploads.ts'
import { judge, type Target, type Verdict } from './target.ts'

/** Uploads the bytes of somebody else's file, shows them in a public card, and reads what the other upload left. */
export async function attackFileNames(target: Target): Promise<Verdict> {
  const content = gif(300)
  await upload(target, '203.0.113.70', 'private-name.gif', content)
  const second = await upload(target, '203.0.113.71', 'mine.gif', content)
  const { assetId } = JSON.parse(second.text) as { assetId: string }
  const card = { spec: 'chara_card_v2', spec_version: '2.0', data: { name: 'Mira' } }
  const shared = await target.ask('/rpc/share_card', {
    address: '203.0.113.71',
    body: { card, share_id: crypto.randomUUID(), icon_asset_id: assetId, visibility: 'public' },
  })
  if (shared.status !== 200) throw new Error(`The card: ${shared.status} ${shared.text}`)
  let figure = 0
  for (const column of ['name', 'file_path', 'created_at', 'used_at', 'status_at']) {
    const { status, text } = await target.ask(`/assets?id=eq.${assetId}&select=${column}`, { address: '203.0.113.71' })
    const isTold = ['name', 'file_path'].includes(column) ? text.includes('private-name') : text !== '[]'
    figure += Number(status === 200 && isTold)
  }
  return judge({
    name: 'uploading the bytes of another caller: facts told of the first upload',
    figure,
    unit: 'facts',
    bound: 0,
    before: { figure: 5, on: '2026-11-27' },
  })
}
