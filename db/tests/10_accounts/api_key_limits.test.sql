-- How many keys a user has, how much a key may write, and what is noted of its use.
begin;
select plan(14);

create temporary table people as select tests.create_user('ana@example.com') as ana;
create temporary table made (label text, id uuid, key text);
grant select on people to public;
grant select, insert on made to public;
update app.settings set api_key_writes_per_minute = 3;

-- Given 50 keys
select tests.sign_in((select ana from people));
insert into made select 'rw', k.id, k.key from public.create_api_key('rw', '{write}') as k;
insert into made select 'ro', k.id, k.key from public.create_api_key('ro') as k;
insert into made select 'spare', k.id, k.key from generate_series(3, 50) as n, public.create_api_key('spare ' || n, '{read}', now() + interval '1 hour') as k;
select throws_ok($$ select public.create_api_key('n') $$, 'PT409', null, 'a 51st is refused');
select throws_ok(format('select public.rotate_api_key(%L)', id), 'PT409', null, 'a grace period would be a 51st, too') from made where label = 'ro';
select lives_ok(format('select public.rotate_api_key(%L, 0)', max(id::text)), 'without one a key is rotated') from made where label = 'spare';
select lives_ok(format('select public.revoke_api_key(%L)', min(id::text)), 'when one is revoked') from made where label = 'spare';
select lives_ok($$ select public.create_api_key('n') $$, 'another can be made');
reset role;
select tests.travel('2 hours');
select tests.sign_in((select ana from people));
select lives_ok($$ select public.create_api_key('n') $$, 'and when they expire');
select throws_like(
  $$ select public.revoke_api_key((public.create_api_key('n')).id) from generate_series(1, 101) $$, '%rate_limited%',
  'nobody makes keys all day'
);

-- When a key writes
reset role;
select lives_ok(
  $$ select tests.send_key(m.key, 'POST', '/flows') from made as m, generate_series(1, 3) where m.label = 'rw' $$,
  'a key writes as often as it may'
);
reset role;
select throws_like($$ select tests.send_key(m.key, 'POST', '/flows') from made as m where m.label = 'rw' $$, '%rate_limited%', 'and no more');
select is_empty($$ select key from app.rate_limits where key in (select id::text from made where label = 'ro') $$, 'a key that only reads is not counted');

-- Then its use is noted
select is((select last_used_at from public.api_keys as k join made as m using (id) where m.label = 'rw'), app.now(), 'the use is noted');
select tests.travel('2 hours 59 seconds');
select tests.send_key(key, 'POST', '/flows') from made where label = 'rw';
reset role;
select is((select last_used_at from public.api_keys as k join made as m using (id) where m.label = 'rw'), app.now() - interval '59 seconds', 'but not within a minute');
select tests.travel('2 hours 60 seconds');
select tests.send_key(key, 'POST', '/flows') from made where label = 'rw';
reset role;
select is((select last_used_at from public.api_keys as k join made as m using (id) where m.label = 'rw'), app.now(), 'after a minute again');
select is_empty($$ select from public.api_keys as k join made as m using (id) where m.label = 'ro' and k.last_used_at is not null $$, 'what was not used has no time');

select * from finish();
rollback;
