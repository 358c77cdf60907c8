import { createClient } from '@supabase/supabase-js'
import type { Database } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

/** Creates a key, reads with it, tries what it must not do, rotates and revokes it. */
export async function apiKeys({ url, anonKey, tokenFor, step }: Stage): Promise<void> {
  const token = await tokenFor('ana@example.com')
  const ana = createClient<Database>(url, anonKey, { accessToken: async () => token })
  const program = (key: string | null) =>
    createClient<Database>(url, anonKey, { global: { headers: { 'x-api-key': key ?? '' } } })

  const made = await timed(() => ana.rpc('create_api_key', { name: 'demo' }).throwOnError())
  const { id, prefix, key } = made.value.data
  step(`Ana creates a key that may read: ${prefix}_…, shown only once`, made.ms)

  const profile = await timed(() => program(key).from('users').select('id, plan_id, credits').throwOnError())
  must(profile.value.data.length === 1, "the key does not read its owner's profile, and that alone")
  step(
    `A program reads her profile with the key, and no other profile: plan ${profile.value.data[0]?.plan_id}`,
    profile.ms,
  )

  const write = await timed(() =>
    program(key).from('flows').insert({ id: crypto.randomUUID(), name: 'No', nodes: [], edges: [] }),
  )
  must(write.value.error?.details === 'key_is_read_only', 'a key that may only read could write')
  step(`The program tries to write: ${write.value.status} ${write.value.error?.details}`, write.ms)

  const more = await timed(() => program(key).rpc('create_api_key', { name: 'mine', scopes: ['write'] }))
  must(more.value.error?.details === 'api_key_not_allowed', 'a key could create keys')
  step(`The program tries to create a key: ${more.value.status} ${more.value.error?.details}`, more.ms)

  const rotated = await timed(() => ana.rpc('rotate_api_key', { id: id ?? '', grace_seconds: 60 }).throwOnError())
  const next = rotated.value.data
  for (const one of [key, next.key]) await program(one).from('users').select('id').single().throwOnError()
  step('Ana rotates the key: both keys work for a minute', rotated.ms)

  const revoked = await timed(async () => {
    for (const one of [id, next.id]) await ana.rpc('revoke_api_key', { id: one ?? '' }).throwOnError()
  })
  step('Ana revokes both keys', revoked.ms)
  const after = await timed(() => program(next.key).from('users').select('id'))
  must(after.value.error?.details === 'api_key_revoked', 'a revoked key still worked')
  step(`The program tries again: ${after.value.status} ${after.value.error?.details}`, after.ms)
}
