import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { connectAsSuperuser, statistics, watchPlans } from '../../../scripts/testing/plans.ts'
import { announceVersions, exchangeSteps } from '../../../scripts/testing/steps.ts'

// One generation among 100,000: every statement of the module finds its rows by an index, with any statistics.
let database: TestDatabase
let admin: Client
const worker = crypto.randomUUID()
const tool = '70000000-0000-4000-8000-000000000001'
const size = 100_000
const tables = [
  'public.generations',
  'public.notifications',
  'public.users',
  'public.credit_grants',
  'app.generation_details',
  'app.generation_requests',
  'app.generation_files',
  'app.deleted_folders',
  'cache.kv_store',
  'storage.objects',
]

beforeAll(async () => {
  database = await createDatabase()
  admin = await database.connect()
  await admin.query(`
    update app.settings set storage_url = 'https://x.test/storage/v1';
    insert into tools (id, key, name, category, kind, prompt, model, parameters)
    values (
      '${tool}', 'paint', 'Paint it', 'fun', 'image', 'Paint it {{color}}.', 'm',
      '{"type": "object", "properties": {"color": {"type": "string", "maxLength": 9}}, "required": ["color"],
        "additionalProperties": false}'
    )`)
  await announceVersions(admin, worker)
  const filler = await connectAsSuperuser(database)
  // Autovacuum would gather statistics while a test measures without them.
  for (const table of tables) await filler.query(`alter table ${table} set (autovacuum_enabled = off)`)
  await filler.query(`analyze ${tables}`)
  // Without triggers and foreign keys: the rows are only in the way.
  await filler.query(`
    set session_replication_role = replica;
    create temporary table many as
      select n, gen_random_uuid() as id, gen_random_uuid() as user_id, gen_random_uuid() as file_id
      from generate_series(1, ${size}) as n;
    insert into users (id) select user_id from many;
    insert into credit_grants (user_id, source, amount, reference) select user_id, 'pack', 7, id::text from many;
    insert into generations (id, user_id, tool_id, tool_key, kind, status, tool_parameters, url, credits, completed_at, run_id)
      select id, user_id, '${tool}', 'paint', 'image', 'completed', '{}', 'https://x.test', 1, now(), -n from many;
    insert into app.generation_details
      select id, -n, 'k' || n, null, 'm', null, user_id || '/photo.jpg', 'e', 1, now() from many;
    insert into app.generation_requests select user_id, 'k', '', id, false, now() from many;
    insert into app.generation_files (file_id, user_id, generation_id, created_at) select file_id, user_id, id, now() from many;
    insert into cache.kv_store select 'k' || n, '{}', now() + interval '1 day' from many;
    insert into notifications (user_id, kind, title) select user_id, 'x', 'x' from many;
    insert into storage.objects (bucket_id, name) select 'user_uploads', user_id || '/photo.jpg' from many;
    insert into storage.objects (bucket_id, name) select 'generations', user_id || '/' || file_id || '.png' from many`)
  await filler.end()
})
afterAll(() => database.drop())

async function addUser(): Promise<string> {
  const id = crypto.randomUUID()
  await admin.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
  await admin.query("select app.grant_credits($1, 10, 'pack', null, null, $2)", [id, crypto.randomUUID()])
  await admin.query(
    `insert into storage.objects (bucket_id, name, metadata)
     values ('user_uploads', $1, '{"eTag": "\\"e\\"", "size": 1, "mimetype": "image/png"}')`,
    [`${id}/photo.jpg`],
  )
  return id
}

test.each(statistics)('with %s', async (_what, gather) => {
  await gather(database, tables)
  const { client, faults, scans } = await watchPlans(database)
  const found: Record<string, string[]> = {}
  const user = await addUser()
  const step = async (name: string, work: () => Promise<unknown>) => {
    await work()
    expect(scans(), name).toBeGreaterThan(0)
    const slow = faults()
    if (slow.length > 0) found[name] = slow
  }
  const asUser = (name: string, sql: string, values: unknown[] = []) =>
    step(name, async () => {
      const claims = JSON.stringify({ sub: user, role: 'authenticated' })
      const settings = "select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false)"
      await client.query(settings, [claims])
      await client.query(sql, values)
      await client.query('reset role')
    })
  const paint = (name: string, color: string, key?: string) =>
    asUser(name, 'select process_image($1, $2, $3, $4)', [tool, `${user}/photo.jpg`, { color }, key])
  const claim = async () => (await exchangeSteps(client, worker, [], 5)).steps[0]
  const work = (name: string, outcome: 'completed' | 'failed') =>
    step(name, async () => {
      const claimed = await claim()
      const { rows } = await client.query('select worker.read_generation($1, $2) as generation', [
        claimed?.id,
        claimed?.fence,
      ])
      const result =
        outcome === 'completed'
          ? { outcome, output: { object_key: `${rows[0].generation.target}.png` } }
          : { outcome, is_permanent: true, error: { slug: 'image_blocked', message: 'No.' } }
      expect(
        (await exchangeSteps(client, worker, [{ id: claimed?.id, fence: claimed?.fence, ...result }], 0)).refused,
      ).toEqual([])
    })

  await paint('a miss', 'red', 'first')
  await paint('the same key', 'red', 'first')
  await paint('a request that joins', 'red')
  await work('a completed generation', 'completed')
  await paint('a hit', 'red')
  await paint('a hit with a key', 'red', 'second')
  await paint('a second miss', 'blue')
  await work('a failed generation', 'failed')
  await paint('a third miss', 'green')
  await asUser('cancel_generation', "select cancel_generation(id) from generations where status = 'pending'")
  await asUser('list_generations', 'select list_generations()')
  await asUser('favourites', 'select list_generations(favourite => true)')
  await asUser('mark_notification_read', 'select mark_notification_read(id) from notifications limit 1')
  await asUser('count_unread_notifications', 'select count_unread_notifications()')
  await asUser('mark_notifications_read', 'select mark_notifications_read()')
  for (const bucket of ['user_uploads', 'generations']) {
    const queries = {
      'a folder': ["select * from storage.search($1 || '/', $2, 100, 2)", user],
      'a folder by time': ["select * from storage.search($1 || '/', $2, 100, 2, 0, '', 'created_at')", user],
      'the bucket': ['select * from storage.search($1, $2, 100, 1)', ''],
      'a folder, list-v2': ["select * from storage.search_v2($1 || '/', $2, 100, 2)", user],
      'the bucket, list-v2': ['select * from storage.search_v2($1, $2, 100, 1)', ''],
      'the keys of a folder': [
        `select id from storage.objects where bucket_id = $2 and name like $1 || '/%' order by name collate "C" limit 100`,
        user,
      ],
      'the keys of the bucket': [
        `select id from storage.objects where bucket_id = $2 and name collate "C" > $1 order by name collate "C" limit 100`,
        '',
      ],
    } as const
    for (const [name, [query, prefix]] of Object.entries(queries)) {
      await asUser(`${bucket}: ${name}`, query, [prefix, bucket])
    }
  }
  await asUser('a favourite', "update generations set is_favourite = true where status = 'completed'")
  await step('the export', () => client.query('select * from app.export_generations($1)', [user]))
  await asUser('a deletion', "delete from generations where status = 'completed'")
  for (const schedule of ['delete_expired_entries', 'delete_generation_keys', 'delete_old_notifications'])
    await step(schedule, () => client.query(`select app.${schedule}()`))
  await step('claim_deleted_files', () => client.query('select * from worker.claim_deleted_files(10)'))
  await step('the deletion of a user', () => client.query('delete from auth.users where id = $1', [user]))
  await client.end()
  expect(found).toEqual({})
})
