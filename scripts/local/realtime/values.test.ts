import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Heard, listen, startTestRealtime, type TestRealtime } from '../../testing/realtime.ts'

/** Values of each type as SQL. A change must have what to_jsonb makes of them, if nothing else is said. */
const values: [type: string, sql: string, sent?: unknown][] = [
  ['boolean', 'true'],
  ['boolean', 'false'],
  ['smallint', '-5'],
  ['bigint', '1234567890123'],
  ['numeric', '1.50'],
  ['numeric', "'NaN'", null],
  ['real', '1.5e-20'],
  ['double precision', '1e300'],
  ['double precision', "'-Infinity'", null],
  ['text', 'E\'a "b" \\\\ \\n é 🙂\''],
  ['text', "''"],
  ['varchar(5)', "'abc'"],
  ['char(5)', "'abc'"],
  ['uuid', 'gen_random_uuid()'],
  ['bytea', "'\\x0102ff'", '0102ff'],
  ['date', "'2026-02-28'"],
  ['date', "'infinity'"],
  ['time', "'12:34:56.7'"],
  ['timetz', "'12:34:56+02'"],
  ['timestamp', "'2026-02-28 12:34:56.789'"],
  ['timestamptz', "'2026-02-28 12:34:56.789012+02'"],
  ['timestamptz', "'2026-02-28 12:00:00+00'"],
  ['timestamptz', "'infinity'"],
  ['timestamptz', "'0044-03-15 12:00:00+00 BC'"],
  ['interval', "'1 day 02:00:00'"],
  ['json', `'{"b": 1, "a": [1, 2, {"c": null}]}'`],
  ['jsonb', `'{"b": 1.50, "a": "x"}'`],
  ['jsonb', "'null'"],
  ['integer[]', "'{1,NULL,3}'"],
  ['integer[]', "'{{1,2},{3,4}}'"],
  ['integer[]', "'[0:1]={1,2}'"],
  ['integer[]', "'{}'"],
  ['double precision[]', "'{1.5,NaN}'"],
  ['boolean[]', "'{t,f}'"],
  ['text[]', `array['a', 'b "c"', 'd,e', '{f}', '\\', '', 'NULL', null]`],
  ['jsonb[]', `array['{"a": [1]}', '"x"']::jsonb[]`],
  ['timestamptz[]', "array['2026-02-28 12:00:00+00']::timestamptz[]"],
  ['box[]', `array[box '((1,2),(3,4))', box '((5,6),(7,8))']`],
  ['int4range', "'[1,5)'"],
  ['inet', "'10.0.0.1/8'"],
  ['money', "'12.34'"],
  ['xid8', "'12'"],
  // supabase-js makes numbers of these.
  ['oid', "'12'", 12],
  ['point', "'(1,2)'"],
  ['public.mood', "'sad'"],
  ['public.mood[]', "'{sad,happy}'"],
  ['public.positive', '7'],
  ['public.pair', `row(1, 'a "b"')`],
  ['public.pair[]', `array[row(1, 'a')::public.pair, null]`],
]

let realtime: TestRealtime
let heard: Heard
let filtered: Heard

beforeAll(async () => {
  realtime = await startTestRealtime()
  const columns = values.map(([type], at) => `v${at} ${type}`)
  // Realtime writes values alike with any settings of the database.
  const settings = { timezone: 'Africa/Cairo', datestyle: 'SQL, DMY', bytea_output: 'escape' }
  for (const [name, value] of Object.entries(settings))
    await realtime.db.query(`alter database ${realtime.db.database} set ${name} = '${value}'`)
  await realtime.db.query(`
    create type public.mood as enum ('sad', 'happy');
    create domain public.positive as integer check (value > 0);
    create type public.pair as (a integer, b text);
    create table public.kinds (id integer primary key, ${columns.join(', ')});
    grant select on public.kinds to service_role;
    alter publication supabase_realtime add table public.kinds`)
  const client = createClient(realtime.url, realtime.keys.serviceRoleKey)
  heard = await listen(client, { table: 'kinds' })
  const conditions = ['2026-02-28T10:34:56.789012Z', '2026-02-28', '\\x0102ff', 'ab'].map((text, at) => {
    const type = ['timestamptz', 'date', 'bytea', 'char(5)'][at]
    return `v${values.findIndex(([name]) => name === type)}=${type === 'char(5)' ? 'neq' : 'eq'}.${text}`
  })
  filtered = await listen(client, { table: 'kinds', filter: conditions.join() })
  await realtime.db.query(`insert into public.kinds values (1, ${values.map(([, sql]) => sql).join(', ')})`)
  await realtime.db.query('insert into public.kinds values (2)')
  await heard.have(2)
  await filtered.have(1)
  await client.removeAllChannels()
})
afterAll(() => realtime?.stop())

test('values are those of to_jsonb, and types those of the catalog', async () => {
  const { rows } = await realtime.db.query(`
    select ${values.map((_, at) => `to_jsonb(v${at}) as v${at}, pg_typeof(v${at})::oid::int as t${at}`).join(', ')}
    from public.kinds where id = 1`)
  const [first, second] = heard.changes
  for (const [at, [type, sql, sent]] of values.entries())
    expect([type, sql, first?.new[`v${at}`]]).toEqual([type, sql, sent === undefined ? rows[0][`v${at}`] : sent])
  expect(second?.new).toEqual({ id: 2, ...Object.fromEntries(values.map((_, at) => [`v${at}`, null])) })
})

test('a filter compares times, dates and bytes as such, and a whole char(n)', () => {
  expect(filtered.changes.map(({ new: row }) => row['id'])).toEqual([1])
})
