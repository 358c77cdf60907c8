-- A share is deleted before its hour by its token, or by the user who made it.
begin;
select plan(21);
create temporary table ids as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on ids to public;
create function pg_temp.flow() returns json language sql
return '{"name": "n", "nodes": [], "edges": []}'::json;
create function pg_temp.card() returns json language sql
return '{"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "s"}}'::json;
grant execute on function pg_temp.flow, pg_temp.card to public;

-- Given shares of strangers, with a token each
select tests.become('anon');
select
  public.share_flow(
    pg_temp.flow(), '11111111-1111-4111-8111-111111111111', 'public',
    'aaaaaaaa-1111-4111-8111-111111111111'
  ),
  public.share_card(
    pg_temp.card(), share_id => '22222222-1111-4111-8111-111111111111',
    revoke_token => 'aaaaaaaa-2222-4111-8111-111111111111'
  ),
  public.share_session(
    '{"title": "t"}', share_id => '33333333-1111-4111-8111-111111111111',
    revoke_token => 'aaaaaaaa-3333-4111-8111-111111111111'
  ),
  public.share_flow(pg_temp.flow(), '44444444-1111-4111-8111-111111111111');

-- When the request is repeated
select lives_ok(
  $$
    select public.share_flow(
      pg_temp.flow(), '11111111-1111-4111-8111-111111111111', 'public',
      'aaaaaaaa-1111-4111-8111-111111111111'
    )
  $$,
  'repeating the request with its token is safe'
);
select throws_ok(
  $$
    select public.share_flow(
      pg_temp.flow(), '11111111-1111-4111-8111-111111111111', 'public',
      'bbbbbbbb-1111-4111-8111-111111111111'
    )
  $$,
  'PT409', 'This share_id belongs to another share.', 'refuses to repeat a share with another token'
);

-- When somebody has no token, or a wrong one
select throws_ok(
  format('select public.revoke_share(%L, %L)', s.id, s.token),
  'PT404', 'Share not found, or the token is not the token of this share.', s.description
)
from (
  values
    (
      '11111111-1111-4111-8111-111111111111', null, 'refuses a caller without a token'
    ),
    (
      '11111111-1111-4111-8111-111111111111', 'aaaaaaaa-2222-4111-8111-111111111111',
      'refuses the token of another share'
    ),
    (
      '44444444-1111-4111-8111-111111111111', null,
      'refuses to revoke a share without a token and without a user'
    ),
    (
      '99999999-1111-4111-8111-111111111111', 'aaaaaaaa-1111-4111-8111-111111111111',
      'answers the same for an unknown share'
    )
) as s (id, token, description);

-- When a stranger has the token
select lives_ok(
  format('select public.revoke_share(%L, %L)', s.id, s.token),
  format('revokes share %s with its token', s.id)
)
from (
  values
    ('11111111-1111-4111-8111-111111111111', 'aaaaaaaa-1111-4111-8111-111111111111'),
    ('22222222-1111-4111-8111-111111111111', 'aaaaaaaa-2222-4111-8111-111111111111'),
    ('33333333-1111-4111-8111-111111111111', 'aaaaaaaa-3333-4111-8111-111111111111')
) as s (id, token);
select throws_ok(
  $$ select public.get_shared_resource('11111111-1111-4111-8111-111111111111') $$,
  'PT404', null, 'a revoked share does not open'
);
select throws_ok(
  $$
    select public.revoke_share(
      '11111111-1111-4111-8111-111111111111', 'aaaaaaaa-1111-4111-8111-111111111111'
    )
  $$,
  'PT404', null, 'refuses to revoke a share twice'
);
reset role;
select is_empty(
  $$
    select id from public.flows
    union all
    select id from public.characters
    union all
    select id from public.sessions
  $$,
  'the resource of a revoked share is deleted with it'
);

-- Given shares of a user, in one request and by direct inserts
select tests.sign_in((select ana from ids));
select public.share_flow(pg_temp.flow(), '55555555-1111-4111-8111-111111111111');
insert into public.characters (id, name) values ('c0000000-0000-4000-8000-000000000001', 'Ana');
insert into public.shared_resources (id, resource_type, resource_id, visibility)
values (
  '66666666-1111-4111-8111-111111111111', 'card_character', 'c0000000-0000-4000-8000-000000000001',
  'public'
);
select results_eq(
  'select left(share_id::text, 8), url, resource_type, visibility from public.list_shares() order '
  'by 1',
  $$
    values
      (
        '55555555', 'https://harpy.chat/flows/detail/55555555-1111-4111-8111-111111111111', 'flow',
        'unlisted'
      ),
      (
        '66666666', 'https://harpy.chat/cards/detail/66666666-1111-4111-8111-111111111111',
        'card_character', 'public'
      )
  $$,
  'a user lists the user''s own shares, and no others'
);

-- When another user tries
select tests.sign_in((select ben from ids));
select is_empty('select share_id from public.list_shares()', 'another user lists none of them');
select throws_ok(
  $$ select public.revoke_share('55555555-1111-4111-8111-111111111111') $$,
  'PT404', null, 'another user cannot revoke them'
);

-- When the shares have expired, and the cleanup has not run yet
reset role;
select tests.travel('1 hour');
select tests.sign_in((select ana from ids));
select is_empty('select share_id from public.list_shares()', 'an expired share is not listed');
select throws_ok(
  $$ select public.revoke_share('55555555-1111-4111-8111-111111111111') $$,
  'PT404', null, 'an expired share cannot be revoked'
);
reset role;
select tests.travel('0');

-- When the user revokes them
select lives_ok(
  $$
    select
      public.revoke_share('55555555-1111-4111-8111-111111111111'),
      public.revoke_share('66666666-1111-4111-8111-111111111111')
  $$,
  'a user revokes the user''s own shares without a token'
);
select is_empty('select share_id from public.list_shares()', 'a revoked share is not listed');

-- Callers who are no users
reset role;
update app.settings set share_writes_per_minute = 1;
delete from app.rate_limits;
select tests.become('service_role');
select throws_ok(
  'select share_id from public.list_shares()', '42501', null, 'service_role has no own shares'
);

select lives_ok(
  $$
    select public.share_flow(pg_temp.flow(), gen_random_uuid())
    from generate_series(1, 3)
  $$,
  'service_role shares without a rate'
);

select * from finish();
rollback;
