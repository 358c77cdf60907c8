-- Direct inserts count into the caller's rate.
begin;
select plan(11);

-- Given a caller whose rate is spent, and an open flow
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]');
update app.settings set share_writes_per_minute = 1;
select tests.become('anon');
select lives_ok(
  $$ insert into public.characters (id, name)
    values (gen_random_uuid(), 'one') $$, 'accepts an insert within the rate'
);

-- When the caller inserts into any table of this module
select throws_like(
  format('insert into public.%s %s', t.name, t.row),
  '%rate_limited%',
  format('refuses a row of %s above the rate', t.name)
)
from (
  values
    ('flows', $$ (id, name, nodes, edges) values (gen_random_uuid(), 'x', '[]', '[]') $$),
    ('agents', $$ (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'a') $$),
    ('data_store_nodes', $$ (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'd') $$),
    ('if_nodes', $$ (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'i') $$),
    ('characters', $$ (id, name) values (gen_random_uuid(), 'two') $$),
    ('scenarios', $$ (id, name) values (gen_random_uuid(), 'two') $$),
    ('sessions', $$ (id, title) values (gen_random_uuid(), 'two') $$),
    (
      'shared_resources',
      $$
        (resource_type, resource_id) values ('flow', 'f0000000-0000-4000-8000-000000000001')
      $$
    )
) as t (name, row);

-- Given a caller who may write 30 times a minute
reset role;
update app.settings set share_writes_per_minute = 30;
delete from app.rate_limits;
select tests.become('anon');
select lives_ok(
  $$
    insert into public.flows (id, name, nodes, edges)
    select gen_random_uuid(), '', '[]', '[]' from generate_series(1, 1000)
  $$,
  'given: the caller has spent half of the rate on empty rows'
);
select throws_like(
  $$
    insert into public.flows (id, name, nodes, edges)
    select gen_random_uuid(), '', '[]', '[]' from generate_series(1, 1000)
  $$,
  '%rate_limited%', 'counts empty rows'
);

select * from finish();
rollback;
