-- A direct insert is refused before its rows, if the rate is spent, and at row 1,001.
begin;
select plan(34);
create function pg_temp.rows_written(name text) returns bigint language sql return
  pg_stat_get_xact_tuples_inserted(format('public.%s', name)::regclass);
grant execute on function pg_temp.rows_written(text) to public;
create temporary table inserts (name text, insert_rows text, rows_before bigint);
insert into inserts (name, insert_rows)
values
  ('flows', $$ (id, name, nodes, edges) select gen_random_uuid(), '', '[]', '[]' $$),
  ('agents', $$ (flow_id, id) select 'f0000000-0000-4000-8000-000000000001', n::text $$),
  ('data_store_nodes', $$ (flow_id, id) select 'f0000000-0000-4000-8000-000000000001', n::text $$),
  ('if_nodes', $$ (flow_id, id) select 'f0000000-0000-4000-8000-000000000001', n::text $$),
  ('characters', $$ (id, name) select gen_random_uuid(), '' $$),
  ('scenarios', $$ (id, name) select gen_random_uuid(), '' $$),
  ('sessions', $$ (id, title) select gen_random_uuid(), '' $$),
  (
    'shared_resources',
    $$ (resource_type, resource_id) select 'flow', 'f0000000-0000-4000-8000-000000000001'::uuid $$
  );
grant select, update on inserts to public;
create function pg_temp.insert_into(name text, rows integer) returns void language plpgsql as $$
begin
  execute format(
    'insert into public.%s %s from generate_series(1, %s) as n',
    insert_into.name,
    (select i.insert_rows from inserts as i where i.name = insert_into.name),
    insert_into.rows
  );
end
$$;
grant execute on function pg_temp.insert_into(text, integer) to public;

-- Given a caller who may write much
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]');
update app.settings set share_writes_per_minute = 1000000;
select tests.become('anon');

-- When the caller inserts 1,001 rows in one statement
update inserts set rows_before = pg_temp.rows_written(name);
select throws_ok(
  format($$ select pg_temp.insert_into('%s', 1001) $$, i.name),
  'PT413', 'A request may insert at most 1000 rows.',
  format('refuses row 1,001 of %s', i.name)
)
from inserts as i
where i.name <> 'shared_resources';
select throws_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    select 'flow', gen_random_uuid() from generate_series(1, 1001)
  $$,
  'PT413', 'A request may insert at most 1000 rows.', 'refuses row 1,001 of shared_resources'
);
select is(
  pg_temp.rows_written(i.name) - i.rows_before, 1000::bigint,
  format('writes no more than 1,000 of the refused rows of %s', i.name)
)
from inserts as i;

-- When the caller inserts 1,000 rows, twice
select lives_ok(
  $$ select pg_temp.insert_into('characters', 1000) from generate_series(1, 2) $$,
  'accepts 1,000 rows of each statement'
);

-- When the database itself inserts more
reset role;
select lives_ok(
  $$
    insert into public.characters (id, name)
    select gen_random_uuid(), '' from generate_series(1, 1001)
  $$,
  'limits only the statements of clients'
);

-- Given a caller whose rate is spent
update app.settings set share_writes_per_minute = 1;
delete from app.rate_limits;
select tests.become('anon');
insert into public.characters (id, name) values (gen_random_uuid(), 'one');
update inserts set rows_before = pg_temp.rows_written(name);

-- When the caller inserts rows
select throws_like(
  format($$ select pg_temp.insert_into('%s', 1) $$, i.name),
  '%rate_limited%',
  format('refuses a row of %s above the rate', i.name)
)
from inserts as i;
select is_empty(
  'select name from inserts where pg_temp.rows_written(name) > rows_before',
  'writes no row of an insert above the rate'
);

-- Given a caller with a third of the rate left, who announces a large body
reset role;
update app.settings set share_writes_per_minute = 30;
delete from app.rate_limits;
select tests.become('anon');
select set_config('request.headers', '{"content-length": "1300000"}', true);
insert into public.characters (id, name, description)
values (gen_random_uuid(), 'large', repeat('x', 1300000));
update inserts set rows_before = pg_temp.rows_written(name);
select throws_like(
  $$ insert into public.characters (id, name, description)
    values (gen_random_uuid(), 'large', repeat('x', 1300000)) $$,
  '%rate_limited%', 'refuses a body for which the rate has no room'
);
select is(
  pg_temp.rows_written('characters'),
  (select rows_before from inserts where name = 'characters'),
  'checks Content-Length before it writes the row'
);
select set_config('request.headers', '{"content-length": "100"}', true);
select lives_ok(
  $$ insert into public.characters (id, name) values (gen_random_uuid(), 'small') $$,
  'accepts a body for which the rate has room'
);

-- When the caller shares in one request
select set_config('request.headers', '{"content-length": "1300000"}', true);
select throws_like(
  format('select public.%s(%s, share_id => gen_random_uuid())', f.name, f.argument),
  '%rate_limited%',
  format('%s looks at the rate before it reads its argument', f.name)
)
from (
  values ('share_flow', $$ '[]' $$), ('share_card', $$ '[]' $$), ('share_session', $$ '[]' $$)
) as f (name, argument);
select tests.become('service_role');
select lives_ok(
  $$
    select public.share_card(
      '{"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "s"}}',
      share_id => gen_random_uuid()
    )
  $$,
  'service_role has no rate'
);

select * from finish();
rollback;
