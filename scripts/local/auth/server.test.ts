import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalAuth, startLocalAuth } from '../../testing/auth.ts'

let local: LocalAuth
beforeAll(async () => {
  local = await startLocalAuth()
})
afterAll(() => local.stop())

test('signs up by a six-digit code, and returns the user', async () => {
  const client = local.client()
  const signedUp = await client.auth.signUp({
    email: 'Ana@Example.com',
    password: 'secret-123',
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
})
