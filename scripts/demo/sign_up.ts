import { join } from 'node:path'
import { createClient } from '@supabase/supabase-js'
import type { Database, ServiceDatabase } from '../../db/client_types.ts'
import { readMails } from '../local/auth/mail.ts'
import { must, type Stage, timed } from './act.ts'

/** Signs up a user by the code of a mail, signs out and in again, and deletes the account. */
export async function signUp({ url, env, home, step }: Stage): Promise<void> {
  const options = { auth: { persistSession: false, autoRefreshToken: false } }
  const cem = createClient<Database>(url, env['SUPABASE_PUBLISHABLE_KEY'] ?? '', options)
  const server = createClient<ServiceDatabase>(url, env['SUPABASE_SECRET_KEY'] ?? '', options)
  const email = `cem-${crypto.randomUUID()}@example.com`
  const password = 'secret-123'

  const signedUp = await timed(() => cem.auth.signUp({ email, password }))
  must(signedUp.value.error === null && signedUp.value.data.session === null, 'the sign-up asks for no code')
  step('Cem signs up with address and password', signedUp.ms)
  const mail = (await readMails(join(home, 'mail'), 10)).find(({ to }) => to === email)
  const token = /\b\d{6}\b/.exec(mail?.text ?? '')?.[0] ?? ''
  step(`  → the mail, at ${env['MAIL_URL']}: ${mail?.subject}`)
  const verified = await timed(() => cem.auth.verifyOtp({ type: 'signup', email, token }))
  must(verified.value.data.session !== null, 'the code signs nobody in')
  step('Cem enters the code, and is signed in', verified.ms)

  const profile = await timed(() => cem.from('users').select('plan_id').single().throwOnError())
  step(`Cem reads his profile: the plan is ${profile.value.data.plan_id}`, profile.ms)
  await cem.auth.signOut()
  const again = await timed(() => cem.auth.signInWithPassword({ email, password }))
  must(again.value.data.session !== null, 'the password signs nobody in')
  step('Cem signs out, and in again by his password', again.ms)

  const deleted = await timed(() => server.auth.admin.deleteUser(again.value.data.user?.id ?? ''))
  must(deleted.value.error === null, 'the account was not deleted')
  const gone = await cem.auth.getUser()
  must(gone.error !== null, 'the token of a deleted user works')
  step('The server of the app deletes the account: the token is refused', deleted.ms)
}
