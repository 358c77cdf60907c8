-- A look at a limit, before work that is counted later.
begin;
select plan(8);

-- Given a limit of three a minute
select lives_ok(
  $$ select app.require_rate('t', 'ana', 3, '1 minute', 3) from generate_series(1, 5) $$,
  'passes a fresh limit, and counts nothing'
);
select is_empty('select from app.rate_limits', 'inserts no row');
select app.take_rate('t', 'ana', 3, '1 minute', 2);
select lives_ok(
  $$ select app.require_rate('t', 'ana', 3, '1 minute', 1) $$,
  'passes while the limit has room for the cost'
);
select throws_like(
  $$ select app.require_rate('t', 'ana', 3, '1 minute', 2) $$,
  '%the limit is 3 per minute.%',
  'refuses a cost for which the limit has no room'
);
select throws_like(
  $$ select app.require_rate('t', 'ana', 3, '1 minute', 2) $$,
  '%Try again in 20 s.%',
  'says how long to wait until the limit has room for the cost'
);

-- Given a /48 network whose addresses have spent sixteen times the limit of one
select app.take_rate('t', format('address 2001:db8:7:%s::/64', n), 3, '1 minute', 3)
from generate_series(1, 16) as n;
select throws_like(
  $$ select app.require_rate('t', 'address 2001:db8:7:99::/64', 3, '1 minute') $$,
  '%the limit is 48 per minute.%',
  'refuses a fresh address of a network whose limit is spent'
);
select lives_ok(
  $$ select app.require_rate('t', 'address 2001:db8:8:99::/64', 3, '1 minute') $$,
  'passes an address of another network'
);

-- When the wait is over
select tests.travel('20 seconds');
select lives_ok(
  $$ select app.require_rate('t', 'ana', 3, '1 minute', 2) $$,
  'passes when the limit has room again'
);

select * from finish();
rollback;
