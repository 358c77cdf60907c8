-- Requests to tables without the right to them: the gate refuses them with a slug and a hint,
-- before Postgres would refuse them without a hint.
begin;
select plan(22);

create function tests.request(
  role text,
  method text,
  path text,
  prefer text default null,
  out slug text,
  out message text,
  out hint text
)
  language plpgsql
as $$
begin
  slug := 'passes';
  if request.role = 'authenticated' then
    perform tests.sign_in((select u.id from auth.users as u));
  else
    perform tests.become(request.role);
  end if;
  perform
    set_config('request.method', request.method, true),
    set_config('request.path', request.path, true),
    set_config(
      'request.headers',
      json_build_object('content-length', '2', 'prefer', request.prefer)::text,
      true
    );
  perform gate.pre_request();
  reset role;
  -- The gate limits the time of some requests, and the tests go on.
  perform set_config('statement_timeout', '0', true);
exception
  when others then
    reset role;
    get stacked diagnostics
      slug = pg_exception_detail, message = message_text, hint = pg_exception_hint;
end
$$;
select tests.create_user('ana@example.com');

-- Given every table, every method and every role
create temporary view rights as
select
  c.table_name,
  r.role,
  m.method,
  m.command,
  exists (
    select from information_schema.column_privileges as p
    where p.table_schema = 'public' and p.table_name = c.table_name and p.grantee = r.role
      and p.privilege_type = m.command
  ) or exists (
    select from information_schema.table_privileges as p
    where p.table_schema = 'public' and p.table_name = c.table_name and p.grantee = r.role
      and p.privilege_type = m.command
  ) as is_granted
from information_schema.tables as c
cross join unnest('{anon,authenticated,service_role}'::text[]) as r (role)
cross join (
  values ('GET', 'SELECT'), ('POST', 'INSERT'), ('PATCH', 'UPDATE'), ('DELETE', 'DELETE')
) as m (method, command)
where c.table_schema = 'public';
create temporary table answers as
select r.*, a.*
from rights as r
cross join lateral tests.request(r.role, r.method, '/' || r.table_name) as a;
select is_empty(
  $$ select role, method, table_name, message from answers where is_granted and slug <> 'passes' $$,
  'passes each request to a table that its role may make'
);
select is_empty(
  $$
    select role, method, table_name from answers
    where not is_granted and slug = 'passes' and method <> 'GET'
  $$,
  'refuses each write to a table without the right to it'
);
select set_eq(
  $$ select table_name from answers where slug = 'not_signed_in' and method = 'GET' $$,
  $$
    select a.table_name::text from rights as a
    join rights as u using (table_name, method)
    where a.role = 'anon' and not a.is_granted and u.role = 'authenticated' and u.is_granted
      and method = 'GET'
  $$,
  'refuses an anonymous read of a table for signed-in users'
);
select set_eq(
  $$
    select role, method, table_name from answers
    where slug = 'not_signed_in' and method <> 'GET'
  $$,
  $$
    values
      ('anon', 'POST', 'dramas'), ('anon', 'POST', 'tasks'), ('anon', 'PATCH', 'tasks'),
      ('anon', 'DELETE', 'tasks'), ('anon', 'PATCH', 'episodes'), ('anon', 'PATCH', 'scenes'),
      ('anon', 'PATCH', 'generations'), ('anon', 'DELETE', 'generations')
  $$,
  'asks an anonymous caller to sign in for writes that signed-in users may make'
);
select is_empty(
  $$
    select role, method, table_name, hint from answers
    where slug = 'write_not_allowed'
      and not exists (select from app.table_hints as h where h.hint = answers.hint)
  $$,
  'answers a refused write with the hint of its table'
);

-- Given the hints
select is_empty(
  $$ select table_name from app.table_hints where to_regclass('public.' || table_name) is null $$,
  'keeps no hint of a table that does not exist'
);
select is_empty(
  $$
    select h.table_name, w.word
    from app.table_hints as h
    cross join regexp_matches(h.hint, '\m[a-z]+(?:_[a-z]+)+\M', 'g') as m (words)
    cross join unnest(m.words) as w (word)
    where to_regproc('public.' || w.word) is null
      and not exists (
        select from information_schema.columns as c
        where c.table_schema = 'public' and c.table_name = h.table_name and c.column_name = w.word
      )
  $$,
  'names only functions and columns that exist'
);

-- Given one request
select is(
  (tests.request(r.role, r.method, r.path, r.prefer)).slug, r.slug,
  format(
    'answers %s of %s by %s with %s',
    concat_ws(' ', r.method, r.prefer), r.path, r.role, r.slug
  )
)
from (
  values
    ('anon', 'HEAD', '/dramas', null, 'not_signed_in'),
    ('anon', 'POST', '/flows', 'resolution=merge-duplicates', 'upsert_not_allowed'),
    ('anon', 'POST', '/flows', 'return=minimal,resolution=merge-duplicates', 'upsert_not_allowed'),
    ('anon', 'POST', '/flows', 'resolution=ignore-duplicates', 'passes'),
    ('anon', 'PUT', '/flows', null, 'upsert_not_allowed'),
    ('anon', 'PUT', '/tasks', null, 'not_signed_in'),
    ('authenticated', 'PUT', '/runs', null, 'write_not_allowed'),
    ('authenticated', 'PUT', '/tasks', null, 'passes'),
    ('authenticated', 'POST', '/tasks', 'resolution=merge-duplicates', 'passes'),
    ('service_role', 'POST', '/plans', 'resolution=merge-duplicates', 'passes'),
    ('anon', 'GET', '/', null, 'passes'),
    ('anon', 'GET', '/nothing', null, 'passes'),
    ('anon', 'PATCH', '/Jobs', null, 'passes'),
    ('anon', 'PATCH', '/%6aobs', null, 'passes'),
    ('anon', 'POST', '/rpc/jobs', 'resolution=merge-duplicates', 'passes')
) as r (role, method, path, prefer, slug);

select * from finish();
rollback;
