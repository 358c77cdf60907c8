import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Heard, listen, startTestRealtime, type TestRealtime } from '../../../scripts/testing/realtime.ts'
import { until } from '../../../scripts/testing/waiting.ts'

// Compares what the local Realtime server sends of each published table with the grants and policies of the database.
let realtime: TestRealtime
const [ana, ben] = [crypto.randomUUID(), crypto.randomUUID()]
const heard: Record<string, Heard> = {}
let columns: Record<string, { authenticated: string[]; anon: string[] }>

beforeAll(async () => {
  realtime = await startTestRealtime()
  const { rows } = await realtime.db.query(`
    select p.tablename as table, r.role, array_agg(a.attname::text order by a.attname collate "C") as columns
    from pg_publication_tables as p
    cross join (values ('authenticated'), ('anon')) as r (role)
    join pg_attribute as a on a.attrelid = format('public.%I', p.tablename)::regclass and a.attnum > 0
    where p.pubname = 'supabase_realtime' and has_column_privilege(r.role, a.attrelid, a.attnum, 'select')
    group by p.tablename, r.role`)
  columns = {}
  for (const { table, role, columns: granted } of rows)
    columns[table] = { authenticated: [], anon: [], ...columns[table], [role]: granted }
  await realtime.db.query(
    `insert into auth.users (id, aud, role, email)
     values ($1, 'authenticated', 'authenticated', 'ana@example.com'),
       ($2, 'authenticated', 'authenticated', 'ben@example.com')`,
    [ana, ben],
  )
  const everything = Object.keys(columns).map((table) => ({ table }))
  for (const [name, id] of Object.entries({ ana, ben }))
    heard[name] = await listen(realtime.client(await realtime.tokenOf(id)), everything)
  heard['anon'] = await listen(
    realtime.client(),
    everything.filter(({ table }) => columns[table]?.anon.length),
  )
})
afterAll(() => realtime?.stop())

test('sends of each table exactly the columns that the role may select, and rows of a user to this user alone', async () => {
  // One row of each kind of Ana's work, and a change of each row of configuration.
  await realtime.db.query(`select app.submit_run('{"key": "root", "type": "group"}', $1, null)`, [ana])
  const [{ id: drama }] = (
    await realtime.db.query("insert into dramas (owner_id, premise) values ($1, 'x') returning id", [ana])
  ).rows
  const [{ id: episode }] = (
    await realtime.db.query('insert into episodes (drama_id, owner_id, position) values ($1, $2, 1) returning id', [
      drama,
      ana,
    ])
  ).rows
  const scene = `insert into scenes (drama_id, episode_id, owner_id, position) values ($1, $2, $3, 1)`
  await realtime.db.query(scene, [drama, episode, ana])
  await realtime.db.query("insert into tasks (user_id, correlation_id, mandate, max_ticks) values ($1, 'c', 'm', 1)", [
    ana,
  ])
  await realtime.db.query("insert into notifications (user_id, kind, title) values ($1, 'note', 't')", [ana])
  await realtime.db.query(
    `insert into orders (user_id, kind, item_id, item_name, amount_minor, currency, credits)
     values ($1, 'credit_pack', 'small', 'Small', 100, 'EGP', 10)`,
    [ana],
  )
  await realtime.db.query(
    `insert into generations (user_id, tool_key, kind, tool_parameters, credits) values ($1, 'x', 'image', '{}', 1)`,
    [ana],
  )
  await realtime.db.query('update users set plan_ends_at = now() where id = $1', [ana])
  for (const table of ['plans', 'tools', 'hairstyles', 'colors'])
    await realtime.db.query(`update ${table} set sort = sort + 1 where id = (select t.id from ${table} as t limit 1)`)

  const tables = Object.keys(columns).sort()
  const tablesOf = (name: string) => [...new Set(heard[name]?.changes.map(({ table }) => table))].sort()
  await until('Ana hears of every table', () => tablesOf('ana').length === tables.length)
  expect(tablesOf('ana')).toEqual(tables)
  for (const { table, new: row } of heard['ana']?.changes ?? [])
    expect([table, Object.keys(row).sort()]).toEqual([table, columns[table]?.authenticated])

  const shared = ['colors', 'hairstyles', 'plans', 'tools']
  for (const name of ['ben', 'anon']) {
    await until(`${name} hears of the configuration`, () => tablesOf(name).length >= shared.length)
    const rows = heard[name]?.changes.filter(({ new: row }) => Object.keys(row).length > 0) ?? []
    expect([...new Set(rows.map(({ table }) => table))].sort()).toEqual(shared)
    for (const { table, new: row } of rows)
      expect([table, Object.keys(row).sort()]).toEqual([
        table,
        columns[table]?.[name === 'anon' ? 'anon' : 'authenticated'],
      ])
  }
})

test('shows the life of a run to its owner, with no event of its steps, and its deletion by the primary key', async () => {
  const before = heard['ana']?.changes.length ?? 0
  const heardOfRuns = () => heard['ana']?.changes.slice(before).filter(({ table }) => table === 'runs') ?? []
  const submitted = await realtime.db.query(
    `select app.submit_run('{"key": "root", "type": "group", "steps": [{"key": "g", "type": "group"}]}', $1, null) as id`,
    [ana],
  )
  await until('the run is shown', () => heardOfRuns().length === 1)
  await realtime.db.query("update public.runs set updated_at = updated_at - interval '1 second'")
  await realtime.db.query('select app.publish_runs()')
  await until('its end is shown', () => heardOfRuns().some(({ new: row }) => row['status'] === 'completed'))
  const [inserted] = heardOfRuns()
  expect(inserted).toMatchObject({
    eventType: 'INSERT',
    new: {
      job_id: Number(submitted.rows[0].id),
      owner_id: ana,
      status: 'queued',
      label: 'root',
      type: 'group',
      steps_open: 2,
    },
  })
  await realtime.db.query('delete from app.runs where id = $1', [submitted.rows[0].id])
  await until('the deletion is shown', () => heardOfRuns().some(({ eventType }) => eventType === 'DELETE'))
  expect(heardOfRuns().at(-1)?.old).toEqual({ id: inserted?.new['id'] })
  expect(heard['ana']?.changes.some(({ table }) => table === 'jobs')).toBe(false)
})
