-- A save that the rate refuses is refused before its work.
begin;
select plan(4);

create temporary table users_of as select tests.create_user('ana@example.com') as ana;
grant all on users_of to public;
-- Counts what rolled back, too.
create function pg_temp.written() returns bigint language sql as $$
  select sum(n_tup_ins)::bigint
  from pg_stat_xact_user_tables
  where relname in ('dramas', 'scenes', 'drama_packages')
$$;
create function pg_temp.document(scenes integer) returns text language sql as $$
  select format(
    '{"episodes": [{"scenes": [%s]}]}', string_agg(format('{"text": "%s"}', repeat('x', 7000)), ',')
  )
  from generate_series(1, document.scenes)
$$;
grant execute on all functions in schema pg_temp to public;
update app.settings set drama_writes_per_minute = 3;

-- Given a user who has saved a drama of more than 64 KiB, which counts as two
select tests.sign_in((select ana from users_of));
select lives_ok($$
  select save_drama_complete(pg_temp.document(10)::json)
$$, 'saves a drama within the rate');
reset role;
create temporary table before as select pg_temp.written() as rows;
grant select on before to public;

-- When the user saves another one
select tests.sign_in((select ana from users_of));
select is(
  tests.refusal_of($$
    select save_drama_complete(pg_temp.document(10)::json)
  $$) ->> 'message' ~ 'rate_limited',
  true,
  'refuses a drama that costs more than is left'
);
reset role;
select is(
  pg_temp.written(), (select rows from before), 'writes nothing for a save that the rate refuses'
);

-- When the user saves a drama that costs less
select tests.sign_in((select ana from users_of));
select lives_ok($$
  select save_drama_complete(pg_temp.document(1)::json)
$$, 'saves a drama that costs no more than is left');
reset role;

select finish();
rollback;
