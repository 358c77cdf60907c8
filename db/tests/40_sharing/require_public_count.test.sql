-- A caller has a few live public shares at most.
begin;
select plan(13);
update app.settings set public_shares_max = 2;
create function pg_temp.share(id uuid, visibility text default 'public')
  returns void language sql as $$
  select public.share_flow(
    '{"name": "n", "nodes": [], "edges": []}', share.id, share.visibility
  )
$$;
grant execute on function pg_temp.share to public;
create temporary table ids as select tests.create_user('ana@example.com') as ana;
grant select on ids to public;

-- Given a user with as many public shares as allowed
select tests.sign_in((select ana from ids));
select pg_temp.share('11111111-1111-4111-8111-111111111111');
insert into public.characters (id, name)
select ('c0000000-0000-4000-8000-00000000000' || n)::uuid, 'Ana' from generate_series(1, 4) as n;
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, visibility)
    values (
      'd0000000-0000-4000-8000-000000000001', 'card_character',
      'c0000000-0000-4000-8000-000000000001', 'public'
    )
  $$,
  'accepts public shares up to the limit, of both kinds'
);

-- When the user shares more
select throws_like(
  $$ select pg_temp.share(gen_random_uuid()) $$,
  '%too_many_public_shares%', 'refuses a public share above the limit'
);
select throws_like(
  $$ select pg_temp.share(gen_random_uuid()) $$,
  '%Share it as unlisted, or wait 3600 s%', 'says how long to wait'
);
select throws_like(
  $$
    select public.share_card(
      '{"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "s"}}',
      share_id => gen_random_uuid(), visibility => 'public'
    )
  $$,
  '%too_many_public_shares%', 'refuses a public card above the limit'
);
select throws_like(
  $$
    select public.share_session(
      '{"title": "t"}', share_id => gen_random_uuid(), visibility => 'public'
    )
  $$,
  '%too_many_public_shares%', 'refuses a public session above the limit'
);
select throws_like(
  $$
    insert into public.shared_resources (resource_type, resource_id, visibility)
    values ('card_character', 'c0000000-0000-4000-8000-000000000002', 'public')
  $$,
  '%too_many_public_shares%', 'refuses a direct public share above the limit'
);
select lives_ok(
  $$ select pg_temp.share('11111111-1111-4111-8111-111111111111') $$,
  'repeating the request of a public share is safe at the limit'
);
select lives_ok(
  $$ select pg_temp.share(gen_random_uuid(), 'unlisted') $$, 'accepts unlisted shares at the limit'
);

-- When others share
select tests.become('anon');
select lives_ok(
  $$ select pg_temp.share(gen_random_uuid()) $$, 'counts the shares of each caller separately'
);
select tests.become('service_role');
select lives_ok(
  $$ select pg_temp.share(gen_random_uuid()) from generate_series(1, 3) $$,
  'service_role has no limit'
);

-- When a public share expires, or is deleted
reset role;
update public.shared_resources set expires_at = now()
where id = 'd0000000-0000-4000-8000-000000000001';
select tests.sign_in((select ana from ids));
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, visibility)
    values (
      'd0000000-0000-4000-8000-000000000002', 'card_character',
      'c0000000-0000-4000-8000-000000000002', 'public'
    )
  $$,
  'an expired share makes room before the cleanup deletes it'
);
reset role;
delete from public.shared_resources where id = 'd0000000-0000-4000-8000-000000000002';
select tests.sign_in((select ana from ids));
select throws_like(
  $$
    insert into public.shared_resources (resource_type, resource_id, visibility)
    select 'card_character', ('c0000000-0000-4000-8000-00000000000' || n)::uuid, 'public'
    from generate_series(3, 4) as n
  $$,
  '%too_many_public_shares%', 'counts each public share of one statement'
);
select lives_ok(
  $$ select pg_temp.share(gen_random_uuid()) $$, 'a deleted share makes room'
);

select * from finish();
rollback;
