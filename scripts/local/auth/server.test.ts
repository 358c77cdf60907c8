import { createClient } from '@supabase/supabase-js'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalAuth, startLocalAuth } from '../../testing/auth.ts'

let local: LocalAuth
beforeAll(async () => {
  local = await startLocalAuth()
})
afterAll(() => local.stop())

const password = 'secret-123'
const codeOf = async (address: string) => (await local.mailTo(address)).code
/** Returns the parts of a refusal that clients read. */
const refusalOf = ({ error }: { error: unknown }) => {
  const { status, code } = (error ?? {}) as { status?: number; code?: string }
  return [status, code]
}

describe('sign-up', () => {
  test('mails a six-digit code, and the code returns a session', async () => {
    const client = local.client()
    const signedUp = await client.auth.signUp({
      email: 'Ana@Example.com',
      password,
      options: { data: { name: 'Ana' } },
    })
    expect(signedUp.error).toBeNull()
    expect(signedUp.data.session).toBeNull()
    expect(signedUp.data.user).toMatchObject({ email: 'ana@example.com', role: 'authenticated', aud: 'authenticated' })

    const { code, subject } = await local.mailTo('ana@example.com')
    expect(code).toMatch(/^\d{6}$/)
    expect(subject).toBe(`Your code is ${code}`)
    expect(local.log).toContain(`Mail to ana@example.com: code ${code} (confirmation)`)

    const verified = await client.auth.verifyOtp({ type: 'signup', email: 'ana@example.com', token: code })
    expect(verified.error).toBeNull()
    const { data } = await client.auth.getUser()
    expect(data.user).toMatchObject({
      id: signedUp.data.user?.id,
      email: 'ana@example.com',
      app_metadata: { provider: 'email', providers: ['email'] },
      user_metadata: { name: 'Ana', email_verified: true },
      identities: [{ provider: 'email', identity_data: { email: 'ana@example.com', email_verified: true } }],
      is_anonymous: false,
    })
    expect(data.user?.email_confirmed_at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(refusalOf(await client.auth.verifyOtp({ type: 'signup', email: 'ana@example.com', token: code }))).toEqual([
      403,
      'otp_expired',
    ])
  })

  test('answers a known address without identities and session, and mails a notice', async () => {
    await local.signUp('known@example.com')
    const { data, error } = await local.client().auth.signUp({ email: 'known@example.com', password: 'another-1' })
    expect(error).toBeNull()
    expect(data.session).toBeNull()
    expect(data.user).toMatchObject({ email: 'known@example.com', identities: [], app_metadata: { provider: 'email' } })
    expect(data.user).not.toHaveProperty('email_confirmed_at')
    const { rows } = await local.db.query("select id from auth.users where email = 'known@example.com'")
    expect(data.user?.id).not.toBe(rows[0].id)
    expect(await local.mailTo('known@example.com')).toEqual({ subject: 'You already have an account', code: '' })
    const signIn = { email: 'known@example.com', password: 'another-1' }
    expect(refusalOf(await local.client().auth.signInWithPassword(signIn))).toEqual([400, 'invalid_credentials'])
  })

  test('mails an unconfirmed address another code, which ends the first, and keeps the first password', async () => {
    const email = 'late@example.com'
    await local.client().auth.signUp({ email, password })
    const first = await codeOf(email)
    await local.client().auth.signUp({ email, password: 'of-somebody-else' })
    const second = await codeOf(email)
    // The codes are equal once in a million.
    expect(second).not.toBe(first)
    expect(refusalOf(await local.client().auth.verifyOtp({ type: 'signup', email, token: first }))).toEqual([
      403,
      'otp_expired',
    ])
    expect((await local.client().auth.verifyOtp({ type: 'signup', email, token: second })).error).toBeNull()
    expect((await local.client().auth.signInWithPassword({ email, password })).error).toBeNull()
  })

  test('succeeds although the profile cannot be created', async () => {
    await local.db.query("alter table public.users add constraint users_for_a_test check (plan_id <> 'free') not valid")
    try {
      const client = await local.signUp('no-profile@example.com')
      const { rows } = await local.db.query('select user_id from app.missing_profiles')
      expect(rows).toEqual([{ user_id: (await client.auth.getUser()).data.user?.id }])
    } finally {
      await local.db.query('alter table public.users drop constraint users_for_a_test')
    }
  })

  test.each([
    [{ email: 'x', password }, 400, 'validation_failed'],
    [{ email: `${'x'.repeat(250)}@example.com`, password }, 400, 'validation_failed'],
    [{ email: 'short@example.com', password: 'five5' }, 422, 'weak_password'],
    [{ email: 'long@example.com', password: 'x'.repeat(73) }, 400, 'validation_failed'],
    [{ email: 'none@example.com', password: '' }, 400, 'validation_failed'],
    [{ phone: '+15555550100', password }, 400, 'phone_provider_disabled'],
  ])('refuses %j', async (credentials, status, code) => {
    const refused = await local.client().auth.signUp(credentials as { email: string; password: string })
    expect(refusalOf(refused)).toEqual([status, code])
    if (code === 'weak_password') expect(refused.error).toMatchObject({ reasons: ['length'] })
  })

  test('resend mails another code, and answers the same for an address that nobody signed up', async () => {
    const email = 'again@example.com'
    await local.client().auth.signUp({ email, password })
    const first = await codeOf(email)
    const known = await local.client().auth.resend({ type: 'signup', email })
    const unknown = await local.client().auth.resend({ type: 'signup', email: 'nobody@example.com' })
    expect(known).toEqual(unknown)
    expect(known.error).toBeNull()
    const second = await codeOf(email)
    expect(second).not.toBe(first)
    expect((await local.client().auth.verifyOtp({ type: 'email', email, token: second })).error).toBeNull()
  })

  test('with flowType pkce works by code, and a code exchange says what to do', async () => {
    const client = local.client({ auth: { flowType: 'pkce' } })
    const email = 'pkce@example.com'
    expect((await client.auth.signUp({ email, password })).error).toBeNull()
    expect((await client.auth.verifyOtp({ type: 'signup', email, token: await codeOf(email) })).error).toBeNull()
    await client.auth.resetPasswordForEmail(email)
    const exchanged = await client.auth.exchangeCodeForSession('11111111-1111-4111-8111-111111111111')
    expect(refusalOf(exchanged)).toEqual([404, 'flow_state_not_found'])
    expect(exchanged.error?.message).toContain('use verifyOtp')
  })
})

describe('a session', () => {
  test('has an ES256 token with the claims of GoTrue, which getClaims checks by the JWKS', async () => {
    const client = await local.signUp('claims@example.com')
    const { data } = await client.auth.getSession()
    const token = data.session?.access_token ?? ''
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', kid: local.keys.signingKey.kid })
    const claims = decodeJwt(token)
    expect(claims).toEqual({
      iss: `${local.url}/auth/v1`,
      sub: data.session?.user.id,
      aud: 'authenticated',
      role: 'authenticated',
      email: 'claims@example.com',
      phone: '',
      app_metadata: { provider: 'email', providers: ['email'] },
      user_metadata: data.session?.user.user_metadata,
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      aal: 'aal1',
      amr: [{ method: 'otp', timestamp: expect.any(Number) }],
      is_anonymous: false,
      iat: expect.any(Number),
      exp: Number(claims.iat) + 3600,
    })
    expect(data.session).toMatchObject({ token_type: 'bearer', expires_in: 3600, expires_at: claims.exp })
    await jwtVerify(token, createRemoteJWKSet(new URL(`${local.url}/auth/v1/.well-known/jwks.json`)))
    const checked = await client.auth.getClaims()
    expect(checked.error).toBeNull()
    expect(checked.data?.claims.sub).toBe(claims.sub)
  })

  test('starts with the password, and each wrong one is refused alike', async () => {
    const email = 'bea@example.com'
    await local.signUp(email)
    const signedIn = await local.client().auth.signInWithPassword({ email: 'BEA@example.com', password })
    expect(signedIn.error).toBeNull()
    expect(decodeJwt(signedIn.data.session?.access_token ?? '')['amr']).toMatchObject([{ method: 'password' }])
    for (const wrong of [
      { email, password: 'wrong-1' },
      { email: 'nobody@example.com', password },
      { email, password: '' },
    ]) {
      const refused = await local.client().auth.signInWithPassword(wrong)
      expect(refused.error).toMatchObject({
        status: 400,
        code: 'invalid_credentials',
        message: 'Invalid login credentials',
      })
    }
  })

  test('does not start before the address is confirmed', async () => {
    const email = 'unconfirmed@example.com'
    await local.client().auth.signUp({ email, password })
    expect(refusalOf(await local.client().auth.signInWithPassword({ email, password }))).toEqual([
      400,
      'email_not_confirmed',
    ])
    expect(refusalOf(await local.client().auth.signInWithPassword({ email, password: 'wrong-1' }))).toEqual([
      400,
      'invalid_credentials',
    ])
  })

  test('starts by a code, also for a new user, unless shouldCreateUser is false', async () => {
    const email = 'otp@example.com'
    for (const kind of ['confirmation', 'magic_link']) {
      const client = local.client()
      expect(await client.auth.signInWithOtp({ email })).toMatchObject({ error: null })
      const code = await codeOf(email)
      expect(local.log.at(-1)).toBe(`Mail to ${email}: code ${code} (${kind})`)
      const { data, error } = await client.auth.verifyOtp({ type: 'email', email, token: code })
      expect(error).toBeNull()
      expect(data.user?.email).toBe(email)
    }
    const unknown = { email: 'not-yet@example.com', options: { shouldCreateUser: false } }
    expect(refusalOf(await local.client().auth.signInWithOtp(unknown))).toEqual([422, 'otp_disabled'])
  })

  test('rotates its refresh token; two tabs get the same one for 10 s, and later reuse ends the session', async () => {
    const email = 'tabs@example.com'
    const client = await local.signUp(email)
    const first = (await client.auth.getSession()).data.session?.refresh_token ?? ''
    const refresh = (refresh_token: string) => local.client().auth.refreshSession({ refresh_token })
    const tabs = await Promise.all([refresh(first), refresh(first)])
    const second = tabs[0].data.session?.refresh_token ?? ''
    expect(second).not.toBe(first)
    expect(tabs[1].data.session?.refresh_token).toBe(second)
    expect(tabs[1].data.session?.user.email).toBe(email)

    await local.db.query("update auth.refresh_tokens set updated_at = updated_at - interval '11 s' where token = $1", [
      first,
    ])
    expect(refusalOf(await refresh(first))).toEqual([400, 'refresh_token_already_used'])
    expect(refusalOf(await refresh(second))).toEqual([400, 'refresh_token_not_found'])
    expect((await client.auth.getUser()).error?.name).toBe('AuthSessionMissingError')
  })

  test.each([
    ['local', [false, true, true]],
    ['others', [true, false, false]],
    ['global', [false, false, false]],
  ] as const)('ends by signOut with scope %s', async (scope, remain) => {
    const email = `${scope}@example.com`
    const clients = [await local.signUp(email), local.client(), local.client()]
    for (const client of clients.slice(1)) await client.auth.signInWithPassword({ email, password })
    const tokens = await Promise.all(
      clients.map(async (client) => (await client.auth.getSession()).data.session?.access_token),
    )
    expect((await clients[0]?.auth.signOut({ scope }))?.error).toBeNull()
    const users = await Promise.all(tokens.map(async (token) => (await local.client().auth.getUser(token)).data.user))
    expect(users.map((user) => user !== null)).toEqual(remain)
  })

  test('is refused to a banned user, and works again when the ban is lifted', async () => {
    const email = 'banned@example.com'
    const client = await local.signUp(email)
    const { user } = (await client.auth.getUser()).data
    const banned = await local.admin.auth.admin.updateUserById(user?.id ?? '', { ban_duration: '1h30m' })
    expect(Date.parse(banned.data.user?.banned_until ?? '') - Date.now()).toBeGreaterThan(89 * 60_000)
    expect(refusalOf(await client.auth.getUser())).toEqual([403, 'user_banned'])
    expect(refusalOf(await local.client().auth.signInWithPassword({ email, password }))).toEqual([400, 'user_banned'])
    await local.admin.auth.admin.updateUserById(user?.id ?? '', { ban_duration: 'none' })
    expect((await client.auth.getUser()).error).toBeNull()
  })
})

describe('a user', () => {
  test('resets a forgotten password by a code, which ends all other sessions when the password changes', async () => {
    const email = 'forgot@example.com'
    const before = await local.signUp(email)
    const client = local.client()
    const known = await client.auth.resetPasswordForEmail(email)
    expect(known).toEqual(await client.auth.resetPasswordForEmail('nobody@example.com'))
    const token = await codeOf(email)
    expect((await client.auth.verifyOtp({ type: 'recovery', email, token })).error).toBeNull()
    expect(refusalOf(await client.auth.updateUser({ password }))).toEqual([422, 'same_password'])
    expect(refusalOf(await client.auth.updateUser({ password: 'five5' }))).toEqual([422, 'weak_password'])
    expect((await client.auth.updateUser({ password: 'new-secret' })).error).toBeNull()
    expect((await client.auth.getUser()).error).toBeNull()
    expect((await before.auth.getUser()).error?.name).toBe('AuthSessionMissingError')
    expect((await local.client().auth.signInWithPassword({ email, password: 'new-secret' })).error).toBeNull()
    expect(refusalOf(await local.client().auth.signInWithPassword({ email, password }))).toEqual([
      400,
      'invalid_credentials',
    ])
  })

  test('changes data key by key, and not app_metadata', async () => {
    const client = await local.signUp('data@example.com')
    await client.auth.updateUser({ data: { name: 'Ana', theme: 'dark' } })
    const { data } = await client.auth.updateUser({ data: { theme: null, deep: { kept: null } } })
    expect(data.user?.user_metadata).toMatchObject({ name: 'Ana', deep: { kept: null } })
    expect(data.user?.user_metadata).not.toHaveProperty('theme')
    const { session } = (await client.auth.getSession()).data
    const answered = await fetch(`${local.url}/auth/v1/user`, {
      method: 'PUT',
      headers: { apikey: local.keys.anonKey, authorization: `Bearer ${session?.access_token}` },
      body: JSON.stringify({ app_metadata: { role: 'admin' } }),
    })
    expect([answered.status, await answered.json()]).toEqual([
      403,
      { code: 403, error_code: 'not_admin', msg: 'Updating app_metadata requires admin privileges' },
    ])
  })

  test('changes the address by two codes: one to the new address, one to the current one', async () => {
    const [before, after] = ['old@example.com', 'new@example.com']
    const client = await local.signUp(before)
    await local.signUp('taken@example.com')
    expect(refusalOf(await client.auth.updateUser({ email: 'taken@example.com' }))).toEqual([422, 'email_exists'])
    const { data } = await client.auth.updateUser({ email: after })
    expect(data.user).toMatchObject({ email: before, new_email: after })
    const [codeToNew, codeToOld] = [await codeOf(after), await codeOf(before)]
    const half = await client.auth.verifyOtp({ type: 'email_change', email: after, token: codeToNew })
    expect(half).toMatchObject({ data: { user: null, session: null }, error: null })
    expect((await client.auth.getUser()).data.user?.email).toBe(before)
    const whole = await client.auth.verifyOtp({ type: 'email_change', email: before, token: codeToOld })
    expect(whole.error).toBeNull()
    expect(whole.data.user).toMatchObject({ email: after, identities: [{ identity_data: { email: after } }] })
    expect((await local.client().auth.signInWithPassword({ email: after, password })).error).toBeNull()
  })

  test('gets a nonce by reauthenticate', async () => {
    const client = await local.signUp('nonce@example.com')
    expect((await client.auth.reauthenticate()).error).toBeNull()
    expect(local.log.at(-1)).toMatch(/^Mail to nonce@example.com: code \d{6} \(reauthentication\)$/)
  })
})

describe('a code', () => {
  test('expires after an hour', async () => {
    const email = 'hour@example.com'
    await local.client().auth.signUp({ email, password })
    const token = await codeOf(email)
    const age = (minutes: number) =>
      local.db.query(
        `update auth.one_time_tokens set created_at = now() at time zone 'UTC' - make_interval(mins => $1)
         where relates_to = $2`,
        [minutes, email],
      )
    await age(60)
    expect(refusalOf(await local.client().auth.verifyOtp({ type: 'signup', email, token }))).toEqual([
      403,
      'otp_expired',
    ])
    await age(59)
    expect((await local.client().auth.verifyOtp({ type: 'signup', email, token })).error).toBeNull()
  })

  test('opens only what it was mailed for', async () => {
    const email = 'purpose@example.com'
    await local.client().auth.signUp({ email, password })
    const token = await codeOf(email)
    for (const type of ['recovery', 'email_change', 'magiclink'] as const) {
      expect(refusalOf(await local.client().auth.verifyOtp({ type, email, token }))).toEqual([403, 'otp_expired'])
    }
    expect(refusalOf(await local.client().auth.verifyOtp({ type: 'sms', phone: '+15555550100', token }))).toEqual([
      400,
      'phone_provider_disabled',
    ])
    expect(refusalOf(await local.client().auth.verifyOtp({ type: 'other' as 'signup', email, token }))).toEqual([
      400,
      'validation_failed',
    ])
  })
})

describe('the service key', () => {
  test('creates, reads, changes, lists and deletes users', async () => {
    const { admin } = local.admin.auth
    const email = 'made@example.com'
    const created = await admin.createUser({
      email,
      password,
      email_confirm: true,
      user_metadata: { name: 'Made' },
      app_metadata: { plan: 'pro' },
    })
    expect(created.error).toBeNull()
    const id = created.data.user?.id ?? ''
    expect(created.data.user).toMatchObject({
      app_metadata: { plan: 'pro', provider: 'email' },
      user_metadata: { name: 'Made' },
    })
    expect((await local.client().auth.signInWithPassword({ email, password })).error).toBeNull()
    expect(refusalOf(await admin.createUser({ email }))).toEqual([422, 'email_exists'])
    expect(refusalOf(await admin.createUser({ id, email: 'other-made@example.com' }))).toEqual([422, 'conflict'])

    expect((await admin.getUserById(id)).data.user?.email).toBe(email)
    expect(refusalOf(await admin.getUserById(crypto.randomUUID()))).toEqual([404, 'user_not_found'])
    const changed = await admin.updateUserById(id, { email: 'renamed@example.com', password: 'changed-1' })
    expect(changed.data.user?.email).toBe('renamed@example.com')
    const signIn = { email: 'renamed@example.com', password: 'changed-1' }
    expect((await local.client().auth.signInWithPassword(signIn)).error).toBeNull()

    for (const n of [1, 2, 3]) await admin.createUser({ email: `page${n}@example.com` })
    const page = await admin.listUsers({ page: 1, perPage: 2 })
    expect(page.data.users.map((user) => user.email)).toEqual(['page3@example.com', 'page2@example.com'])
    expect(page.data).toMatchObject({ nextPage: 2, total: expect.any(Number) })
    expect((await admin.listUsers({ page: 1000, perPage: 1000 })).data.users).toEqual([])

    expect((await admin.deleteUser(id)).error).toBeNull()
    expect(refusalOf(await admin.getUserById(id))).toEqual([404, 'user_not_found'])
    expect((await local.db.query('select from public.users where id = $1', [id])).rowCount).toBe(0)
  })

  test('deletes softly: the row stays, the address is free, and tokens end', async () => {
    const email = 'soft@example.com'
    const client = await local.signUp(email)
    const id = (await client.auth.getUser()).data.user?.id ?? ''
    expect((await local.admin.auth.admin.deleteUser(id, true)).error).toBeNull()
    expect((await client.auth.getUser()).error).not.toBeNull()
    const { rows } = await local.db.query('select email, deleted_at from auth.users where id = $1', [id])
    expect(rows[0]).toMatchObject({ email: expect.stringMatching(/^[0-9a-f]{64}$/), deleted_at: expect.any(Date) })
    await local.signUp(email)
  })

  test('takes a bcrypt hash of another system as password', async () => {
    const email = 'imported@example.com'
    // The hash of "correct horse", in the variant that other libraries write.
    const { rows } = await local.db.query(
      "select extensions.crypt('correct horse', extensions.gen_salt('bf', 4)) as hash",
    )
    const password_hash = rows[0].hash.replace('$2a$', '$2b$')
    expect((await local.admin.auth.admin.createUser({ email, password_hash, email_confirm: true })).error).toBeNull()
    expect((await local.client().auth.signInWithPassword({ email, password: 'correct horse' })).error).toBeNull()
    expect(
      refusalOf(await local.admin.auth.admin.createUser({ email: 'x@example.com', password_hash: '$argon2id$x' })),
    ).toEqual([400, 'validation_failed'])
  })

  test('makes links and codes that it mails itself', async () => {
    const { admin } = local.admin.auth
    const email = 'linked@example.com'
    const signup = await admin.generateLink({ type: 'signup', email, password })
    expect(signup.error).toBeNull()
    const { properties } = signup.data
    expect(properties).toMatchObject({ verification_type: 'signup', email_otp: expect.stringMatching(/^\d{6}$/) })
    const verified = await local.client().auth.verifyOtp({ type: 'email', token_hash: properties?.hashed_token ?? '' })
    expect(verified.data.user?.email).toBe(email)
    expect(refusalOf(await admin.generateLink({ type: 'signup', email, password }))).toEqual([422, 'email_exists'])

    const options = { redirectTo: 'http://localhost:5173/welcome' }
    const link = await admin.generateLink({ type: 'magiclink', email, options })
    const opened = await fetch(link.data.properties?.action_link ?? '', { redirect: 'manual' })
    expect(opened.status).toBe(303)
    const target = new URL(opened.headers.get('location') ?? '')
    expect(`${target.origin}${target.pathname}`).toBe('http://localhost:5173/welcome')
    const session = new URLSearchParams(target.hash.slice(1))
    expect(session.get('type')).toBe('magiclink')
    expect((await local.client().auth.getUser(session.get('access_token') ?? '')).data.user?.email).toBe(email)
    const again = await fetch(link.data.properties?.action_link ?? '', { redirect: 'manual' })
    expect(new URL(again.headers.get('location') ?? '').hash).toContain('error_code=otp_expired')

    const recovery = { type: 'recovery', email: 'nobody@example.com' } as const
    expect(refusalOf(await admin.generateLink(recovery))).toEqual([404, 'user_not_found'])
    const far = await admin.generateLink({ type: 'magiclink', email, options: { redirectTo: 'https://evil.example' } })
    expect(far.data.properties?.redirect_to).toBe(local.url)
  })

  test('invites a user by mail', async () => {
    const email = 'invited@example.com'
    expect((await local.admin.auth.admin.inviteUserByEmail(email)).data.user?.invited_at).toBeDefined()
    const client = local.client()
    const verified = await client.auth.verifyOtp({ type: 'invite', email, token: await codeOf(email) })
    expect(verified.error).toBeNull()
    expect((await client.auth.updateUser({ password })).error).toBeNull()
    expect((await local.client().auth.signInWithPassword({ email, password })).error).toBeNull()
  })

  test('is needed: a user and an anonymous caller are refused', async () => {
    const user = await local.signUp('no-admin@example.com')
    const token = (await user.auth.getSession()).data.session?.access_token ?? ''
    const asUser = createClient(local.url, local.keys.anonKey, {
      global: { headers: { Authorization: `Bearer ${token}` } },
      auth: { persistSession: false },
    })
    for (const { auth } of [local.client(), asUser]) {
      expect(refusalOf(await auth.admin.listUsers())).toEqual([403, 'not_admin'])
      expect(refusalOf(await auth.admin.createUser({ email: 'z@example.com' }))).toEqual([403, 'not_admin'])
      expect(refusalOf(await auth.admin.deleteUser(crypto.randomUUID()))).toEqual([403, 'not_admin'])
      expect(refusalOf(await auth.admin.inviteUserByEmail('z@example.com'))).toEqual([403, 'not_admin'])
      expect(refusalOf(await auth.admin.generateLink({ type: 'recovery', email: 'ana@example.com' }))).toEqual([
        403,
        'not_admin',
      ])
    }
  })
})

describe('the limit of mails', () => {
  test('is 30 an hour and address, also for an address without a user', async () => {
    const email = 'many@example.com'
    await local.signUp(email)
    for (const address of [email, 'nobody-many@example.com']) {
      await local.database.asAdmin((admin) =>
        admin.query(
          `insert into local_auth.mail_counts values ($1, now(), 29)
           on conflict (address) do update set mails = 29, began_at = now()`,
          [address],
        ),
      )
      expect((await local.client().auth.resetPasswordForEmail(address)).error).toBeNull()
      const refused = await local.client().auth.resetPasswordForEmail(address)
      expect(refusalOf(refused)).toEqual([429, 'over_email_send_rate_limit'])
      expect(refused.error?.message).toBe('email rate limit exceeded')
      for (const call of [
        local.client().auth.signUp({ email: address, password }),
        local.client().auth.signInWithOtp({ email: address }),
        local.client().auth.resend({ type: 'signup', email: address }),
      ]) {
        expect(refusalOf(await call)).toEqual([429, 'over_email_send_rate_limit'])
      }
      await local.database.asAdmin((admin) =>
        admin.query("update local_auth.mail_counts set began_at = now() - interval '61 minutes' where address = $1", [
          address,
        ]),
      )
      expect((await local.client().auth.resetPasswordForEmail(address)).error).toBeNull()
    }
  })
})

describe('a feature that the local server lacks', () => {
  test('is named to a client that signs in anonymously', async () => {
    const refused = await local.client().auth.signInAnonymously()
    expect(refusalOf(refused)).toEqual([422, 'anonymous_provider_disabled'])
    expect(refused.error?.message).toContain('needs an email address')
  })

  test('is named to a client that uses OAuth, also to its browser', async () => {
    const { data } = await local.client().auth.signInWithOAuth({
      provider: 'github',
      options: { skipBrowserRedirect: true },
    })
    const asked = await fetch(data.url ?? '')
    expect(asked.status).toBe(400)
    expect(await asked.json()).toMatchObject({
      error_code: 'validation_failed',
      msg: expect.stringContaining('provider is not enabled'),
    })
    const page = await fetch(data.url ?? '', { headers: { accept: 'text/html' } })
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(await page.text()).toContain('The local Auth server has no OAuth')
  })

  test('has an error code for each other method', async () => {
    const { auth } = await local.signUp('other-ways@example.com')
    expect(refusalOf(await auth.signInWithSSO({ domain: 'example.com' }))).toEqual([404, 'saml_provider_disabled'])
    expect(refusalOf(await auth.signInWithIdToken({ provider: 'google', token: 'x' }))).toEqual([
      400,
      'provider_disabled',
    ])
    expect(refusalOf(await auth.mfa.enroll({ factorType: 'totp' }))).toEqual([422, 'mfa_totp_enroll_not_enabled'])
    expect(refusalOf(await auth.linkIdentity({ provider: 'github' }))).toEqual([404, 'manual_linking_disabled'])
  })

  test('is false in the settings', async () => {
    const ask = async (path: string) =>
      (await fetch(`${local.url}/auth/v1${path}`, { headers: { apikey: local.keys.anonKey } })).json()
    expect(await ask('/settings')).toMatchObject({
      external: { email: true, google: false, anonymous_users: false, phone: false },
      disable_signup: false,
      mailer_autoconfirm: false,
    })
    expect(await ask('/health')).toMatchObject({ name: 'GoTrue' })
    expect(await ask('/nothing')).toMatchObject({ error_code: 'feature_disabled' })
  })
})

test('an error has its code for both versions of the API', async () => {
  const ask = (headers: Record<string, string>) =>
    fetch(`${local.url}/auth/v1/token?grant_type=password`, {
      method: 'POST',
      headers: { apikey: local.keys.anonKey, ...headers },
      body: JSON.stringify({ email: 'nobody@example.com', password }),
    })
  const old = await ask({})
  expect(await old.json()).toEqual({ code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' })
  const now = await ask({ 'x-supabase-api-version': '2024-01-01' })
  expect(now.headers.get('x-supabase-api-version')).toBe('2024-01-01')
  expect(await now.json()).toEqual({ code: 'invalid_credentials', message: 'Invalid login credentials' })
})
