import pg from 'pg'
import { signUserToken } from './jwt.ts'

/** Returns an access token for a local user without a sign-up. Creates the user if needed: whole, as Auth would. */
export async function tokenForEmail(env: Record<string, string>, email: string): Promise<string> {
  const client = new pg.Client(env['DATABASE_URL'])
  await client.connect()
  try {
    await client.query(insertUser, [email])
    const { rows } = await client.query<{ id: string }>(
      'select id from auth.users where email = $1 and not is_sso_user',
      [email],
    )
    return signUserToken({ id: rows[0]?.id ?? '', email }, env['JWT_SECRET'] ?? '')
  } finally {
    await client.end()
  }
}

/** Auth reads no user whose tokens are null, and no address without an identity. The user has no password. */
const insertUser = `
  with new_users as (
    insert into auth.users (
      instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token, recovery_token,
      email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at, updated_at
    )
    values (
      '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated', $1, '', now(), '', '',
      '', '', '{"provider": "email", "providers": ["email"]}', '{"email_verified": true}', now(), now()
    )
    on conflict (email) where is_sso_user = false do nothing
    returning id, email
  )
  insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
  select
    id::text, id, jsonb_build_object('sub', id, 'email', email, 'email_verified', true, 'phone_verified', false), 'email',
    now(), now()
  from new_users`
