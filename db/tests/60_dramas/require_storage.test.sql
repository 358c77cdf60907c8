-- The bytes that an owner may store: plans.bytes_stored.
begin;
select plan(25);

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table saved (n integer, drama json);
grant all on users_of, saved to public;
create function pg_temp.used() returns bigint language sql as
  $$ select app.count_owner_bytes((select ana from users_of)) $$;
create function pg_temp.allow(bytes bigint) returns void language sql as
  $$ update public.plans set bytes_stored = bytes where id = 'free' $$;
create function pg_temp.save(n integer, words integer) returns void language sql as $$
  with made as (
    select save_drama_complete((
      coalesce(
        (select s.drama::jsonb from saved as s where s.n = save.n),
        '{"characters": [{"name": "Mira"}]}'
      )
      || jsonb_build_object('premise', repeat('x', save.words))
    )::json) as drama
  ),
  gone as (delete from saved as s where s.n = save.n)
  insert into saved select save.n, m.drama::text::json from made as m
$$;
grant execute on all functions in schema pg_temp to public;

-- Given two dramas
select tests.sign_in((select ana from users_of));
select pg_temp.save(1, 1000);
select pg_temp.save(2, 2000);
reset role;
select is(
  pg_temp.used(), (select sum(octet_length(p.package::text)) from app.drama_packages as p),
  'counts the bytes of the documents as they are read'
);

create temporary table used as select pg_temp.used() as bytes;
grant select on used to public;
select tests.sign_in((select ana from users_of));
select results_eq(
  'select bytes_stored, bytes_used, bytes_left from get_media_limits()',
  format(
    'select 1073741824::bigint, %s::bigint, 1073741824 - %1$s::bigint', (select bytes from used)
  ),
  'returns how many bytes the plan allows, how many are used and how many are left'
);
reset role;

-- When the plan has no byte more
select pg_temp.allow(pg_temp.used());
select tests.sign_in((select ana from users_of));
select throws_ok(
  'select pg_temp.save(3, 1)', 'PT409',
  format(
    'Plan "free" stores %s bytes, and %1$s bytes are used.',
    (select bytes_stored from plans where id = 'free')
  ),
  'refuses a new drama'
);
-- A document changes by some bytes with each save, because the fractions of seconds in it vary.
select throws_ok('select pg_temp.save(1, 1100)', 'PT409', null, 'refuses a drama that has grown');
select throws_ok($$ select generate_drama('A') $$, 'PT409', null, 'refuses to generate a drama');
select throws_ok(
  $$ insert into dramas (premise) values ('A') $$, 'PT409', null,
  'refuses an insert that generates a drama'
);
select throws_ok(
  $$ select regenerate_asset(c.id, 'portrait', 'A') from drama_characters as c limit 1 $$, 'PT409',
  null,
  'refuses to make an image again'
);
select lives_ok('select pg_temp.save(1, 1000)', 'saves an unchanged drama');
select lives_ok('select pg_temp.save(1, 500)', 'saves a drama that has become smaller');
select lives_ok(
  'select pg_temp.save(2, 2400)', 'saves a drama that grows into the room that is left'
);
select throws_like(
  'select pg_temp.save(2, 2600)',
  'Plan "free" stores % bytes, % bytes are used, and this drama needs % more.',
  'refuses a drama that grows beyond the room, and says how many bytes are used'
);
reset role;
select lives_ok(
  $$
    select app.require_storage(ana, p.bytes_stored - pg_temp.used())
    from users_of, plans as p
    where p.id = 'free'
  $$,
  'the last byte of the plan can be used'
);
select throws_ok(
  $$
    select app.require_storage(ana, p.bytes_stored - pg_temp.used() + 1)
    from users_of, plans as p
    where p.id = 'free'
  $$,
  'PT409', null, 'no byte beyond the plan can be used'
);

-- When the plan allows less than is used
select pg_temp.allow(1000);
select tests.sign_in((select ana from users_of));
select lives_ok(
  'select pg_temp.save(2, 2300)', 'saves a drama that becomes smaller beyond the limit, too'
);
select is(
  (select bytes_left from get_media_limits()), 0::bigint, 'nothing is left beyond the limit'
);
reset role;
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
set local role service_role;
select throws_ok(
  format($$ select save_drama_complete('{"title": "A"}', %L) $$, (select ana from users_of)),
  'PT409', null,
  'refuses service_role, too, for the owner that it names'
);
select lives_ok(
  format($$ select save_drama_complete('{"title": "A"}', %L) $$, (select ben from users_of)),
  'counts the bytes of another owner of the plan apart'
);
reset role;

-- When a step stores an image
select pg_temp.allow(1000000);
delete from app.job_queue;
select tests.sign_in((select ana from users_of));
select generate_drama('A');
reset role;
create temporary table before as select pg_temp.used() as bytes;
create temporary table step as select r.run_id, r.drama_id from app.drama_runs as r;
grant select on step to public;
insert into public.jobs (root_id, key, type, status, on_failure, created_at, finished_at, output)
select
  s.run_id, 'image-' || n, 'generate_image', 'completed', 'continue', now(), now(),
  jsonb_build_object(
    'url', format('https://cdn.example.com/drama-assets/%s/%s.png', s.drama_id, name), 'bytes',
    bytes
  )
from step as s
cross join (
  values (1, 'aa', to_jsonb(700)), (2, 'aa', to_jsonb(700)), (3, 'bb', to_jsonb(-5)),
  (4, 'cc', to_jsonb('x'::text)),
    (5, '../dd', to_jsonb(9))
) as m (n, name, bytes);
select app.record_drama_media(
  array(select j.id from public.jobs as j where j.type = 'generate_image')
);
select is(
  pg_temp.used() - (select bytes from before), 700::bigint, 'counts each file of a drama once'
);
select app.record_drama_media(
  array(select j.id from public.jobs as j where j.type = 'generate_image')
);
select is(
  pg_temp.used() - (select bytes from before), 700::bigint,
  'counts a result that is handed in again once'
);
select set_eq(
  'select m.name from app.drama_media as m', array['aa.png', 'bb.png', 'cc.png'],
  'records the names of files below the folder of the drama'
);
select is_empty(
  $$
    select from app.drama_sizes as z
    where z.media_bytes <> coalesce(
      (select sum(m.bytes) from app.drama_media as m where m.drama_id = z.drama_id), 0
    )
  $$,
  'the sum of a drama is the sum of its files'
);

-- When the run of a drama ends
select app.pack_run_dramas(array(select run_id from step));
select results_eq(
  'select z.document_bytes from app.drama_sizes as z join step as s using (drama_id)',
  'select octet_length(p.package::text)::bigint from app.drama_packages as p join step as s using '
  '(drama_id)',
  'counts the document of a generated drama at the end of its run'
);
select pg_temp.allow(pg_temp.used());
select tests.sign_in((select ana from users_of));
select throws_ok(
  'select pg_temp.save(3, 1)', 'PT409', null, 'counts images against the same limit as documents'
);

-- When dramas are deleted
select delete_drama((select drama_id from step));
select lives_ok('select pg_temp.save(3, 1)', 'a deleted drama makes room');
reset role;
delete from public.dramas;
select is(pg_temp.used(), 0::bigint, 'an owner without dramas stores nothing');

select * from finish();
rollback;
