begin;
select plan(9);

-- Given a limit of three a minute
select lives_ok($$ select app.take_rate('t', 'ana', 3, '1 minute') from generate_series(1, 3) $$, 'lets the limit through at once');
select throws_like($$ select app.take_rate('t', 'ana', 3, '1 minute') $$, '%rate_limited%', 'refuses the next');
select throws_like($$ select app.take_rate('t', 'ana', 3, '1 minute') $$, '%Try again in 20 s%', 'says when to come back');
select lives_ok($$ select app.take_rate('t', 'ben', 3, '1 minute') $$, 'limits each key apart');
select lives_ok($$ select app.take_rate('u', 'ana', 3, '1 minute') $$, 'limits each bucket apart');

-- When a third of the window has passed
select tests.travel('20 seconds');
select lives_ok($$ select app.take_rate('t', 'ana', 3, '1 minute') $$, 'lets one more through');
select throws_like($$ select app.take_rate('t', 'ana', 3, '1 minute') $$, '%rate_limited%', 'and no second one');

-- When it costs more than the limit
select throws_like($$ select app.take_rate('t', 'cem', 3, '1 minute', 4) $$, '%rate_limited%', 'refuses what can never fit');

-- Then what no longer limits is deleted
select tests.travel('1 hour');
select results_eq('select app.delete_spent_rates()', array[3], 'deletes the spent rows');

select * from finish();
rollback;
