-- The id of an expired share can be used again before the schedule has deleted the share.
begin;
select plan(4);

select tests.become('anon');
select public.share_flow(
  tests.example_flow(), '11111111-1111-4111-8111-111111111111', 'public'
);
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]');

-- When the share is alive
select throws_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id)
    values (
      '11111111-1111-4111-8111-111111111111', 'flow', 'f0000000-0000-4000-8000-000000000001'
    )
  $$,
  '23505', null, 'keeps the id of a live share'
);

-- When the share has expired
reset role;
select tests.travel('1 hour');
select tests.become('anon');
select lives_ok(
  $$
    select public.share_flow(
      '{"name": "again", "nodes": [], "edges": []}', '11111111-1111-4111-8111-111111111111',
      'public'
    )
  $$,
  'share_flow takes the id of an expired share'
);
reset role;
select is_empty(
  $$ select id from public.flows where name = 'Example' $$, 'deletes the flow of the expired share'
);

select tests.travel('2 hours');
select tests.become('anon');
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id)
    values (
      '11111111-1111-4111-8111-111111111111', 'flow', 'f0000000-0000-4000-8000-000000000001'
    )
  $$,
  'a direct insert takes the id of an expired share'
);

select * from finish();
rollback;
