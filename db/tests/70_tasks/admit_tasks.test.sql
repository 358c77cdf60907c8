-- Pending tasks get the running slots that become free, oldest first.
begin;
select plan(17);
select tests.announce_versions();
create temporary table known (ana uuid, ben uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;
create function pg_temp.of(mandate text) returns uuid language sql as $$
  select t.id from public.tasks as t where t.mandate = $1;
$$;
grant execute on function pg_temp.of(text) to public;
create function pg_temp.statuses() returns text language sql as $$
  select string_agg(t.status, ' ' order by t.mandate) from public.tasks as t;
$$;
create function pg_temp.open_all() returns void language sql as $$
  select tests.claim_steps();
  select tests.open_task(t.id) from public.tasks as t where t.status = 'accepted';
$$;

-- Given five tasks on a plan with two running slots
select tests.sign_in((select ana from known));
select submit_task(format('t%s', n)) from generate_series(1, 5) as n;
reset role;
update tasks set created_at = created_at + substr(mandate, 2)::integer * interval '1 ms';
select is(
  pg_temp.statuses(), 'accepted accepted pending pending pending', 'accepts two tasks'
);

-- When the second one completes
select pg_temp.open_all();
select tests.complete_task(pg_temp.of('t2'), 1, '{"text": "x"}');
select is(
  pg_temp.statuses(), 'started completed accepted pending pending', 'admits the oldest pending task'
);

-- When the first one asks a question
select tests.finish_tick(pg_temp.of('t1'), 1, '{"text": "?"}', 60000);
select is(
  pg_temp.statuses(),
  'input_required completed accepted accepted pending',
  'admits a task while another one waits for its user'
);

-- When the user answers
select tests.sign_in((select ana from known));
select answer_task(pg_temp.of('t1'), 1, '5');
reset role;
select is(
  pg_temp.statuses(),
  'in_progress completed accepted accepted pending',
  'continues an answered task above the bound'
);
select pg_temp.open_all();
select tests.complete_task(pg_temp.of('t3'), 1, '{"text": "x"}');
select is(
  pg_temp.statuses(),
  'in_progress completed completed started pending',
  'admits no task while the slots are still taken'
);

-- When the user cancels one through its job
select tests.sign_in((select ana from known));
select cancel_job((select run_id from tasks where mandate = 't1'));
reset role;
select is(
  pg_temp.statuses(),
  'cancelled completed completed started accepted',
  'cancels the task of a cancelled job, and admits the next one'
);

-- When the user cancels and deletes
select tests.sign_in((select ana from known));
select submit_task('t6'), submit_task('t7'), submit_task('t8');
reset role;
update tasks
set created_at = created_at + interval '1 ms' * substr(mandate, 2)::integer
where mandate in ('t6', 't7', 't8');
select tests.sign_in((select ana from known));
select cancel_task(pg_temp.of('t6'));
select is(
  (select concat_ws(' ', status, run_id is null) from tasks where mandate = 't6'),
  'cancelled t',
  'cancels a pending task, which has no run'
);
delete from tasks where mandate = 't5';
reset role;
select is(
  (select status from tasks where mandate = 't7'),
  'accepted',
  'admits a task when a running one is deleted'
);
select is(
  (select status from tasks where mandate = 't8'), 'pending', 'leaves the next one pending'
);

-- When the operator raises the limit
update tasks
set created_at = created_at - interval '1 min' + interval '1 ms' * substr(mandate, 2)::integer;
update plans set tasks_running = 3 where id = 'free';
select tests.sign_in((select ana from known));
select is(
  (submit_task('t9')).status, 'pending', 'lets no new task pass an older pending one'
);
reset role;
select is(app.admit_pending_tasks(), 1, 'admits by schedule the tasks that a raised limit admits');
select is(
  (select status from tasks where mandate = 't8'), 'accepted', 'admits the older task first'
);
select is(app.admit_pending_tasks(), 0, 'admits nothing while the slots are taken');
update plans set tasks_running = null where id = 'free';
select is(app.admit_pending_tasks(), 1, 'admits all tasks of a plan without a limit');

-- When no model is enabled
select tests.sign_in((select ben from known));
reset role;
update plans set tasks_running = 1 where id = 'free';
select tests.sign_in((select ben from known));
select submit_task('b1'), submit_task('b2');
reset role;
update ai_models set is_enabled = false where kind = 'text';
select pg_temp.open_all();
select tests.complete_task(pg_temp.of('b1'), 1, '{"text": "x"}');
select is(
  (select string_agg(status, ' ' order by mandate) from tasks where mandate like 'b%'),
  'completed pending',
  'completes a task without a model for the next one, which stays pending'
);
select tests.sign_in((select ben from known));
delete from tasks;
select is(
  tests.refusal_of($$ select submit_task('b3') $$) ->> 'slug',
  'model_unknown',
  'refuses a task that would start without a model'
);
reset role;

-- When a user is deleted while tasks wait
update ai_models set is_enabled = true where kind = 'text';
delete from auth.users where id = (select ana from known);
select is_empty('select from tasks', 'deletes the tasks of a deleted user, and admits none');

select * from finish();
rollback;
