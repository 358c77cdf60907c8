-- The package of a direct insert counts into the caller's rate, however small the inserted rows
-- are.
begin;
select plan(2);

-- Given a large flow that is shared
update app.settings set share_writes_per_minute = 15;
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values (
  'f0000000-0000-4000-8000-000000000001', 'Large', json_build_array(repeat('x', 500000)), '[]'
);
reset role;
delete from app.rate_limits;
select tests.become('anon');
select lives_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values ('flow', 'f0000000-0000-4000-8000-000000000001')
  $$,
  'accepts a large package within the rate'
);

-- When a session of a few bytes shows that flow
insert into public.sessions (id, flow_id)
values ('c0000000-0000-4000-8000-000000000009', 'f0000000-0000-4000-8000-000000000001');
select throws_like(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values ('session', 'c0000000-0000-4000-8000-000000000009')
  $$,
  '%rate_limited%',
  'counts the flow in the package of a session'
);

select * from finish();
rollback;
