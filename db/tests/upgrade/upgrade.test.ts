import type { Client } from 'pg'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { seed } from '../../../scripts/database/migrate.ts'
import { dbFolder, sqlFiles } from '../../../scripts/database/sql_files.ts'
import { asAdmin, databaseUrl, migrateAlone } from '../../../scripts/testing/cluster.ts'
import { prepareOldDatabase } from '../../../scripts/testing/old_database.ts'
import { claimSteps, completed, exchangeSteps, exchangeWork, letSweep } from '../../../scripts/testing/steps.ts'

// A database of c5e8e03 with rows of every kind and state, migrated: nothing is lost, and everything goes on.

const cluster = inject('cluster')
const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
const ana = '10000000-0000-4000-8000-000000000001'
let client: Client
let before: Map<string, string>

/** The number of rows of each table that the release had. */
async function countRows(): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; rows: string }>(
    `select t.name, (xpath('/row/n/text()', query_to_xml('select count(*) as n from ' || t.name, false, true, '')))[1]::text as rows
     from (
       select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'app', 'auth')
     ) as t
     where t.name not in ('app.migrations', 'app.applied_files')
     order by t.name`,
  )
  return new Map(rows.map((row) => [row.name, row.rows]))
}

/** One call as a signed-in user. */
async function as<T>(userId: string, sql: string, values: unknown[] = []): Promise<T> {
  await client.query('begin')
  try {
    await client.query("select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)", [
      JSON.stringify({ sub: userId, role: 'authenticated' }),
    ])
    const { rows } = await client.query(sql, values)
    await client.query('commit')
    return rows[0]?.value
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

beforeAll(async () => {
  await prepareOldDatabase(cluster, name)
  client = new pg.Client(databaseUrl(cluster, name))
  await client.connect()
  // Texts that the release kept in other tables.
  await client.query(`
    update dramas set extra = '{"of": "drama"}' where external_id = 'ext-1';
    update episodes set script = 'A lamp.', extra = '{"of": "episode"}' where title = 'One';
    update scenes set image_prompt = 'A drawer.', video_prompt = 'It opens.', extra = '{"of": "scene"}' where title = 'Night'`)
  before = await countRows()
  await migrateAlone(cluster, name)
  await seed(databaseUrl(cluster, name))
})
afterAll(async () => {
  await client.end()
  await asAdmin(cluster, 'postgres', (admin) => admin.query(`drop database ${name} with (force)`))
})

test('no row is lost, and what an operator changed stays changed', async () => {
  const after = await countRows()
  const auth = ['sessions', 'identities', 'refresh_tokens', 'mfa_amr_claims', 'one_time_tokens']
  const empty = ['app.job_events', ...auth.map((table) => `auth.${table}`)]
  expect([...before].filter(([table, rows]) => rows === '0' && !empty.includes(table))).toEqual([])
  expect(
    [...before].filter(([table]) => after.has(table) && Number(after.get(table)) < Number(before.get(table))),
  ).toEqual([])
  const { rows } = await client.query(
    `select
       (select share_base_url from app.settings) as url,
       (select cron from app.schedules where name = 'delete-expired-shares') as cron,
       (select description from plans where id = 'free') as plan,
       (select max_failures from job_types where name = 'write_scene') as failures`,
  )
  expect(rows).toEqual([{ url: 'https://share.example.com', cron: '7 * * * *', plan: 'Our own words.', failures: 7 }])
})

test('assets lose the names of their files, and keep their objects, times and bytes', async () => {
  const { rows } = await client.query(
    `select a.name, a.object_key ~ '/f[0-9]\\.png$' as is_same_key, a.status = t.status as is_same_status,
       t.status_at < now() - interval '30 minutes' as is_old
     from assets as a
     join app.asset_times as t on t.asset_id = a.id
     order by a.size_byte`,
  )
  const asset = { name: 'file.png', is_same_key: true, is_same_status: true }
  expect(rows).toEqual([false, false, true, true].map((is_old) => ({ ...asset, is_old })))
  const { rows: sums } = await client.query(
    `select s.stored::integer, s.unreferenced::integer, (select name from app.asset_uploads) as upload
     from app.sum_asset_bytes() as s`,
  )
  expect(sums).toEqual([{ stored: 1500, unreferenced: 1500, upload: 'file.png' }])
})

test('shares, API keys, templates and dramas answer as before', async () => {
  const share = async (id: string) =>
    (await client.query('select public.get_shared_resource($1) as value', [id])).rows[0].value
  expect(await share('20000000-0000-4000-8000-000000000001')).toMatchObject({
    name: 'Example',
    responseTemplate: '{{a}}',
  })
  expect(await share('20000000-0000-4000-8000-000000000012')).toMatchObject({ data: { name: 'Ana' } })
  expect(await share('20000000-0000-4000-8000-000000000021')).toMatchObject({ title: 'Evening' })
  await expect(share('20000000-0000-4000-8000-000000000003')).rejects.toMatchObject({
    code: 'PT404',
    detail: 'share_not_found',
  })
  const keys = await client.query(
    'select name, revoked_at is null as live from api_keys where owner_id = $1 order by name',
    [ana],
  )
  expect(keys.rows.map((row) => `${row.name} ${row.live}`)).toEqual([
    'expired true',
    'read true',
    'revoked false',
    'rotated true',
    'rotated true',
    'write true',
  ])
  const manifest = await as<{ version: string }>(ana, "select public.template_manifest('demo', 'beta') as value")
  expect(manifest.version).toBe('1.1.0')
  const { rows } = await client.query("select id from dramas where external_id = 'ext-1'")
  const drama = await as<{ title: string; episodes: unknown[] }>(ana, 'select public.get_drama_complete($1) as value', [
    rows[0].id,
  ])
  const scene = { title: 'Night', image_prompt: 'A drawer.', video_prompt: 'It opens.', extra: { of: 'scene' } }
  const episode = { title: 'One', script: 'A lamp.', extra: { of: 'episode' }, scenes: [scene] }
  expect(drama).toMatchObject({ title: 'Saved', extra: { of: 'drama' }, episodes: [episode] })
})

test('an upload of a template that had begun is published by its own command, and refused by the new one', async () => {
  const { rows } = await client.query<{ upload_id: string; sha256: string }>(
    "select upload_id, sha256 from app.template_uploads where storage_path = 'demo/v9.0.0/main.md'",
  )
  const [upload] = rows
  const files = JSON.stringify([
    {
      kind: 'main',
      locale: 'en',
      storage_path: 'demo/v9.0.0/main.md',
      sha256: upload?.sha256,
      size_bytes: 10,
      content_type: 'text/markdown',
    },
  ])
  await expect(
    client.query("select app.publish_template_upload('demo', '9.0.0', $1, null, 'stable', false, null)", [
      upload?.upload_id,
    ]),
  ).rejects.toMatchObject({ code: 'PT409', detail: 'template_upload_expired' })
  const renewed = await client.query("select app.renew_template_upload('9.0.0', $1, '[]', $2) as value", [
    files,
    upload?.upload_id,
  ])
  expect(renewed.rows).toEqual([{ value: true }])
  const published = await client.query(
    "select app.publish_template_version('demo', '9.0.0', $1, '[]', null, 'stable', false, null, $2) as value",
    [files, upload?.upload_id],
  )
  expect(published.rows[0].value).toMatchObject({ version: '9.0.0', is_new: true })
})

test('open runs complete, and failed and cancelled ones can be retried', async () => {
  const { rows: ended } = await client.query(
    "select id, owner_id from jobs where id = root_id and status in ('failed', 'cancelled') order by id",
  )
  expect(ended).toHaveLength(5)
  for (const { id, owner_id } of ended) await as(owner_id, 'select public.retry_job($1) as value', [id])

  const worker = crypto.randomUUID()
  const exchange = async (results: unknown[]) =>
    (await client.query('select worker.exchange_steps($1, $2, 100) as value', [worker, JSON.stringify(results)]))
      .rows[0].value as { refused: unknown[]; steps: { id: number; fence: number; type: string }[] }
  const done: string[] = []
  // The worker that held steps is gone: the next sweep requeues them, with a delay that this test does not wait for.
  await client.query("update app.workers set heartbeat_at = heartbeat_at - interval '1 hour'")
  await letSweep(client, worker)
  await client.query("select worker.heartbeat($1, '[]')", [worker])
  await client.query("update app.job_queue set run_at = least(run_at, now()) where status = 'queued'")
  await client.query('update app.lanes set wake_at = least(wake_at, now()) where wake_at is not null')
  let { steps } = await exchange([])
  for (let turn = 0; turn < 20 && steps.length > 0; turn++) {
    done.push(...steps.map(({ type }) => type))
    const next = await exchange(steps.map(({ id, fence }) => ({ id, fence, outcome: 'completed', output: {} })))
    expect(next.refused).toEqual([])
    steps = next.steps
  }
  const { rows: open } = await client.query(
    "select key, type, status from jobs where status not in ('completed', 'skipped') order by id",
  )
  expect(open).toEqual([])
  expect(new Set(done)).toEqual(
    new Set(['noop', 'limited', 'write_outline', 'write_cast', 'write_script', 'generate_image']),
  )
  expect((await client.query('select count(*)::int as n from app.job_queue')).rows).toEqual([{ n: 0 }])
})

test('a result waits if it is handed in after the migration of episodes and before the new functions', async () => {
  const files = await sqlFiles(dbFolder, 'migrations')
  const migration = files.find(({ path }) => path.endsWith('_episode_and_scene_details.sql'))?.text
  const [block] = /^do \$migration\$[\s\S]*?^\$migration\$;/m.exec(migration ?? '') ?? []
  await client.query(
    'update app.settings set drama_writes_per_minute = 1000; update plans set dramas_open = null, dramas_per_day = null',
  )
  const sql = "select d.run_id as value from public.generate_drama('Two lamps') as d"
  const runId = Number(await as(ana, sql))
  const worker = crypto.randomUUID()
  const step = (await claimSteps(client, worker)).find(({ run_id }) => run_id === runId)
  if (!step) throw new Error('No step was claimed.')
  const output = { title: 'T', logline: 'L', genre: 'G', episodes: [] }
  await client.query(block ?? '')
  try {
    expect((await exchangeWork(client, worker, [completed(step, output)])).refused).toMatchObject([
      { reason: 'run_busy' },
    ])
    // Workers of the last release know no run_busy, and repeat their call.
    await expect(exchangeSteps(client, worker, [completed(step, output)])).rejects.toMatchObject({ code: '55P03' })
  } finally {
    await client.query("delete from app.applied_files where path like 'db/modules/60_dramas/%'")
    await migrateAlone(cluster, name)
  }
  expect((await exchangeSteps(client, worker, [completed(step, output)])).refused).toEqual([])
  const { rows } = await client.query('select status, error_slug from jobs where id = $1', [step.id])
  expect(rows).toEqual([{ status: 'completed', error_slug: null }])
})
