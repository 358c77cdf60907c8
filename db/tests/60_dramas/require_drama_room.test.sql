-- A plan limits how many dramas its users generate per day and at a time.
begin;
select plan(14);

-- Given users of a plan with two dramas a day and one at a time
create temporary table people as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on people to public;
create temporary table made (name text, run_id bigint);
grant insert, select on made to public;
update plans set dramas_per_day = 2, dramas_open = 1 where id = 'free';
create function tests.generate(name text) returns void language sql as $$
  insert into made
  select generate.name, d.run_id
  from generate_drama(generate.name, idempotency_key => generate.name) as d
$$;
create function tests.run(name text) returns bigint language sql
begin atomic
  select m.run_id from made as m where m.name = run.name;
end;
grant execute on function tests.generate(text), tests.run(text) to public;

-- When Ana generates a second drama while the first one is in progress
select tests.sign_in((select ana from people));
select tests.generate('first');
select matches(
  tests.refusal_of($$ select generate_drama('second') $$) ->> 'message',
  'dramas_open_reached.*Wait until the run of a drama has ended',
  'refuses a drama while as many as the plan allows are in progress'
);
select matches(
  tests.refusal_of($$ insert into dramas (premise) values ('second') $$) ->> 'message',
  'dramas_open_reached',
  'refuses an inserted drama in the same way'
);
select lives_ok(
  $$ select generate_drama('first', idempotency_key => 'first') $$,
  'answers a repeated request although the plan allows no more dramas'
);
select results_eq(
  'select dramas_per_day, dramas_started, dramas_left from get_media_limits()',
  'values (2, 1, 1)',
  'shows how many dramas are left today'
);

-- When another user generates a drama
select tests.sign_in((select ben from people));
select lives_ok($$ select tests.generate('of Ben') $$, 'counts each user alone');
select matches(
  tests.refusal_of(
    $$
      insert into dramas (premise)
      select p.premise
      from (values ('one'), ('two')) as p (premise)
    $$
  ) ->> 'message',
  'dramas_open_reached',
  'refuses several dramas of one request'
);

-- When the first drama is cancelled
select tests.sign_in((select ana from people));
select cancel_job(tests.run('first'));
select lives_ok(
  $$ select tests.generate('second') $$, 'permits a drama after another one has ended'
);
select matches(
  tests.refusal_of($$ select retry_job(tests.run('first')) $$) ->> 'message',
  'dramas_open_reached',
  'refuses to run a drama again while as many as the plan allows are in progress'
);
select cancel_job(tests.run('second'));
select matches(
  tests.refusal_of($$ select generate_drama('third') $$) ->> 'message',
  'dramas_per_day_reached.*Wait until the day \(UTC\) ends',
  'refuses a third drama of the day'
);
select lives_ok(
  $$ select retry_job(tests.run('first')) $$, 'does not count a retry as a drama of the day'
);
select cancel_job(tests.run('first'));

-- When the day ends
reset role;
select tests.travel('1 day');
select tests.sign_in((select ana from people));
select lives_ok($$ select tests.generate('third') $$, 'permits a drama on the next day');
select results_eq(
  'select dramas_per_day, dramas_started, dramas_left from get_media_limits()',
  'values (2, 1, 1)',
  'counts each day alone'
);

-- When the plan has no limits
reset role;
update plans set dramas_per_day = null, dramas_open = null where id = 'free';
select tests.sign_in((select ana from people));
select lives_ok(
  $$ select tests.generate('fourth'), tests.generate('fifth') $$,
  'permits any number of dramas where the plan has no limit'
);
select results_eq(
  'select dramas_per_day, dramas_started, dramas_left from get_media_limits()',
  'values (null::integer, 3, null::integer)',
  'shows that the plan has no limit'
);

select * from finish();
rollback;
