-- Sharing seals what was inserted directly, and builds its package once.
begin;
select plan(12);

-- Given a flow, cards and a session, which anon inserted
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values
  ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]'),
  ('f0000000-0000-4000-8000-000000000002', 'G', '[]', '[]');
insert into public.characters (id, name) values ('c0000000-0000-4000-8000-000000000001', 'Ana');
insert into public.scenarios (id, name) values ('c0000000-0000-4000-8000-000000000002', 'Storm');
insert into public.sessions (id, title) values ('c0000000-0000-4000-8000-000000000003', 'Evening');

-- When anon names the wrong table, or no resource
select throws_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values ('card_scenario', 'c0000000-0000-4000-8000-000000000001')
  $$,
  'PT422', 'The resource to share was not found.', 'refuses a character as a scenario'
);
select throws_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values ('flow', 'c0000000-0000-4000-8000-000000000003')
  $$,
  'PT422', 'The resource to share was not found.', 'refuses a session as a flow'
);
select throws_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id, expires_at)
    values ('flow', gen_random_uuid(), now())
  $$,
  'PT422', 'The resource to share was not found.', 'refuses a flow that does not exist'
);

-- When anon shares a flow
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, visibility)
    values (
      'd0000000-0000-4000-8000-000000000001', 'flow', 'f0000000-0000-4000-8000-000000000001',
      'public'
    )
  $$,
  'anon shares a flow that it inserted'
);
select throws_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at)
    values (
      gen_random_uuid(), 'flow', 'f0000000-0000-4000-8000-000000000001', now() + interval '1 hour'
    )
  $$,
  '23505', null, 'refuses to share a flow a second time'
);

-- When a share is dropped as a duplicate
insert into public.shared_resources (id, resource_type, resource_id, visibility)
values (
  'd0000000-0000-4000-8000-000000000001', 'flow', 'f0000000-0000-4000-8000-000000000002', 'public'
)
on conflict (id) do nothing;
reset role;
select is(
  (select sealed_at from public.flows where id = 'f0000000-0000-4000-8000-000000000002'), null,
  'a share that on conflict drops seals nothing'
);

-- When anon shares cards and a session in one statement
select tests.become('anon');
select lives_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values
      ('card_character', 'c0000000-0000-4000-8000-000000000001'),
      ('card_scenario', 'c0000000-0000-4000-8000-000000000002'),
      ('session', 'c0000000-0000-4000-8000-000000000003')
  $$,
  'one insert shares resources of several types'
);
select throws_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values ('card_character', 'c0000000-0000-4000-8000-000000000001')
  $$,
  '23505', null, 'refuses to share a card a second time'
);
reset role;
select is(
  (
    select count(*)
    from (
      select sealed_at from public.characters
      union all
      select sealed_at from public.scenarios
      union all
      select sealed_at from public.sessions
    ) as s
    where s.sealed_at is null
  ),
  0::bigint,
  'seals each of them'
);
select results_eq(
  $$
    select s.id
    from public.shared_resources as s
    where not exists (select from app.share_packages as p where p.share_id = s.id)
  $$,
  array[]::uuid[],
  'every share has a package'
);
select results_eq(
  $$
    select s.id
    from public.shared_resources as s
    where s.resource_type = 'flow'
      and not exists (
        select from public.flows as f where f.id = s.resource_id and f.sealed_at is not null
      )
  $$,
  array[]::uuid[],
  'every share of a flow has a sealed flow'
);
select results_eq(
  $$ select distinct sealed_at from public.flows where sealed_at is not null $$,
  'select app.now()',
  'sealed_at is the time of the share'
);

select * from finish();
rollback;
