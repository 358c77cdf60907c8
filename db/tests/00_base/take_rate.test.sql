begin;
select plan(11);

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

-- When all limits have run out
select tests.travel('1 hour');
select results_eq('select app.delete_spent_rates()', array[3], 'deletes rows that have run out');

select * from finish();
rollback;
