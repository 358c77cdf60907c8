-- export_my_data returns everything that is stored about the caller, and nothing of others.
begin;
select plan(19);

-- Every table with rows of users is read by a registered function, directly or in a function that
-- it calls.
create temporary table exporters as
with recursive called as (
  select p.oid, p.prosrc
  from app.exports as e
  join pg_proc as p on p.oid = (e.function || '(uuid)')::regprocedure
  union
  select p.oid, p.prosrc
  from called as c
  cross join regexp_matches(c.prosrc, 'app\.([a-z_]+)\(', 'g') as m (found)
  join pg_proc as p on p.proname = m.found[1] and p.pronamespace = 'app'::regnamespace
)
select string_agg(c.prosrc, E'\n') as code
from called as c;
create temporary table not_exported (relation text, reason text);
insert into not_exported
values
  ('app.deleted_folders', 'has only users who are deleted'),
  ('app.drama_sizes', 'counts bytes of dramas, which are exported'),
  ('app.lanes', 'counts what the engine serves next'),
  ('app.media_reservations', 'is counted in media_days'),
  ('app.missing_profiles', 'has only users without a profile'),
  ('public.runs', 'is counted from jobs, which are exported'),
  ('app.plan_notices', 'notes which notifications were sent, and notifications are exported'),
  ('app.template_uploads', 'is counted in template_versions');
create temporary view tables_of_users as
select distinct format('%s.%s', c.table_schema, c.table_name) as relation
from information_schema.columns as c
join information_schema.tables as t using (table_schema, table_name)
where t.table_type = 'BASE TABLE'
  and t.table_schema in ('public', 'app', 'cache', 'ops')
  and c.udt_name = 'uuid'
  and (
    c.column_name in ('owner_id', 'user_id', 'created_by', 'uploaded_by')
    or (c.table_schema, c.table_name, c.column_name) = ('public', 'users', 'id')
  );
select cmp_ok(
  (select count(*) from tables_of_users), '>', 12::bigint, 'finds the tables with rows of users'
);
select is_empty(
  $$
    select t.relation
    from tables_of_users as t
    cross join exporters as e
    where e.code !~ ('\m' || replace(t.relation, '.', '\.') || '\M')
      and t.relation not in (select n.relation from not_exported as n)
  $$,
  'exports each table with rows of users'
);
create table app.diaries (id bigint, user_id uuid);
select set_eq(
  $$
    select t.relation
    from tables_of_users as t
    cross join exporters as e
    where e.code !~ ('\m' || replace(t.relation, '.', '\.') || '\M')
      and t.relation not in (select n.relation from not_exported as n)
  $$,
  array['app.diaries'],
  'finds a table that no export covers'
);
drop table app.diaries;

-- Given two users with rows of each kind
create temporary table people as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on people to public;
update app.settings set exports_per_day = 3;
update plans set images_per_day = 100 where id = 'free';
create function tests.fill(name text) returns void language plpgsql as $$
begin
  perform create_api_key(name || '''s key');
  perform submit_task(name || '''s mandate');
  perform generate_drama(name || '''s premise');
  perform share_flow(
    jsonb_set(tests.example_flow()::jsonb, '{name}', to_jsonb(name || '''s flow'))::json,
    gen_random_uuid()
  );
end
$$;
grant execute on function tests.fill(text) to public;
select tests.sign_in((select ben from people));
select tests.fill('Ben');
select tests.sign_in((select ana from people));
select tests.fill('Ana');
reset role;
select app.notify((select ana from people), 'hello', 'Hello Ana', '');
select app.notify((select ben from people), 'hello', 'Hello Ben', '');

-- When Ana exports her data
create temporary table exported (data jsonb);
grant insert, select on exported to public;
select tests.sign_in((select ana from people));
insert into exported
select export_my_data()::jsonb;
reset role;
select set_eq(
  'select jsonb_object_keys(data) from exported',
  $$ select 'exported_at' union all select e.name from app.exports as e $$,
  'has a key for each part'
);
select is(
  (select data -> 'profile' ->> 'email' from exported), 'ana@example.com',
  'has the account of the caller'
);
select results_eq(
  $$
    select
      data #>> '{api_keys,0,name}',
      data #>> '{notifications,0,title}',
      data #>> '{tasks,0,mandate}',
      data #>> '{dramas,0,premise}',
      data #>> '{shares,0,package,name}',
      data #>> '{media_days,0,dramas}',
      data #>> '{task_days,0,tasks}'
    from exported
  $$,
  $$
    values (
      'Ana''s key', 'Hello Ana', 'Ana''s mandate', 'Ana''s premise', 'Ana''s flow', '1', '1'
    )
  $$,
  'has what the caller stored'
);
select set_eq(
  $$ select j ->> 'type' from exported, jsonb_array_elements(data -> 'jobs') as j $$,
  array['run_task', 'generate_drama', 'write_outline'],
  'has runs and steps'
);
select ok(
  (select data::text not like '%Ben%' and data::text not like '%ben@%' from exported),
  'has nothing of another user'
);
select is(
  current_setting('response.headers', true)::json #>> '{0,Content-Type}',
  'application/json; charset=utf-8',
  'answers with JSON'
);

select is_empty(
  $$
    select k.key_id
    from exported as e
    cross join app.api_key_secrets as k
    where strpos(e.data::text, encode(k.secret_hash, 'hex')) > 0
      or e.data #> '{api_keys,0}' ?| array['key', 'secret', 'secret_hash']
  $$,
  'has no secret of an API key'
);

-- When somebody else calls
select tests.become('service_role');
select throws_ok(
  'select export_my_data()', '42501', null, 'is closed to service_role, which has no data'
);
select tests.become('anon');
select throws_ok('select export_my_data()', 'PT401', null, 'is closed to anonymous callers');
select tests.assume(
  'authenticated',
  json_build_object(
    'sub', (select ana from people), 'role', 'authenticated', 'api_key', json_build_object('id', 1)
  )
);
select is(
  tests.refusal_of('select export_my_data()') ->> 'slug', 'api_key_not_allowed',
  'refuses an API key'
);

-- When the document is larger than the setting allows
reset role;
update app.settings set export_max_bytes = 1000;
select tests.sign_in((select ana from people));
select is(
  tests.refusal_of('select export_my_data()') - 'message',
  '{
    "code": "PT413", "slug": "export_too_large",
    "hint": "Delete what you no longer need, or ask the operator of this server for the export."
  }',
  'refuses to build a document that is too large'
);
reset role;
select is(
  app.export_user_data((select ana from people)) #>> '{dramas,0,premise}',
  'Ana''s premise',
  'gives the operator a document of any size'
);
select is(
  tests.refusal_of(
    $$ select app.export_user_data((select ana from people), null, app.now() - interval '1 s') $$
  ) ->> 'slug',
  'export_too_large',
  'stops when the time is over'
);
update app.settings set export_max_bytes = 67108864;

-- When Ana exports more often than the setting allows
select tests.sign_in((select ana from people));
select export_my_data(), export_my_data();
select is(
  tests.refusal_of('select export_my_data()') ->> 'code', 'PGRST',
  'refuses the fourth export of a day with Retry-After'
);

-- When a user has no rows
reset role;
select ok(
  app.export_user_data(tests.create_user('eve@example.com'))::jsonb @> '{
    "api_keys": [], "notifications": [], "jobs": [], "dramas": [], "media_days": [], "tasks": [],
    "task_days": [], "shares": [], "template_versions": []
  }',
  'has lists for a new user'
);
select throws_ok(
  $$ select app.register_export('numbers', 'app.count_owner_bytes') $$,
  '22023', 'Function app.count_owner_bytes does not return json.',
  'registers only functions that return json'
);

select * from finish();
rollback;
