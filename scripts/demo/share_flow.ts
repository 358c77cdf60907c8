import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { createClient } from '@supabase/supabase-js'
import type { Database } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

/** Shares a real flow, opens it, compares it, and shows that an expired share does not open. */
export async function shareFlow({ url, anonKey, step }: Stage): Promise<void> {
  const ana = createClient<Database>(url, anonKey)
  const ben = createClient<Database>(url, anonKey)
  const text = await readFile(new URL('./flow.json', import.meta.url), 'utf8')
  const flow = JSON.parse(text)
  const count = (map: object) => Object.keys(map).length
  step(
    `Ana has "${flow.name}": ${count(flow.agents)} agents, ${count(flow.dataStoreNodes)} data stores, ${count(flow.ifNodes)} if-nodes, ${(text.length / 1024).toFixed(1)} KB`,
  )

  const shareId = crypto.randomUUID()
  const shared = await timed(() => ana.rpc('share_flow', { flow, share_id: shareId }).throwOnError())
  step('Ana shares the flow in one request', shared.ms)
  step(`  → ${shared.value.data.url}`)

  const again = await timed(() => ana.rpc('share_flow', { flow, share_id: shareId }).throwOnError())
  must(isDeepStrictEqual(again.value.data, shared.value.data), 'a repeated request returned another link')
  step('Ana repeats the request: the same link', again.ms)

  const opened = await timed(() => ben.rpc('get_shared_resource', { share_id: shareId }, { get: true }).throwOnError())
  must(isDeepStrictEqual(opened.value.data, flow), 'the opened flow differs from the shared one')
  step('Ben opens the share by its id: every field is unchanged', opened.ms)

  const listed = await timed(() => ben.from('shared_resources').select('id').eq('id', shareId).throwOnError())
  must(listed.value.data?.length === 0, 'an unlisted share could be listed')
  step('Ben cannot list the share: unlisted shares open by their id only', listed.ms)

  const shortId = crypto.randomUUID()
  const flowId = crypto.randomUUID()
  const direct = await timed(async () => {
    await ana.from('flows').insert({ id: flowId, name: 'Short', nodes: [], edges: [] }).throwOnError()
    const expiresAt = new Date(Date.now() + 2000).toISOString()
    const row = { id: shortId, resource_type: 'flow' as const, resource_id: flowId, expires_at: expiresAt }
    await ana.from('shared_resources').insert(row).throwOnError()
  })
  step('Ana shares another flow for two seconds, by direct inserts', direct.ms)
  const before = await timed(() => ben.rpc('get_shared_resource', { share_id: shortId }, { get: true }))
  must(before.value.status === 200, 'a live share did not open')
  step('Ben opens the share', before.ms)
  await sleep(2100)
  const after = await timed(() => ben.rpc('get_shared_resource', { share_id: shortId }, { get: true }))
  must(after.value.status === 404 && after.value.error?.details === 'share_not_found', 'an expired share still opened')
  step(`Two seconds later: ${after.value.status} ${after.value.error?.details}`, after.ms)
}
