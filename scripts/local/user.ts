import pg from 'pg'
import { signUserToken } from './jwt.ts'

/** Returns an access token for a local user, and creates the user if needed, because the embedded target has no Auth server. */
export async function tokenForEmail(env: Record<string, string>, email: string): Promise<string> {
  const client = new pg.Client(env['DATABASE_URL'])
  await client.connect()
  try {
    await client.query(
      `insert into auth.users (id, aud, role, email, email_confirmed_at, created_at, updated_at)
       values (gen_random_uuid(), 'authenticated', 'authenticated', $1, now(), now(), now())
       on conflict (email) where is_sso_user = false do nothing`,
      [email],
    )
    const { rows } = await client.query<{ id: string }>(
      'select id from auth.users where email = $1 and not is_sso_user',
      [email],
    )
    return signUserToken({ id: rows[0]?.id ?? '', email }, env['JWT_SECRET'] ?? '')
  } finally {
    await client.end()
  }
}
