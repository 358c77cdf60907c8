import { createHash, createPublicKey } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importJWK, type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalAuth, startLocalAuth } from '../../testing/auth.ts'
import { makeSigningKey, publicJwks, signUserJwt } from '../keys.ts'
import { openMailbox, readMails } from './mail.ts'
import { renderMailPage } from './mail_page.ts'
import { createQueue } from './queue.ts'

// People expose local stacks, so these tests attack the server as a stranger with the anon key would.

let local: LocalAuth
beforeAll(async () => {
  local = await startLocalAuth()
})
afterAll(() => local.stop())

const password = 'secret-123'

/** Sends a request with the anon key, or another bearer; returns the status and the error code. */
async function send(method: string, path: string, body?: unknown, bearer = local.keys.anonKey) {
  const answered = await fetch(`${local.url}/auth/v1${path}`, {
    method,
    headers: { apikey: local.keys.anonKey, authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answered.text()
  const { error_code: code } = (text ? JSON.parse(text) : {}) as { error_code?: string }
  return { status: answered.status, code, text }
}
const verify = (email: string, token: string, type = 'signup') => send('POST', '/verify', { type, email, token })
const codeOf = async (address: string) => (await local.mailTo(address)).code
/** Another code than this one. */
const wrong = (code: string, n = 1) => String((Number(code) + n) % 1_000_000).padStart(6, '0')

describe('guesses of a code', () => {
  const signUp = (email: string) => send('POST', '/signup', { email, password })

  test('four leave the code alive, five end it', async () => {
    for (const [email, guesses, status] of [
      ['four@example.com', 4, 200],
      ['five@example.com', 5, 403],
    ] as const) {
      await signUp(email)
      const code = await codeOf(email)
      for (let n = 1; n <= guesses; n++) expect((await verify(email, wrong(code, n))).code).toBe('otp_expired')
      expect((await verify(email, code)).status).toBe(status)
    }
  })

  test('over many connections at once are counted, too, and count for every type of verification', async () => {
    const email = 'parallel@example.com'
    await signUp(email)
    const code = await codeOf(email)
    const types = ['signup', 'email', 'invite']
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, n) => verify(email, wrong(code, n + 1), types[n % types.length])),
    )
    expect(new Set(guesses.map((guess) => guess.code))).toEqual(new Set(['otp_expired']))
    expect((await verify(email, code)).code).toBe('otp_expired')
    // A new code has its own tries.
    await send('POST', '/resend', { type: 'signup', email })
    expect((await verify(email, await codeOf(email))).status).toBe(200)
  })

  test('cannot go by the hash that Supabase makes of address and code', async () => {
    const email = 'hash@example.com'
    await signUp(email)
    const code = await codeOf(email)
    const token_hash = createHash('sha224').update(`${email}${code}`).digest('hex')
    expect((await send('POST', '/verify', { type: 'signup', token_hash })).code).toBe('otp_expired')
  })

  test('look the same whether or not the address has a user', async () => {
    const email = 'guessed@example.com'
    await signUp(email)
    const code = await codeOf(email)
    expect(await verify('nobody@example.com', code)).toEqual(await verify(email, wrong(code)))
  })
})

test('the right code sent thirty times at once opens one session', async () => {
  const email = 'once@example.com'
  await send('POST', '/signup', { email, password })
  const code = await codeOf(email)
  const answers = await Promise.all(Array.from({ length: 30 }, () => verify(email, code)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
})

test('sign-ups of one address at once make one user, and the newest mail has the code that works', async () => {
  const email = 'race@example.com'
  const answers = await Promise.all(Array.from({ length: 20 }, () => send('POST', '/signup', { email, password })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  const { rows } = await local.db.query('select count(*)::integer as users from auth.users where email = $1', [email])
  expect(rows[0].users).toBe(1)
  expect((await verify(email, await codeOf(email))).status).toBe(200)
})

test('refreshes of one token at once make one new token', async () => {
  const client = await local.signUp('storm@example.com')
  const refresh_token = (await client.auth.getSession()).data.session?.refresh_token
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => send('POST', '/token?grant_type=refresh_token', { refresh_token })),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(answers.map(({ text }) => JSON.parse(text).refresh_token)).size).toBe(1)
})

test('sixty sign-ups at once all succeed, and other requests do not wait for them', async () => {
  const signUps = Array.from({ length: 60 }, (_, n) =>
    send('POST', '/signup', { email: `crowd${n}@example.com`, password }),
  )
  expect((await send('GET', '/user')).code).toBe('bad_jwt')
  expect((await send('POST', '/recover', { email: 'nobody-waits@example.com' })).status).toBe(200)
  const answers = await Promise.all(signUps)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
})

test('the queue of passwords runs two at a time, refuses when it is full, and skips who has gone', async () => {
  const queue = createQueue(2, 3)
  let running = 0
  let most = 0
  const release = Promise.withResolvers<void>()
  const work = async () => {
    running++
    most = Math.max(most, running)
    await release.promise
    running--
    return 'done'
  }
  const stay = () => false
  const accepted = [queue.run(stay, work), queue.run(stay, work), queue.run(stay, work), queue.run(stay, work)]
  const gone = queue.run(() => true, work)
  await expect(queue.run(stay, work)).rejects.toMatchObject({ status: 429, code: 'over_request_rate_limit' })
  release.resolve()
  expect(await Promise.all(accepted)).toEqual(['done', 'done', 'done', 'done'])
  await expect(gone).rejects.toMatchObject({ code: 'request_timeout' })
  expect(most).toBe(2)
  expect(await queue.run(stay, work)).toBe('done')
})

test('a sign-in with an unknown address takes about as long as one with a wrong password', async () => {
  await local.signUp('timed@example.com')
  const cost = (rounds: number) =>
    local.database.asAdmin((admin) => admin.query('update local_auth.settings set bcrypt_cost = $1', [rounds]))
  await cost(9)
  try {
    await local.signUp('timed9@example.com')
    const measure = async (email: string) => {
      const since = performance.now()
      expect((await send('POST', '/token?grant_type=password', { email, password: 'wrong-1' })).status).toBe(400)
      return performance.now() - since
    }
    // The fastest of each, because other work on this machine only adds time: a busy machine needs more rounds.
    let unknown = Number.POSITIVE_INFINITY
    let wrongPassword = Number.POSITIVE_INFINITY
    for (let round = 1; round <= 30; round++) {
      unknown = Math.min(unknown, await measure('nobody@example.com'))
      wrongPassword = Math.min(wrongPassword, await measure('timed9@example.com'))
      if (round >= 3 && unknown / wrongPassword > 0.5 && unknown / wrongPassword < 2) return
    }
    expect({ unknown, wrongPassword }).toBe('about as fast')
  } finally {
    await cost(4)
  }
})

describe('forged tokens', () => {
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = (more: JWTPayload = {}): JWTPayload => ({
    sub: crypto.randomUUID(),
    aud: 'authenticated',
    role: 'service_role',
    exp: Math.floor(Date.now() / 1000) + 3600,
    ...more,
  })
  const symmetric = (header: { alg: string; kid?: string }, secret: string | Uint8Array, payload = claims()) =>
    new SignJWT(payload)
      .setProtectedHeader(header)
      .sign(typeof secret === 'string' ? new TextEncoder().encode(secret) : secret)

  test('are refused by every route that reads one', async () => {
    const { signingKey, jwtSecret } = local.keys
    const [publicKey] = publicJwks(local.keys).keys
    const pem = createPublicKey({ key: publicKey as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const other = makeSigningKey()
    const kid = signingKey.kid ?? ''
    const forged = {
      'alg none': `${base64({ alg: 'none' })}.${base64(claims())}.`,
      'alg None': `${base64({ alg: 'None', kid })}.${base64(claims())}.`,
      'no signature': `${base64({ alg: 'ES256', kid })}.${base64(claims())}.`,
      'public PEM as secret': await symmetric({ alg: 'HS256', kid }, pem.toString()),
      'public x as secret': await symmetric({ alg: 'HS256', kid }, Buffer.from(publicKey?.x ?? '', 'base64url')),
      'another key, same kid': await signUserJwt(claims(), { signingKey: { ...other, kid } }),
      'another key, own kid': await signUserJwt(claims(), { signingKey: other }),
      'key in the header': await new SignJWT(claims())
        .setProtectedHeader({ alg: 'ES256', jwk: publicJwks({ signingKey: other }).keys[0] as never })
        .sign(await importJWK(other, 'ES256')),
      'path as kid': await symmetric({ alg: 'HS256', kid: '../../../dev/null' }, new Uint8Array(32)),
      'another algorithm': await symmetric({ alg: 'HS512' }, jwtSecret),
      expired: await symmetric({ alg: 'HS256' }, jwtSecret, claims({ exp: 1 })),
      'without exp': await symmetric({ alg: 'HS256' }, jwtSecret, { sub: crypto.randomUUID(), role: 'service_role' }),
    }
    for (const [what, token] of Object.entries(forged)) {
      for (const [method, path] of [
        ['GET', '/user'],
        ['POST', '/logout'],
        ['GET', '/admin/users'],
      ] as const) {
        const refused = await send(method, path, undefined, token)
        expect([what, path, refused.status, refused.code]).toEqual([what, path, 403, 'bad_jwt'])
      }
    }
  })

  test('are refused if they name the session of another user, or no uuid', async () => {
    const [ana, bea] = [await local.signUp('mine@example.com'), await local.signUp('hers@example.com')]
    const { session } = (await bea.auth.getSession()).data
    const { claims: hers } = (await bea.auth.getClaims()).data ?? {}
    const sub = (await ana.auth.getUser()).data.user?.id ?? ''
    for (const [payload, code] of [
      [{ sub, session_id: hers?.session_id }, 'session_not_found'],
      [{ sub, session_id: "' or true --" }, 'session_not_found'],
      [{ sub: "' or true --" }, 'bad_jwt'],
      [{ sub: crypto.randomUUID() }, 'user_not_found'],
      [{}, 'bad_jwt'],
    ] as const) {
      const token = await symmetric({ alg: 'HS256' }, local.keys.jwtSecret, {
        aud: 'authenticated',
        exp: Math.floor(Date.now() / 1000) + 60,
        ...payload,
      })
      expect((await send('GET', '/user', undefined, token)).code).toBe(code)
    }
    expect((await send('GET', '/user', undefined, session?.access_token)).status).toBe(200)
  })
})

describe('bodies', () => {
  const routes = [
    ['POST', '/signup'],
    ['POST', '/token?grant_type=password'],
    ['POST', '/token?grant_type=refresh_token'],
    ['POST', '/verify'],
    ['POST', '/otp'],
    ['POST', '/recover'],
    ['POST', '/resend'],
    ['POST', '/admin/users'],
    ['POST', '/admin/generate_link'],
    ['PUT', '/admin/users/11111111-1111-4111-8111-111111111111'],
  ] as const

  test.each([
    ['no JSON', '{"email":'],
    ['none', ''],
    ['an array', '[]'],
    ['null', 'null'],
    ['a text', '"text"'],
    ['numbers', '{"email": 1, "password": 2, "type": 3, "token": 4, "refresh_token": 5, "data": 6}'],
    ['objects', '{"email": {"a": 1}, "password": ["x"], "type": {}, "refresh_token": {}}'],
    ['deep nesting', `{"email": "deep@example.com", "data": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    [
      'null characters',
      '{"email": "nul\\u0000@example.com", "password": "secret\\u0000-1", "type": "signup\\u0000", "token": "1\\u0000", "refresh_token": "\\u0000", "data": {"a": "\\u0000"}}',
    ],
    [
      'half a surrogate',
      '{"email": "half\\ud800@example.com", "password": "secret\\ud800", "type": "signup", "token": "\\ud800", "refresh_token": "\\ud800"}',
    ],
    ['a prototype', '{"__proto__": {"email": "proto@example.com"}, "constructor": {"prototype": {}}}'],
  ])('with %s are refused by every route with a client error', async (what, body) => {
    for (const [method, path] of routes) {
      const { status, code } = await send(method, path, body, local.keys.serviceRoleKey)
      // Routes that read no data succeed.
      if (what === 'deep nesting' && status === 200) continue
      expect([path, status]).toEqual([path, expect.toSatisfy((value: number) => value >= 400 && value < 500)])
      expect(code).toBeTypeOf('string')
    }
  })

  test('are refused above 1 MiB', async () => {
    const body = { email: 'huge@example.com', password, data: { text: 'x'.repeat(2 ** 20) } }
    expect(await send('POST', '/signup', body)).toMatchObject({ status: 413, code: 'request_entity_too_large' })
  })

  test('with SQL in every field do what any other text does', async () => {
    const sql = "'; drop table auth.users; select '"
    for (const [method, path] of routes) {
      for (const email of [sql, 'sql@example.com']) {
        const body = { email, password: sql, type: sql, token: sql, refresh_token: sql, data: { [sql]: sql } }
        const { status } = await send(method, path, body, local.keys.serviceRoleKey)
        expect(status).toBeLessThan(500)
      }
    }
    for (const path of [
      '/admin/users?page=1%27',
      '/admin/users?filter=%27%3B--',
      `/admin/users/${encodeURIComponent(sql)}`,
    ]) {
      expect((await send('GET', path, undefined, local.keys.serviceRoleKey)).status).toBeLessThan(500)
    }
    expect((await local.db.query('select from auth.users')).rowCount).toBeGreaterThan(0)
  })
})

describe('mails', () => {
  test('are readable by a person, and the folder keeps the newest', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plinth-mail-'))
    try {
      const mailbox = openMailbox(folder, () => {}, 20)
      for (let n = 0; n < 60; n++) {
        const made_at = new Date(1_000 * n).toISOString()
        await mailbox.send({ kind: 'recovery', to: `to${n}@example.com`, code: '012345', made_at })
      }
      expect(readdirSync(folder).length).toBeLessThan(24)
      expect(await readMails(folder, 1)).toMatchObject([{ to: 'to59@example.com', subject: 'Your code is 012345' }])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('are in the order in which their codes were made, not in the order in which they were written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plinth-mail-'))
    try {
      const mailbox = openMailbox(folder, () => {})
      for (const [code, micros] of [
        ['000002', '000002'],
        ['000003', '000003'],
        ['000001', '000001'],
      ] as const) {
        const made_at = `2030-01-01T00:00:00.${micros}Z`
        await mailbox.send({ kind: 'confirmation', to: 'ana@example.com', code, made_at })
      }
      const mails = await readMails(folder, 3)
      expect(mails.map(({ subject }) => subject.slice(-6))).toEqual(['000003', '000002', '000001'])
      expect(mails[0]?.date).toBe('Tue, 01 Jan 2030 00:00:00 +0000')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('cannot bring markup into the page of mails', () => {
    const evil = '<script>alert(1)</script>"&'
    const page = renderMailPage([{ to: evil, subject: evil, date: evil, text: evil }])
    expect(page).not.toContain('<script')
    expect(page).toContain('&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#38;')
  })

  test('are shown to a person on this machine only, without scripts, newest first', async () => {
    await send('POST', '/recover', { email: 'four@example.com' })
    await send('POST', '/recover', { email: 'once@example.com' })
    const ask = (headers: Record<string, string>) =>
      new Promise<{ status: number | undefined; headers: NodeJS.Dict<string | string[]>; text: string }>((resolve) => {
        request(local.authUrl, { path: '/mail', headers }, async (answered) => {
          const text = (await answered.setEncoding('utf8').toArray()).join('')
          resolve({ status: answered.statusCode, headers: answered.headers, text })
        }).end()
      })
    const page = await ask({})
    expect(page.status).toBe(200)
    expect(page.headers).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      refresh: '3',
    })
    expect(page.text.indexOf('to once@example.com')).toBeGreaterThan(0)
    expect(page.text.indexOf('to once@example.com')).toBeLessThan(page.text.indexOf('to four@example.com'))
    for (const headers of [
      { host: 'evil.example' },
      { origin: 'http://localhost:3000' },
      { 'x-forwarded-for': '203.0.113.1' },
    ]) {
      expect((await ask(headers)).status).toBe(403)
    }
  })
})

test('plans of slow statements, which would show passwords, are not logged', async () => {
  const { rows } = await local.db.query("select rolconfig from pg_roles where rolname = 'supabase_auth_admin'")
  expect(rows[0].rolconfig).toContain('auto_explain.log_min_duration=-1')
})

test('neither clients nor the public reach the functions of the server or its tables', async () => {
  const { rows } = await local.db.query(
    `select role.name
     from unnest('{anon,authenticated,service_role,authenticator,worker,sidecar}'::text[]) as role (name)
     where has_schema_privilege(role.name, 'local_auth', 'usage')
       or has_table_privilege(role.name, 'auth.one_time_tokens', 'select')
       or has_table_privilege(role.name, 'auth.refresh_tokens', 'select')
       or has_table_privilege(role.name, 'auth.sessions', 'select')
       or has_table_privilege(role.name, 'auth.identities', 'select')`,
  )
  expect(rows).toEqual([])
})
