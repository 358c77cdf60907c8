-- Creating, listing, rotating and revoking API keys as a signed-in user.
begin;
select plan(43);

-- Given two users
create temporary table people as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table made (
  label text, id uuid, name text, prefix text, scopes text[], expires_at timestamptz, key text
);
grant select on people to public;
grant select, insert on made to public;

-- When Ana makes a key
select tests.sign_in((select ana from people));
insert into made select 'first', k.* from public.create_api_key('laptop') as k;
select results_eq(
  $$ select name, scopes, expires_at from made where label = 'first' $$,
  $$ values ('laptop', '{read}'::text[], null::timestamptz) $$,
  'a key may only read and does not expire by default'
);
select matches(
  (select key from made where label = 'first'),
  '^plk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$',
  'a key has 43 characters of secret, which are 256 bits'
);
select is(
  (select left(key, 12) from made where label = 'first'),
  (select prefix from made where label = 'first'),
  'a key begins with its prefix'
);
select results_eq(
  'select id, name, prefix, scopes, expires_at, last_used_at, revoked_at, replaced_by from '
  'public.api_keys',
  $$
    select
      id, name, prefix, scopes, null::timestamptz, null::timestamptz, null::timestamptz, null::uuid
    from made
  $$,
  'the owner of a key can list it'
);
select lives_ok('select * from public.api_keys', 'the owner of a key can select every column');
select throws_ok(
  'select secret_hash from app.api_key_secrets',
  '42501', null, 'the owner of a key cannot read its hash'
);

insert into made
select 'full', k.*
from public.create_api_key('ci', '{write,read,write}', now() + interval '30 days') as k;
select results_eq(
  $$ select scopes, expires_at from made where label = 'full' $$,
  $$ values ('{read,write}'::text[], now() + interval '30 days') $$,
  'scopes are sorted without duplicates, and the expiry is stored as sent'
);
select is((public.create_api_key('w', '{write}')).scopes, '{read,write}', 'write includes read');
select is(
  (public.create_api_key('i', '{read}', 'infinity')).expires_at,
  null,   'an expiry of infinity means that the key does not expire'
);
select is((select count(distinct key) from made), 2::bigint, 'two keys differ');

-- Bad input
select throws_ok(
  $$ select public.create_api_key(null) $$,
  'PT422', null, 'a key without a name is refused'
);
select throws_ok(
  $$ select public.create_api_key('') $$,
  'PT422', null, 'a key with an empty name is refused'
);
select throws_ok(
  $$ select public.create_api_key(repeat('x', 101)) $$,
  'PT422', null, 'a key with a name of 101 characters is refused'
);
select throws_ok(
  format('select public.create_api_key(%L, %L)', 'n', scopes), 'PT422', null,
  format('scopes %s are refused', scopes)
)
from unnest(
  array['{}', null, '{admin}', '{read,admin}', '{read,null}', '{READ}', '{service_role}']
) as s (scopes);
select throws_ok(
  $$ select public.create_api_key('n', '{read}', now()) $$,
  'PT422', null, 'an expiry that is not in the future is refused'
);
select throws_ok(
  $$ select public.create_api_key('n', '{read}', '-infinity') $$,
  'PT422', null, 'an expiry of -infinity is refused'
);

-- When Ben comes
select tests.sign_in((select ben from people));
select is_empty('select id from public.api_keys', 'a user cannot see the keys of another');
select throws_ok(
  format('select public.rotate_api_key(%L)', id),
  'PT404', null, 'a user cannot rotate the key of another'
)
from made where label = 'first';
select throws_ok(
  format('select public.revoke_api_key(%L)', id),
  'PT404', null, 'a user cannot revoke the key of another'
)
from made where label = 'first';
select throws_ok(
  $$ insert into public.api_keys (name) values ('n') $$,
  '42501', null, 'a user cannot insert into the table'
);
select throws_ok(
  $$ update public.api_keys set scopes = '{read,write}' $$,
  '42501', null, 'a user cannot update the table'
);
select tests.become('anon');
select throws_ok(
  $$ select public.create_api_key('n') $$,
  'PT401', null, 'an anonymous caller cannot create a key'
);

-- When Ana rotates
select tests.sign_in((select ana from people));
insert into made
select 'second', k.*
from made as m, public.rotate_api_key(m.id, 3600) as k
where m.label = 'full';
select results_eq(
  $$ select name, scopes, expires_at from made where label = 'second' $$,
  $$ values ('ci', '{read,write}'::text[], now() + interval '30 days') $$,
  'the new key has the old one''s name, scopes and expiry'
);
select results_eq(
  $$
    select expires_at, replaced_by
    from public.api_keys
    where id = (select id from made where label = 'full')
  $$,
  $$ select now() + interval '1 hour', id from made where label = 'second' $$,
  'the old key works during the grace period and names its successor'
);
select throws_ok(
  format('select public.rotate_api_key(%L)', id),
  'PT409', null, 'a key cannot be rotated twice'
)
from made where label = 'full';
select throws_ok(
  format('select public.rotate_api_key(%L, %s)', id, seconds), 'PT422', null,
  format('a grace of %s s is refused', seconds)
)
from made, unnest(array['-1', '604801', 'null']) as s (seconds) where label = 'second';
select lives_ok(
  $$
    select public.rotate_api_key(
      (public.create_api_key('s', '{read}', now() + interval '1 minute')).id, 604800
    )
  $$,
  'a grace period of a week is accepted'
);
select is(
  (select expires_at from public.api_keys where name = 's' and replaced_by is not null),
  now() + interval '1 minute',
  'a grace period does not prolong the life of a key'
);

-- When she revokes
select lives_ok(
  format('select public.revoke_api_key(%L)', id),
  'the owner revokes a key'
)
from made where label = 'second';
reset role;
select tests.travel('1 day');
select tests.sign_in((select ana from people));
select lives_ok(
  format('select public.revoke_api_key(%L)', id),
  'a key can be revoked twice'
)
from made where label = 'second';
select is(
  (select revoked_at from public.api_keys where id = (select id from made where label = 'second')),
  now(),
  'a second revocation keeps the time of the first'
);
select throws_ok(
  format('select public.rotate_api_key(%L)', id),
  'PT409', null, 'a revoked key cannot be rotated'
)
from made where label = 'second';

-- When an account is deleted whose JWT is still valid
reset role;
delete from auth.users where id = (select ben from people);
select tests.sign_in((select ben from people));
select is(
  tests.refusal_of(command) ->> 'slug', 'not_signed_in',
  format('a deleted account cannot %s', command)
)
from (
  values
    ($$ select public.create_api_key('n') $$),
    ($$ select public.rotate_api_key(gen_random_uuid()) $$),
    ($$ select public.revoke_api_key(gen_random_uuid()) $$)
) as c (command);

select * from finish();
rollback;
