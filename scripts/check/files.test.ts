import { expect, test } from 'vitest'
import { findCreated, findLongLines, findMigrationFaults, findMisplaced, migrationPlaceholder } from './files.ts'

const objectsOf = (text: string) => findCreated({ path: 'a.sql', text }).map(({ object, line }) => `${line} ${object}`)

test('functions, policies and triggers are found, with their lines', () => {
  const text = `-- create function app.not_this() …
create or replace function app.do_it(a text default 'create policy x on y.z')
  returns void language plpgsql as $$ begin create policy p on a.b; end $$;
CREATE PROCEDURE "app"."Do_It"() language sql as '';
drop policy if exists select_own on public.users;
create policy select_own on public.users for select;
create trigger _100_touch
  before update of name, plan_id or insert on public.users
  for each row execute function app.tg__touch();
create constraint trigger _200_check after insert on app.jobs for each row execute function app.tg__touch();`
  expect(objectsOf(text)).toEqual([
    '2 function app.do_it',
    '4 function app.Do_It',
    '6 policy select_own on public.users',
    '7 trigger _100_touch on public.users',
    '10 trigger _200_check on app.jobs',
  ])
})

test.each([
  ['share_flow.sql', 'create function app.share_flow() …; create function public.share_flow() …;'],
  ['template_manifest.sql', 'create function app.template_manifest() …; create function worker.template_manifest() …;'],
  ['touch_updated_at.sql', 'create function app.tg__touch_updated_at() …'],
  ['create_profile.sql', 'create function app.tg_users__create_profile() …'],
  ['delete_resources.sql', 'create function app.tg_shared_resources__delete_resources() …'],
  ['access.sql', 'create policy a on app.b;'],
  ['triggers.sql', 'create trigger a after insert on app.b …'],
  ['schedules.sql', 'insert into app.schedules …'],
  ['database.sql', 'alter role worker noinherit …'],
])('%s may hold: %s', (name, text) => {
  expect(findMisplaced({ path: `db/modules/1/${name}`, text })).toEqual([])
})

test.each([
  ['share.sql', 'create function app.share_flow() …', 'holds share_flow, and nothing with the name of the file'],
  [
    'find.sql',
    'create function app.link() …; create function app.find() …;',
    'find.sql:1: app.link needs a file of its own',
  ],
  [
    'protect.sql',
    'create function app.tg_a__protect() …;\ncreate function app.tg_b__protect() …;',
    'protect.sql:2: app.protect needs a file of its own',
  ],
  ['empty.sql', 'select 1', 'holds no function, and nothing with the name of the file'],
  [
    'share.sql',
    'create function app.share() …; create policy a on b.c',
    'policy a on b.c belongs in a file of its own kind',
  ],
  ['access.sql', 'create function app.a() …', 'function app.a belongs in a file of its own kind'],
  ['schedules.sql', 'create function app.a() …', 'function app.a belongs in a file of its own kind'],
])('%s may not hold: %s', (name, text, problem) => {
  expect(findMisplaced({ path: name, text }).join()).toContain(problem)
})

test.each([
  ['a.sql', '-- Why.\n', 'is not named'],
  ['20260101000000_a.sql', 'select 1;\n-- Why.', 'has to say why'],
  ['20260101000000_a.sql', `${migrationPlaceholder}\nselect 1;`, 'has to say why'],
  [
    '20260101000000_a.sql',
    '-- Why.\n\ncreate or replace function app.a() …',
    'creates a function, which belongs in db/modules (line 3)',
  ],
  ['20260101000000_a.sql', "-- Why.\ndo $$ begin execute 'create policy a on b'; end $$", 'creates a policy'],
  ['20260101000000_a.sql', '-- Why.\n-- Down migration', 'has a comment that begins'],
])('a migration %s: %s', (path, text, fault) => {
  expect(findMigrationFaults({ path, text })).toEqual([expect.stringContaining(fault)])
})

test('a good migration has no fault', () => {
  const text = "-- Why: create function is harmless in a comment.\nset local lock_timeout = '5s';\n"
  expect(findMigrationFaults({ path: 'db/migrations/20260101000000_add_2.sql', text })).toEqual([])
})

test('lines of more than 100 characters are found', () => {
  const text = `${'é'.repeat(100)}\nselect 1;\n${'x'.repeat(101)}`
  expect(findLongLines({ path: 'a.sql', text })).toEqual(['a.sql:3: 101 characters'])
})
