begin;
select plan(5);

-- Given a resource of each kind that is not shared, and one that is
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values
  ('f0000000-0000-4000-8000-000000000001', 'unshared', '[]', '[]'),
  ('f0000000-0000-4000-8000-000000000002', 'shared', '[]', '[]');
insert into public.characters (id, name) values (gen_random_uuid(), 'Ana');
insert into public.scenarios (id, name) values (gen_random_uuid(), 'Storm');
insert into public.sessions (id, title) values (gen_random_uuid(), 'Evening');
insert into public.shared_resources (resource_type, resource_id)
values ('flow', 'f0000000-0000-4000-8000-000000000002');
reset role;

select tests.travel('59 minutes');
select is(app.delete_unshared_resources(), 0, 'keeps an unshared resource for an hour');
select tests.travel('61 minutes');
select is(app.delete_unshared_resources(), 4, 'deletes unshared resources of every kind');
select is(app.delete_unshared_resources(), 0, 'a repeated call deletes nothing');
select results_eq(
  'select name from public.flows', array['shared'],
  'leaves a shared flow to app.delete_expired_shares'
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

select * from finish();
rollback;
