-- list_tasks returns pages of the caller's tasks, newest first.
begin;
select plan(13);
create temporary table known (ana uuid, ben uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;
-- Ten tasks at two moments, so that most have the same created_at as another one.
insert into tasks (user_id, mandate, status, created_at)
select
  k.ana, 't' || n, 'completed', timestamptz '2026-11-27 10:00:00.123456Z' + n / 5 * interval '1 h'
from known as k, generate_series(0, 9) as n;
insert into tasks (user_id, mandate, status) select ben, 'of Ben', 'completed' from known;

-- When Ana reads page after page
create temporary table pages (p json);
grant select, insert on pages to public;
select tests.sign_in((select ana from known));
insert into pages
with recursive page as (
  select list_tasks(3) as p
  union all
  select list_tasks(3, p ->> 'next') from page where p ->> 'next' is not null
)
select p from page;
select is((select count(*) from pages), 4::bigint, 'has four pages of three tasks');
select results_eq(
  $$
    select (t ->> 'id')::uuid
    from pages
    cross join json_array_elements(p -> 'tasks') as t
    order by (t ->> 'created_at')::timestamptz desc, (t ->> 'id')::uuid desc
  $$,
  'select id from tasks order by created_at desc, id desc',
  'lists each task once, also tasks of the same moment'
);
select is(
  json_array_length(list_tasks(10) -> 'tasks'), 10, 'returns as many tasks as the caller wants'
);
select is(list_tasks(10) ->> 'next', null, 'has no next page after the last task');
select is(
  list_tasks(10, 'null')::text,
  list_tasks(10)::text,
  'reads the word null as null, because supabase-js sends it in the URL of a GET'
);
select is(
  (
    select array_agg(k order by k)
    from json_object_keys(list_tasks(1) #> '{tasks,0}') as k
  ),
  (
    select array_agg(attname::text order by attname::text)
    from pg_attribute
    where attrelid = 'tasks'::regclass and attnum > 0
  ),
  'returns every column'
);
select is(
  tests.refusal_of(format('select list_tasks(%L, %L)', size, before)) ->> 'slug',
  'page_invalid',
  format('refuses a page of %s before %s', size, before)
)
from (
  values
    ('0', null), ('101', null), (null, null), ('2147483647', null), ('5', 'x'),
    ('5', '1_' || repeat('f', 36)), ('5', '')
) as v (size, before);

select * from finish();
rollback;
