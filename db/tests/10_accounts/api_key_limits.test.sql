-- The number of keys per user, the write limit of a key, and the time of its last use.
begin;
select plan(18);

create temporary table people as select tests.create_user('ana@example.com') as ana;
create temporary table made (label text, id uuid, key text);
grant select on people to public;
grant select, insert on made to public;
update app.settings set api_key_writes_per_minute = 3;

-- Given 50 keys
select tests.sign_in((select ana from people));
insert into made select 'rw', k.id, k.key from public.create_api_key('rw', '{write}') as k;
insert into made select 'ro', k.id, k.key from public.create_api_key('ro') as k;
insert into made
select 'spare', k.id, k.key
from generate_series(3, 50) as n,
  public.create_api_key('spare ' || n, '{read}', now() + interval '1 hour') as k;
select throws_ok(
  $$ select public.create_api_key('n') $$,
  'PT409', null, 'a 51st live key is refused'
);
select throws_ok(
  format('select public.rotate_api_key(%L)', id),
  'PT409', null, 'a rotation with a grace period is refused, because both keys would be live'
)
from made where label = 'ro';
select lives_ok(
  format('select public.rotate_api_key(%L, 0)', max(id::text)),
  'a rotation without a grace period is allowed'
)
from made where label = 'spare';
select lives_ok(
  format('select public.revoke_api_key(%L)', min(id::text)),
  'one of 50 keys is revoked'
)
from made where label = 'spare';
select lives_ok(
  $$ select public.create_api_key('n') $$,
  'a key can be created after another was revoked'
);
reset role;
select tests.travel('2 hours');
select tests.sign_in((select ana from people));
select lives_ok(
  $$ select public.create_api_key('n') $$,
  'a key can be created after others have expired'
);
select throws_like(
  $$ select public.revoke_api_key((public.create_api_key('n')).id) from generate_series(1, 101) $$,
  '%rate_limited%',
  'a user cannot create more than 100 keys an hour'
);

-- When a key writes
reset role;
select lives_ok(
  $$
    select tests.send_key(m.key, 'POST', '/flows')
    from made as m, generate_series(1, 3)
    where m.label = 'rw'
  $$,
  'a key may write as often as its limit says'
);
reset role;
select throws_like(
  $$ select tests.send_key(m.key, 'POST', '/flows') from made as m where m.label = 'rw' $$,
  '%rate_limited%',
  'a key may not write more often than its limit'
);
select is_empty(
  $$ select key from app.rate_limits where key in (select id::text from made where label = 'ro') $$,
  'a key that only reads is not counted'
);

-- Then its use is noted
select is(app.publish_api_key_uses(), 1, 'the use of a key is published');
select is(app.publish_api_key_uses(), 0, 'a published use is not published again');
select is(
  (select last_used_at from public.api_keys as k join made as m using (id) where m.label = 'rw'),
  app.now(),
  'last_used_at is the time of the use'
);
select tests.travel('2 hours 59 seconds');
select tests.send_key(key, 'POST', '/flows') from made where label = 'rw';
reset role;
select is(app.publish_api_key_uses(), 0, 'a second use within a minute is not published');
select is(
  (select last_used_at from public.api_keys as k join made as m using (id) where m.label = 'rw'),
  app.now() - interval '59 seconds',
  'last_used_at stays the same within a minute'
);
select tests.travel('2 hours 60 seconds');
select tests.send_key(key, 'POST', '/flows') from made where label = 'rw';
reset role;
select is(app.publish_api_key_uses(), 1, 'a use after a minute is published');
select is(
  (select last_used_at from public.api_keys as k join made as m using (id) where m.label = 'rw'),
  app.now(),
  'last_used_at changes after a minute'
);
select is_empty(
  $$
    select
    from public.api_keys as k
    join made as m using (id)
    where m.label = 'ro' and k.last_used_at is not null
  $$,
  'a key that was not used has no last_used_at'
);

select * from finish();
rollback;
