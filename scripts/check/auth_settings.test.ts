import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'

// Supabase Auth has its settings in two forms, and the local Auth server in a third. No machine of the tests has Docker.
const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'db/supabase')
const toml = readToml(readFileSync(join(folder, 'config.toml'), 'utf8'))
const env = parseEnv(readFileSync(join(folder, 'auth.env'), 'utf8'))
const kinds = ['confirmation', 'email_change', 'invite', 'magic_link', 'reauthentication', 'recovery']

/** Reads sections, names, and values that are JSON, too. */
function readToml(text: string): Record<string, Record<string, unknown>> {
  const sections: Record<string, Record<string, unknown>> = {}
  let section = ''
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, header] = /^\[([\w.]+)\]$/.exec(line) ?? []
    const [, name, value] = /^(\w+) = (.+)$/.exec(line) ?? []
    if (header) section = header
    else if (name && value) sections[section] = { ...sections[section], [name]: JSON.parse(value) }
    else throw new Error(`config.toml has a line of another form: ${line}`)
  }
  return sections
}

test('codes have six digits and work for an hour, everywhere', () => {
  expect(toml['auth.email']).toMatchObject({ otp_length: 6, otp_expiry: 3600 })
  expect(env).toMatchObject({ GOTRUE_MAILER_OTP_LENGTH: '6', GOTRUE_MAILER_OTP_EXP: '3600' })
})

test('a sign-up needs the code, and a change of address needs two', () => {
  expect(toml['auth.email']).toMatchObject({ enable_confirmations: true, double_confirm_changes: true })
  expect(env).toMatchObject({
    GOTRUE_MAILER_AUTOCONFIRM: 'false',
    GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED: 'true',
  })
})

test('every kind of mail has a template that shows the code and no link', () => {
  expect(readdirSync(join(folder, 'templates')).sort()).toEqual(kinds.map((kind) => `${kind}.html`))
  for (const kind of kinds) {
    expect(toml[`auth.email.template.${kind}`]).toEqual({
      subject: 'Your code is {{ .Token }}',
      content_path: `./supabase/templates/${kind}.html`,
    })
    expect(env[`GOTRUE_MAILER_TEMPLATES_${kind.toUpperCase()}`]).toBe(`http://auth-templates/${kind}.html`)
    expect(env[`GOTRUE_MAILER_SUBJECTS_${kind.toUpperCase()}`]).toBe('Your code is {{ .Token }}')
    const template = readFileSync(join(folder, `templates/${kind}.html`), 'utf8')
    expect(template.match(/\{\{.*?\}\}/g)).toEqual(['{{ .Token }}'])
    expect(template).not.toMatch(/href|https?:/)
  }
})

test('the settings, the environment, and the defaults of the local server are the same', () => {
  const sql = readFileSync(join(root, 'db/supabase_shim/auth/10_base.sql'), 'utf8')
  const local = (column: string) =>
    Number(new RegExp(`^ {2}${column} integer not null default (\\d+)`, 'm').exec(sql)?.[1])
  const auth = toml['auth'] ?? {}
  for (const [column, setting, variable] of [
    ['code_seconds', toml['auth.email']?.['otp_expiry'], 'GOTRUE_MAILER_OTP_EXP'],
    ['token_seconds', auth['jwt_expiry'], 'GOTRUE_JWT_EXP'],
    ['password_min_length', auth['minimum_password_length'], 'GOTRUE_PASSWORD_MIN_LENGTH'],
    ['refresh_grace_seconds', auth['refresh_token_reuse_interval'], 'GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL'],
    ['mails_per_hour', toml['auth.rate_limit']?.['email_sent'], 'GOTRUE_RATE_LIMIT_EMAIL_SENT'],
  ] as const) {
    expect([column, setting]).toEqual([column, local(column)])
    expect([column, env[variable]]).toEqual([column, String(local(column))])
  }
  expect(auth).toMatchObject({ enable_anonymous_sign_ins: false, enable_refresh_token_rotation: true })
  expect(env).toMatchObject({
    GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'false',
    GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED: 'true',
  })
})
