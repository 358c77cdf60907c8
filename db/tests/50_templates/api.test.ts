import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createDatabase, startApi, type TestDatabase } from '../../../scripts/testing/database.ts'
import type { Database, ServiceDatabase } from '../../client_types.ts'

// The functions and tables as clients call them over HTTP.
let database: TestDatabase
let api: Api
let anon: SupabaseClient<Database>
let ana: SupabaseClient<Database>
let service: SupabaseClient<ServiceDatabase>

const file = (version: string, more: object = {}) => ({
  kind: 'main',
  locale: null,
  storage_path: `demo/v${version}/main.md`,
  sha256: 'a'.repeat(64),
  size_bytes: 7,
  content_type: 'text/markdown',
  ...more,
})

beforeAll(async () => {
  database = await createDatabase()
  const client = await database.connect()
  const user = { id: crypto.randomUUID(), email: 'ana@example.com' }
  await client.query(
    "insert into auth.users (id, aud, role, email) values ($1, 'authenticated', 'authenticated', $2)",
    [user.id, user.email],
  )
  api = await startApi(database)
  anon = createClient<Database>(api.url, api.anonKey)
  const token = await api.tokenFor(user)
  ana = createClient<Database>(api.url, api.anonKey, { accessToken: async () => token })
  service = createClient<ServiceDatabase>(api.url, api.serviceKey)
})
afterAll(async () => {
  await api.stop()
  await database.drop()
})

test('service_role publishes a version, and a user lists it and reads its manifest by GET', async () => {
  const published = await service
    .rpc('publish_template_version', { name: 'demo', version: '1.0.0', artifacts: [file('1.0.0')], set_default: true })
    .throwOnError()
  expect(published.data).toMatchObject({ is_new: true, is_default: true })
  const listed = await ana
    .from('templates')
    .select('name, template_versions!template_versions_template_id_fkey(semver, artifacts(kind, size_bytes))')
    .throwOnError()
  expect(listed.data).toEqual([
    { name: 'demo', template_versions: [{ semver: '1.0.0', artifacts: [{ kind: 'main', size_bytes: 7 }] }] },
  ])
  const manifest = await ana.rpc('template_manifest', { name: 'demo', locale: 'en' }, { get: true }).throwOnError()
  expect(manifest.data).toMatchObject({
    template: 'demo',
    version: '1.0.0',
    artifacts: [{ kind: 'main', locale: null }],
  })
})

test.each(['templates', 'artifacts', 'prompts'] as const)(
  'a user may select=* from %s, but not write it',
  async (table) => {
    expect((await ana.from(table).select('*')).status).toBe(200)
    expect((await ana.from(table).delete().neq('id', crypto.randomUUID())).status).toBe(403)
    expect((await ana.from(table).insert({} as never)).status).toBe(403)
    expect((await anon.from(table).select('*')).status).toBe(401)
  },
)

test('a user may not call the functions of operators', async () => {
  // The types of clients do not have these functions.
  const forged: SupabaseClient<ServiceDatabase> = ana as never
  const calls = [
    forged.rpc('set_default_version', { name: 'demo', version: '1.0.0' }),
    forged.rpc('set_template_channel', { name: 'demo', channel: 'default', weights: {} }),
    forged.rpc('deprecate_template_version', { name: 'demo', version: '1.0.0' }),
    forged.rpc('publish_template_version', { name: 'x', version: '1.0.0', artifacts: [] }),
  ]
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([403, 403, 403, 403])
  expect((await anon.rpc('template_manifest', { name: 'demo' })).status).toBe(401)
})

describe('bad input gets a 4xx with its slug, and changes nothing', () => {
  const bad: [string, object, number, string?][] = [
    ['artifacts that are not a list', { artifacts: 'x' }, 422, 'template_invalid'],
    ['an empty list', { artifacts: [] }, 422, 'template_invalid'],
    ['101 artifacts', { artifacts: Array.from({ length: 101 }, () => file('7.0.0')) }, 422, 'template_invalid'],
    ['the same file twice', { artifacts: [file('7.0.0'), file('7.0.0')] }, 422, 'template_invalid'],
    ['a number as a path', { artifacts: [file('7.0.0', { storage_path: 7 })] }, 422, 'template_invalid'],
    [
      'a path that leaves its folder',
      { artifacts: [file('7.0.0', { storage_path: 'demo/v7.0.0/../../x' })] },
      422,
      'template_invalid',
    ],
    [
      'two folders',
      { artifacts: [file('7.0.0'), file('7.0.0', { storage_path: 'x/v7.0.0/x' })] },
      422,
      'template_invalid',
    ],
    ['no hash', { artifacts: [file('7.0.0', { sha256: null })] }, 422, 'template_invalid'],
    ['a huge size', { artifacts: [file('7.0.0', { size_bytes: 1e12 })] }, 422, 'template_invalid'],
    ['\\u0000', { artifacts: [file('7.0.0', { kind: 'a\u0000b' })] }, 400],
    ['\\u0000 in the changelog', { changelog: '\u0000' }, 400],
    ['a long changelog', { changelog: 'x'.repeat(20_000) }, 400],
    ['a wrong version', { version: '7', artifacts: [file('7')] }, 400],
    ['a wrong name', { name: 'Demo' }, 400],
    ['a long name', { name: `d${'x'.repeat(9000)}` }, 400],
    [
      'a prompt with an unknown role',
      { prompts: [{ role: 'god', storage_path: 'demo/v7.0.0/x', sha256: 'a'.repeat(64) }] },
      422,
      'template_invalid',
    ],
    ['deep nesting', { artifacts: [JSON.parse('['.repeat(500) + ']'.repeat(500))] }, 422, 'template_invalid'],
    ['an unknown status', { status: 'gone' }, 422, 'template_status_unknown'],
    ['a draft as default', { status: 'draft', set_default: true }, 409, 'template_version_not_stable'],
    ['created_by that is not a user', { created_by: crypto.randomUUID() }, 422, 'template_invalid'],
    ['an unknown upload', { upload_id: crypto.randomUUID() }, 409, 'template_upload_expired'],
  ]
  test.each(bad)('%s', async (_what, given, status, slug) => {
    const whole = { name: 'demo', version: '7.0.0', artifacts: [file('7.0.0')], ...given }
    const answer = await service.rpc('publish_template_version', whole as never)
    expect([answer.status, slug && answer.error?.details]).toEqual([status, slug])
    expect((await service.from('template_versions').select('semver')).data).toEqual([{ semver: '1.0.0' }])
  })

  test.each([
    [{ version: '9.9.9' }, 404, 'template_version_not_found'],
    [{ version: '' }, 404, 'template_version_not_found'],
    [{ version: 'x'.repeat(5000) }, 404, 'template_version_not_found'],
    [{ version: '9'.repeat(5000) }, 404, 'template_version_not_found'],
    [{ version: null }, 404, 'template_version_not_found'],
    [{ name: 'x'.repeat(5000) }, 404, 'template_not_found'],
    [{ name: null }, 404, 'template_not_found'],
    [{ locale: 'de' }, 422, 'locale_unknown'],
    [{ key: 'k'.repeat(100_000) }, 200, undefined],
  ])('template_manifest with %j', async (given, status, slug) => {
    const answer = await ana.rpc('template_manifest', { name: 'demo', ...given } as never)
    expect([answer.status, answer.error?.details]).toEqual([status, slug])
  })

  test.each([null, 7, 'x', [], { '1.0.0': -1 }, { '1.0.0': null }, { '1.0.0': 99, '\u0000': 1 }])(
    'set_template_channel with weights %j',
    async (weights) => {
      const answer = await service.rpc('set_template_channel', { name: 'demo', channel: 'beta', weights } as never)
      expect([400, 422]).toContain(answer.status)
    },
  )
})
