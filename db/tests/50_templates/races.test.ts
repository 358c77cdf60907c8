import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'

// Two sessions at the same moment: each test steps them by hand, and waits until one waits for the other's lock.
let database: TestDatabase
let a: Client
let b: Client
let watcher: Client
let name: string

beforeAll(async () => {
  database = await createDatabase()
  ;[a, b, watcher] = await Promise.all([database.connect(), database.connect(), database.connect()])
})
afterAll(() => database.drop())
beforeEach(async () => {
  name = `t${crypto.randomUUID().slice(0, 8)}`
})

const files = (version: string, hash: string) =>
  JSON.stringify([
    {
      kind: 'main',
      storage_path: `${name}/v${version}/main.md`,
      sha256: hash.repeat(64),
      size_bytes: 1,
      content_type: 'text/markdown',
    },
  ])
const publish = (client: Client, version: string, hash = 'a', status = 'stable') =>
  client.query('select publish_template_version($1, $2, $3, status => $4) as answer', [
    name,
    version,
    files(version, hash),
    status,
  ])
const setDefault = (client: Client, version: string) =>
  client.query('select set_default_version($1, $2)', [name, version])
const deprecate = (client: Client, version: string) =>
  client.query('select deprecate_template_version($1, $2)', [name, version])

test.each([
  ['succeeds with the same files', 'a', { is_new: false }],
  ['is refused with other files', 'b', undefined],
] as const)('the second of two publications at once %s', async (_what, hash, answer) => {
  await a.query('begin')
  await publish(a, '1.0.0')
  const second = publish(b, '1.0.0', hash)
  second.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  if (answer) expect((await second).rows[0].answer).toMatchObject(answer)
  else await expect(second).rejects.toMatchObject({ code: 'PT409', detail: 'template_version_taken' })
})

test('a publication that rolls back does not block another one', async () => {
  await a.query('begin')
  await publish(a, '1.0.0')
  const second = publish(b, '1.0.0', 'b')
  await untilWaiting(watcher, b)
  await a.query('rollback')
  expect((await second).rows[0].answer).toMatchObject({ is_new: true })
})

test('set_default_version against deprecate_template_version: the version does not become the default', async () => {
  await publish(a, '1.0.0')
  await publish(a, '1.1.0')
  await a.query('begin')
  await deprecate(a, '1.1.0')
  const late = setDefault(b, '1.1.0')
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ detail: 'template_version_not_stable' })
})

test('two manual updates, deprecation against default: the version does not become the default', async () => {
  await publish(a, '1.0.0')
  await a.query('begin')
  await a.query(
    "update template_versions set status = 'deprecated' where semver = '1.0.0' and template_id = (select id from templates where name = $1)",
    [name],
  )
  const late = b.query(
    'update templates as t set default_version_id = v.id from template_versions as v where v.template_id = t.id and t.name = $1',
    [name],
  )
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ code: '23503' })
})

test('deprecate_template_version against set_default_version: the new default is not deprecated', async () => {
  await publish(a, '1.0.0')
  await a.query('begin')
  await setDefault(a, '1.0.0')
  const late = deprecate(b, '1.0.0')
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ detail: 'template_version_is_default' })
})

test('insert of a file against publish_template_version: the file is refused', async () => {
  await publish(a, '1.0.0', 'a', 'draft')
  const { rows } = await watcher.query(
    'select v.id from template_versions as v join templates as t on t.id = v.template_id where t.name = $1',
    [name],
  )
  await a.query('begin')
  await publish(a, '1.0.0')
  const late = b.query(
    "insert into prompts (template_version_id, role, storage_path, sha256) values ($1, 'user', $2, $3)",
    [rows[0].id, `${name}/v1.0.0/user.md`, 'c'.repeat(64)],
  )
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ detail: 'template_version_published' })
})

test('record_template_use does not wait for a transaction that holds the template', async () => {
  await publish(a, '1.0.0')
  await b.query("insert into job_types (name) values ('noting') on conflict do nothing")
  const { rows } = await b.query(`select app.submit_run('{"key": "a", "type": "noting"}', null, null)::integer as id`)
  await a.query('begin')
  await setDefault(a, '1.0.0')
  await b.query("set statement_timeout = '2s'")
  const noted = await b.query("select worker.record_template_use($1, $2, $3, '{}') as is_new", [
    rows[0].id,
    name,
    '1.0.0',
  ])
  await a.query('rollback')
  await b.query('reset statement_timeout')
  expect(noted.rows).toEqual([{ is_new: true }])
})

test('two templates that publish into one folder at once: the second is refused', async () => {
  await a.query('begin')
  await publish(a, '1.0.0')
  const second = b.query('select publish_template_version($1, $2, $3)', [`${name}-other`, '2.0.0', files('2.0.0', 'a')])
  second.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(second).rejects.toMatchObject({ code: 'PT409', detail: 'storage_path_taken' })
})

test('reserve_template_upload against publish_template_version: other files are refused', async () => {
  await a.query('begin')
  await publish(a, '1.0.0')
  const late = b.query("select app.reserve_template_upload($1, '1.0.0', $2, '[]')", [name, files('1.0.0', 'b')])
  late.catch(() => {})
  await untilWaiting(watcher, b)
  await a.query('commit')
  await expect(late).rejects.toMatchObject({ detail: 'template_version_taken' })
  await b.query('select pg_advisory_unlock_all()')
})

test('claim_template_uploads of two workers at once: each object has one claim', async () => {
  await watcher.query(
    `insert into app.template_uploads (storage_path, upload_id, sha256, started_at)
     select $1 || '/v1.0.0/' || n, gen_random_uuid(), repeat('a', 64), now() - interval '2 hours' from generate_series(1, 20) as n`,
    [name],
  )
  await a.query('begin')
  const first = await a.query('select * from worker.claim_template_uploads(12)')
  const second = await b.query('select * from worker.claim_template_uploads(12)')
  await a.query('commit')
  expect([first.rowCount, second.rowCount]).toEqual([12, 8])
  expect(new Set([...first.rows, ...second.rows].map(({ storage_path }) => storage_path)).size).toBe(20)
})

test.each(['repeatable read', 'serializable'])('set_default_version is refused under %s', async (level) => {
  await publish(a, '1.0.0')
  await a.query(`begin isolation level ${level}`)
  await expect(setDefault(a, '1.0.0')).rejects.toMatchObject({ detail: 'isolation_unsupported' })
  await a.query('rollback')
})
