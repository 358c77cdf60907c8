import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../testing/database.ts'
import { adminConfig } from '../postgres.ts'
import { prepareSupabaseShim } from '../supabase_shim.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

/** Makes the database one of an earlier release, which had only auth.users. */
beforeEach(() =>
  database.asAdmin((admin) =>
    admin.query(`
      drop schema if exists local_auth cascade;
      drop table if exists
        auth.identities, auth.one_time_tokens, auth.refresh_tokens, auth.mfa_amr_claims, auth.sessions;
      drop type if exists auth.aal_level, auth.one_time_token_type;
    `),
  ),
)

const prepare = () => {
  const { port, secrets } = inject('cluster')
  return prepareSupabaseShim(adminConfig({ port, adminPassword: secrets.adminPassword }, database.name))
}

test('users of an earlier release become users that Auth can read, and a second start changes nothing', async () => {
  const id = crypto.randomUUID()
  await database.asAdmin((admin) =>
    admin.query('insert into auth.users (id, email, email_confirmed_at) values ($1, $2, now())', [
      id,
      'early@example.com',
    ]),
  )
  const read = () =>
    database.asAdmin(async (admin) => {
      const { rows } = await admin.query(
        "select local_auth.show_user($1::uuid) as shown, (select confirmation_token from auth.users where id = $1) = '' as has_token",
        [id],
      )
      return rows[0]
    })
  await prepare()
  const first = await read()
  expect(first).toMatchObject({
    has_token: true,
    shown: {
      email: 'early@example.com',
      role: 'authenticated',
      app_metadata: { provider: 'email' },
      identities: [{ provider: 'email', identity_data: { email: 'early@example.com', email_verified: true } }],
    },
  })
  await prepare()
  expect(await read()).toEqual(first)
})

test('a schema in which Supabase Auth has run its migrations stays as it is', async () => {
  await database.asAdmin((admin) => admin.query('create table auth.schema_migrations (version text primary key)'))
  try {
    await prepare()
    const { rows } = await database.asAdmin((admin) =>
      admin.query("select to_regclass('auth.identities') as identities, to_regnamespace('local_auth') as functions"),
    )
    expect(rows).toEqual([{ identities: null, functions: null }])
  } finally {
    await database.asAdmin((admin) => admin.query('drop table auth.schema_migrations'))
  }
})
