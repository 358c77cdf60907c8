begin;
select plan(16);

-- Given a limit of three a minute
select lives_ok(
  $$ select app.take_rate('t', 'ana', 3, '1 minute') from generate_series(1, 3) $$,
  'allows as many requests as the limit at once'
);
select throws_like(
  $$ select app.take_rate('t', 'ana', 3, '1 minute') $$,
  '%rate_limited%',
  'refuses the next request'
);
select throws_like(
  $$ select app.take_rate('t', 'ana', 3, '1 minute') $$,
  '%Try again in 20 s%',
  'says how long to wait'
);
select throws_like(
  $$ select app.take_rate('t', 'ana', 3, '1 minute') $$,
  '%the limit is 3 per minute.%',
  'names the limit and its window'
);
select throws_like(
  $$ select app.take_rate('t', 'dora', 1, '1 day', 2) $$,
  '%the limit is 1 per day.%',
  'names a window of a day'
);
select lives_ok(
  $$ select app.take_rate('t', 'ben', 3, '1 minute') $$,
  'limits each key separately'
);
select lives_ok(
  $$ select app.take_rate('u', 'ana', 3, '1 minute') $$,
  'limits each bucket separately'
);

-- When a third of the window has passed
select tests.travel('20 seconds');
select lives_ok(
  $$ select app.take_rate('t', 'ana', 3, '1 minute') $$,
  'allows one more request after a third of the window'
);
select throws_like(
  $$ select app.take_rate('t', 'ana', 3, '1 minute') $$,
  '%rate_limited%',
  'refuses a second request after a third of the window'
);

-- When it costs more than the limit
select throws_like(
  $$ select app.take_rate('t', 'cem', 3, '1 minute', 4) $$,
  '%rate_limited%',
  'refuses a request that costs more than the whole limit'
);

-- When IPv6 callers of one provider's customer send requests
select lives_ok(
  $$
    select app.take_rate('v6', format('address 2001:db8:1:%s::/64', to_hex(n)), 1, '1 minute')
    from generate_series(1, 16) as n
  $$,
  'allows a /48 network sixteen times the limit of a /64 network'
);
select throws_like(
  $$ select app.take_rate('v6', 'address 2001:db8:1:ff::/64', 1, '1 minute') $$,
  '%the limit is 16 per minute%',
  'refuses the seventeenth /64 network of a /48 network'
);
select lives_ok(
  $$ select app.take_rate('v6', 'address 2001:db8:2:ff::/64', 1, '1 minute') $$,
  'allows a /64 network of another /48 network'
);
select lives_ok(
  $$
    select app.take_rate('v6', 'address 2001:db8:1::1', 1, '1 minute'),
      app.take_rate('v6', 'user 2001:db8:1:1::/64', 1, '1 minute')
  $$,
  'counts other keys for themselves only'
);

-- When all limits have run out
select tests.travel('1 hour');
select results_eq('select app.delete_spent_rates()', array[24], 'deletes rows that have run out');

-- When a network gets back what an upload of it did not cost
select app.take_rate('settled', 'address 2001:db8:9:1::/64', 10, interval '1 minute', 10);
select app.settle_rate('settled', 'address 2001:db8:9:1::/64', 10, interval '1 minute', -10);
select is_empty(
  $$
    select r.key from app.rate_limits as r
    where r.bucket = 'settled' and r.spent_until > app.clock() + interval '1 second'
  $$,
  'gives back to an IPv6 /48 network, too'
);

select * from finish();
rollback;
