-- cancel_task and retry_task, their refusals and limits.
begin;
select plan(20);
select tests.announce_versions();
create temporary table known (ana uuid, task uuid);
insert into known (ana) select tests.create_user('ana@example.com');
grant select, update on known to public;
create function pg_temp.slug_of(command text) returns text language sql as $$
  select case
    when r ->> 'code' = 'PGRST' then (r ->> 'message')::json ->> 'details'
    else coalesce(r ->> 'slug', 'done')
  end
  from tests.refusal_of(format(command, (select k.task from known as k))) as r;
$$;
grant execute on function pg_temp.slug_of(text) to public;
insert into plans (id, name, tasks_running, tasks_open, tasks_per_day)
values ('small', 'Small', 1, 2, 4);
update users set plan_id = 'small';

-- Unknown tasks
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of(
    format('select %s_task(%L)', verb, '00000000-0000-4000-8000-000000000001')
  ) ->> 'slug',
  'task_not_found',
  format('%s: knows no task that does not exist', verb)
)
from unnest(array['cancel', 'retry']) as verb;
select throws_ok(
  'select cancel_task(null)', 'PT404', 'Task not found.', 'knows no task without an id'
);

-- Open tasks
update known set task = (submit_task('m', 5, 'k')).id;
select is(pg_temp.slug_of('select retry_task(%L)'), 'task_not_ended', 'retries no open task');
select is(pg_temp.slug_of('select cancel_task(%L)'), 'done', 'cancels an open task');

-- Quotas
select submit_task('second', 5, 'second'), submit_task('third', 5, 'third');
select is(
  pg_temp.slug_of('select retry_task(%L)'),
  'tasks_open_reached',
  'retries no task while the plan has no room for one more'
);
select cancel_task(id) from tasks where mandate = 'third';
select is(
  (retry_task((select task from known))).status,
  'pending',
  'waits for a running slot like a new task'
);
update tasks set mandate = 'changed', max_ticks = 1 where id = (select task from known);
select is(
  (select mandate from tasks where id = (select task from known)),
  'changed',
  'can be changed while it waits again'
);
select cancel_task((select task from known));
select is(
  pg_temp.slug_of('select retry_task(%L)'),
  'tasks_per_day_reached',
  'counts each retry as a task of the day'
);
reset role;
update plans set tasks_per_day = null where id = 'small';

-- Completed tasks
select tests.sign_in((select ana from known));
update known set task = (select id from tasks where mandate = 'second');
reset role;
select tests.claim_steps();
select tests.open_task((select task from known));
select tests.complete_task((select task from known), 1, '{"text": "x"}');
select tests.sign_in((select ana from known));
select is(pg_temp.slug_of('select retry_task(%L)'), 'task_completed', 'retries no completed task');
select is(pg_temp.slug_of('select cancel_task(%L)'), 'task_ended', 'cancels no completed task');

-- A failed task
update known set task = (submit_task('m', 5)).id;
reset role;
select tests.claim_steps();
select tests.open_task((select task from known));
select tests.hand_in_task(
  (select task from known),
  '{"outcome": "failed", "is_permanent": true, "error": {"slug": "x", "message": "No."}}'
);
select tests.sign_in((select ana from known));
select is(pg_temp.slug_of('select cancel_task(%L)'), 'task_ended', 'cancels no failed task');
select is(
  (select concat_ws(' ', status, error is null) from retry_task((select task from known))),
  'accepted t',
  'retries a failed task, and forgets its error'
);
reset role;
select is((select count(*) from app.runs), 2::bigint, 'has one run of the task');
select is((select ended_at from app.task_states where task_id = (select task from known)), null,
  'is open again');

-- Rates
update app.settings set job_retries_per_hour = 1;
delete from app.rate_limits;
select tests.sign_in((select ana from known));
select cancel_task((select task from known));
select is(pg_temp.slug_of('select retry_task(%L)'), 'done', 'admits retries within the rate');
select cancel_task((select task from known));
select is(
  pg_temp.slug_of('select retry_task(%L)'), 'rate_limited', 'counts retries with those of jobs'
);
select tests.become('service_role');
select is(
  pg_temp.slug_of('select retry_task(%L)'), 'done', 'lets service_role retry beyond the rate'
);
reset role;
update app.settings set task_writes_per_minute = 1;
delete from app.rate_limits;
select tests.sign_in((select ana from known));
select is(
  pg_temp.slug_of('select cancel_task(%L)') || ' ' || pg_temp.slug_of('select cancel_task(%L)'),
  'done rate_limited',
  'counts each call against the rate of writes'
);
select is(
  pg_temp.slug_of('delete from tasks where id = %L'),
  'rate_limited',
  'counts direct deletions with the calls'
);

select * from finish();
rollback;
