-- A user changes pending tasks, and deletes any task.
begin;
select plan(16);
select tests.announce_versions();
create temporary table known (ana uuid, ben uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;
update plans set tasks_running = 1 where id = 'free';

-- Given a running and a pending task
select tests.sign_in((select ana from known));
select submit_task('running'), submit_task('waiting');
select is(
  tests.refusal_of($$ update tasks set mandate = 'x' where mandate = 'running' $$) ->> 'slug',
  'task_not_pending',
  'refuses to change a task that is accepted'
);
select is(
  tests.refusal_of($$ update tasks set mandate = 'x' $$) ->> 'slug',
  'task_not_pending',
  'refuses a change of several tasks if one of them is accepted'
);
select is(
  tests.refusal_of(
    format('update tasks set %s = %s where status = ''pending''', key, value)
  ) ->> 'slug',
  slug,
  format('refuses %s of %s characters', key, length(value))
)
from (
  values
    ('mandate', '''''', 'mandate_invalid'),
    ('mandate', 'null', 'mandate_invalid'),
    ('mandate', 'repeat(''x'', 20001)', 'mandate_invalid'),
    ('max_ticks', '0', 'max_ticks_invalid'),
    ('max_ticks', '501', 'max_ticks_invalid'),
    ('max_ticks', 'null', 'max_ticks_invalid')
) as v (key, value, slug);
select throws_ok(
  $$ update tasks set correlation_id = 'x' $$, '42501', null, 'changes no correlation_id'
);
update tasks set mandate = 'changed', max_ticks = 7 where status = 'pending';
select is(
  (select concat_ws(' ', mandate, max_ticks) from tasks where status = 'pending'),
  'changed 7',
  'changes a pending task'
);
select ok(
  (select updated_at > created_at from tasks where status = 'pending'),
  'raises updated_at'
);

-- When the running task is deleted while a worker works on it
reset role;
select tests.claim_steps();
create temporary table running as
select run_id, tests.open_task(id) as opened from tasks where mandate = 'running';
select tests.sign_in((select ana from known));
delete from tasks where mandate = 'running';
select is(
  (select status from tasks), 'accepted', 'admits the next task when a running one is deleted'
);
reset role;
select is_empty(
  'select from jobs where id = (select run_id from running)', 'deletes the run of a deleted task'
);
select is(
  tests.exchange(jsonb_build_array(tests.step_result('task')))
    || (tests.last_answer() #>> '{refused,0,reason}'),
  null,
  'claims nothing'
);
select is(
  tests.last_answer() #>> '{refused,0,reason}', 'step_lost', 'refuses the result of a deleted task'
);

-- When the operator deletes
delete from tasks;
select is_empty('select from app.runs', 'deletes the runs of tasks that an operator deletes');

select * from finish();
rollback;
