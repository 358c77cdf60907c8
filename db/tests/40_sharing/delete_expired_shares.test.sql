begin;
select plan(6);

-- Given a public flow, and shares of cards and a session that were inserted directly
select tests.become('anon');
select public.share_flow(
  tests.example_flow(), '11111111-1111-4111-8111-111111111111', 'public'
);
insert into public.characters (id, name) values ('c0000000-0000-4000-8000-000000000001', 'Ana');
insert into public.scenarios (id, name) values ('c0000000-0000-4000-8000-000000000002', 'Storm');
insert into public.sessions (id, title) values ('c0000000-0000-4000-8000-000000000003', 'Evening');
insert into public.shared_resources (resource_type, resource_id)
values
  ('card_character', 'c0000000-0000-4000-8000-000000000001'),
  ('card_scenario', 'c0000000-0000-4000-8000-000000000002'),
  ('session', 'c0000000-0000-4000-8000-000000000003');
reset role;

select tests.travel('59 minutes');
select is(app.delete_expired_shares(), 0, 'keeps live shares');
select tests.travel('1 hour');
select is(app.delete_expired_shares(), 4, 'deletes expired shares of every type');
select is(app.delete_expired_shares(), 0, 'a repeated call deletes nothing');
select is_empty(
  'select id from public.flows union all select flow_id from public.agents',
  'deletes the flow with its nodes'
);
select is_empty(
  $$
    select id from public.characters
    union all
    select id from public.scenarios
    union all
    select id from public.sessions
  $$,
  'deletes the cards and the session'
);
select is_empty('select from app.share_packages', 'deletes the packages');

select * from finish();
rollback;
