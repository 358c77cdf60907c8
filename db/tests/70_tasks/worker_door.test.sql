-- The worker sees the task whose step it holds, and no other.
begin;
select plan(12);
select tests.announce_versions();
create temporary table known (ana uuid, task uuid, run bigint, fence bigint);
insert into known (ana) values (tests.create_user('ana@example.com'));
grant select, update on known to public;
select tests.sign_in((select ana from known));
select submit_task('one'), submit_task('two');
reset role;
select tests.exchange('[]', 1);
update known set run = c.id, fence = c.fence from tests.claims as c;
update known set task = t.id from tasks as t where t.run_id = known.run;

-- When the worker goes around its door
select tests.become('worker');
select throws_ok('select from public.tasks', '42501', null, 'lets the worker read no tasks');
select throws_ok(
  $$ update public.tasks set status = 'completed' $$, '42501', null,
  'lets the worker change no tasks'
);
select throws_ok('delete from public.tasks', '42501', null, 'lets the worker delete no tasks');
select throws_ok(
  $$ insert into public.tasks (mandate) values ('x') $$, '42501', null,
  'lets the worker insert no tasks'
);
select throws_ok(
  'select app.end_tasks(array[1])', '42501', null, 'lets the worker call no callback'
);

-- When the worker names steps that it does not hold
select is(
  tests.refusal_of(format('select worker.%s(%s, %s)', door, step, fence)) ->> 'slug',
  'step_lost',
  format('lets %s open no task with %s', door, wrong)
)
from (
  select d.door, w.wrong, w.step, w.fence
  from known as k
  cross join lateral (
    values
      ('an old fence', k.run, k.fence - 1),
      ('the fence of another step', k.run + 1, k.fence),
      ('the largest numbers', 9223372036854775807, 9223372036854775807)
  ) as w (wrong, step, fence)
  cross join unnest(array['start_task', 'read_task']) as d (door)
) as v
order by door, wrong;
reset role;
select tests.open_task((select task from known));
select tests.complete_task((select task from known), 1, '{"text": "x"}');
select is(
  tests.refusal_of(
    (select format('select worker.start_task(%s, %s)', run, fence) from known)
  ) ->> 'slug',
  'step_lost',
  'opens no finished task'
);
select * from finish();
rollback;
