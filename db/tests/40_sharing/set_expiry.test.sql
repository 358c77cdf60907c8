-- The clock of the server decides when a share expires.
begin;
select plan(4);

select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values
  ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]'),
  ('f0000000-0000-4000-8000-000000000002', 'G', '[]', '[]'),
  ('f0000000-0000-4000-8000-000000000003', 'H', '[]', '[]');

-- When the client's clock is three hours fast
insert into public.shared_resources (id, resource_type, resource_id, expires_at)
values (
  'd0000000-0000-4000-8000-000000000001', 'flow', 'f0000000-0000-4000-8000-000000000001',
  now() + interval '3 hours'
);
reset role;
select results_eq(
  'select expires_at from public.shared_resources', $$ values (now() + interval '1 hour') $$,
  'limits the time of a fast clock to an hour from now'
);

-- When the client's clock is a day slow
select tests.become('anon');
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at, visibility)
    values (
      'd0000000-0000-4000-8000-000000000002', 'flow', 'f0000000-0000-4000-8000-000000000002',
      now() - interval '1 day', 'public'
    )
  $$,
  'accepts the time of a slow clock'
);
select results_eq(
  'select id, expires_at from public.shared_resources',
  $$ values ('d0000000-0000-4000-8000-000000000002'::uuid, now() + interval '1 hour') $$,
  'gives the client of a slow clock its hour'
);

-- When the client wants less than an hour
insert into public.shared_resources (id, resource_type, resource_id, expires_at)
values (
  'd0000000-0000-4000-8000-000000000003', 'flow', 'f0000000-0000-4000-8000-000000000003',
  now() + interval '5 minutes'
);
reset role;
select is(
  (
    select expires_at
    from public.shared_resources
    where id = 'd0000000-0000-4000-8000-000000000003'
  ),
  now() + interval '5 minutes',
  'keeps a time within the hour'
);

select * from finish();
rollback;
