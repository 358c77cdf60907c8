-- The end of a run ends its task, whatever the run has left.
begin;
select plan(29);
select tests.announce_versions();
create temporary table known (ana uuid, task uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');
grant select on known to public;
create function pg_temp.begin_task() returns void language plpgsql as $$
begin
  perform tests.sign_in((select ana from known));
  delete from tasks;
  perform submit_task('m', 3);
  reset role;
  update known set task = t.id, run = t.run_id from public.tasks as t;
  perform tests.claim_steps();
  perform tests.open_task((select task from known));
end
$$;
create function pg_temp.seen() returns text language sql as $$
  select concat_ws('; ', t.status, t.tick, t.result, t.usage, t.error) from public.tasks as t;
$$;
create function pg_temp.hand_in(result jsonb) returns void language sql as $$
  select tests.hand_in_task((select k.task from known as k), result);
$$;
grant execute on function pg_temp.seen() to public;

-- Completed
select pg_temp.begin_task();
select pg_temp.hand_in(
  '{"outcome": "completed", "output": {"tick": 3, "usage": {"calls": 3},
    "result": {"text": "x", "stopped_by": "max_ticks"}}}'
);
select is(
  pg_temp.seen(),
  'completed; 3; {"text": "x", "stopped_by": "max_ticks"}; {"calls": 3}',
  'stores the output of a completed run'
);
select is(
  (select ended_at from app.task_states), app.now(), 'stores when the task ended'
);

-- Completed with something else
select pg_temp.begin_task();
select pg_temp.hand_in(format('{"outcome": "completed", "output": %s}', output)::jsonb)
from (values ('null')) as v (output);
select is(
  pg_temp.seen(),
  'error; The agent had an internal fault. Retry the task. If the task fails again, tell the '
    'operator the id of its run.',
  'ends with an error if the output has no result'
);
-- Completed with something else after a tick
select pg_temp.begin_task();
select tests.finish_tick((select task from known), 1);
select tests.claim_steps();
select pg_temp.hand_in('{"outcome": "completed", "output": null}');
select is(
  app.find_task_state((select task from known)) - 'usage',
  '{"tick": 1, "result": {"text": "after 1"}, "question": null, "notes": [],
    "template_version": ""}',
  'continues after the last finished tick although the state of the run is lost'
);
select pg_temp.begin_task();
select pg_temp.hand_in(
  '{"outcome": "completed", "output": {"tick": 99, "usage": 5, "result": {"text": "x"}}}'
);
select is(
  pg_temp.seen(), 'completed; 3; {"text": "x"}', 'stores no tick after max_ticks, and no odd usage'
);
select pg_temp.begin_task();
select pg_temp.hand_in(
  '{"outcome": "completed", "output": {"tick": -1, "usage": {}, "result": {"text": "x"}}}'
);
select is(
  pg_temp.seen(), 'completed; {"text": "x"}; {}', 'stores no tick that is not a number of ticks'
);

-- Failed
select pg_temp.begin_task();
select tests.finish_tick((select task from known), 1);
select is(
  (select e ->> 'state' from app.export_tasks((select ana from known)) as e)::jsonb ->> 'tick', '1',
  'exports the state of an open run'
);
select tests.claim_steps();
select pg_temp.hand_in(
  '{"outcome": "failed", "is_permanent": true,
    "error": {"slug": "answer_missing", "message": "Nobody answered. Retry the task."}}'
);
select is(
  (select concat_ws('; ', status, tick, result, error) from tasks),
  'error; 1; {"text": "after 1"}; Nobody answered. Retry the task.',
  'shows the message of a permanent failure, and keeps the partial result'
);
select isnt_empty(
  'select from app.task_states where state is not null', 'keeps the state of a failed task'
);
select is(
  (select e ->> 'state' from app.export_tasks((select ana from known)) as e)::jsonb ->> 'tick', '1',
  'exports the state that a retry continues'
);

-- retry_job
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of('select retry_job((select run from known))'),
  '{"code": "PT409", "slug": "job_closed", "message": "The run belongs to a task.",
    "hint": "Call retry_task with the id of the task."}',
  'refuses retry_job on the run of a task'
);
select is(
  (select status from jobs where id = (select run from known)), 'failed', 'leaves the run as it is'
);
reset role;

-- An internal fault
select pg_temp.begin_task();
select pg_temp.hand_in(
  '{"outcome": "failed", "is_permanent": true,
    "error": {"slug": "handler_failed", "message": "x is not a function"}}'
);
select matches(
  (select error from tasks), '^The agent had an internal fault', 'hides the inside of the agent'
);

select is(
  app.describe_task_error('output_invalid', 'The output cannot be stored.'),
  app.describe_task_error('a_slug', ''),
  'hides what only authors of handlers understand, and always says something'
);
select is(
  app.describe_task_error('provider_unreachable', 'Gemini cannot be reached. Retry the run later.'),
  'Gemini cannot be reached. Retry the task later.',
  'does not tell a user to retry the run, which is refused'
);

-- Cancelled by its job
select pg_temp.begin_task();
select tests.finish_tick((select task from known), 1, '{"text": "?"}', 60000);
select tests.sign_in((select ana from known));
select cancel_job((select run from known));
select is(
  (select concat_ws('; ', status, tick, result) from tasks),
  'cancelled; 1; {"text": "after 1"}',
  'cancels the task of a cancelled job, and shows its question no longer'
);
reset role;
select is(
  (select question ->> 'text' from app.task_states), '?', 'remembers the open question'
);

-- The run is deleted
select pg_temp.begin_task();
delete from app.runs where id = (select run from known);
select is(pg_temp.seen(), 'cancelled', 'cancels the task of a deleted run');
select tests.sign_in((select ana from known));
select is(
  (retry_task((select id from tasks))).status, 'accepted', 'retries a task whose run is deleted'
);
reset role;
select is(app.find_task_state((select task from known)), null, 'begins without a state');
select pg_temp.begin_task();
select tests.finish_tick((select task from known), 1);
delete from app.runs where id = (select run from known);
select is(
  app.find_task_state((select task from known)) ->> 'template_version',
  '1.0.0',
  'keeps the state of a deleted run'
);

-- A retried run ends before its first tick
select tests.sign_in((select ana from known));
select retry_task((select task from known)), cancel_task((select task from known));
reset role;
select is(
  app.find_task_state((select task from known)) ->> 'template_version',
  '1.0.0',
  'keeps the state of the run before, if a run saved none'
);

-- The end of a failed run could not be stored, and the task is cancelled
select pg_temp.begin_task();
select tests.finish_tick((select task from known), 1);
select tests.claim_steps();
create or replace function app.describe_task_error(slug text, message text)
  returns text language plpgsql as $$ begin raise 'broken'; end $$;
select pg_temp.hand_in('{"outcome": "failed", "is_permanent": true}');
delete from app.callback_faults;
select tests.sign_in((select ana from known));
select cancel_task((select task from known));
reset role;
select is(
  concat_ws(' ', pg_temp.seen(), app.find_task_state((select task from known)) -> 'notes'),
  'cancelled; 1; {"text": "after 1"}; {"calls": 1, "model": "m", "input_tokens": 10, '
    '"output_tokens": 1} []',
  'keeps the state of a run whose end could not be stored'
);
create or replace function app.describe_task_error(slug text, message text)
  returns text language sql as 'select $2';

-- The end of a run is stored late
select pg_temp.begin_task();
create or replace function app.admit_tasks(user_ids uuid[])
  returns integer language plpgsql as $$ begin raise 'broken'; end $$;
select tests.complete_task((select task from known), 1, '{"text": "x"}');
select is(pg_temp.seen(), 'started', 'leaves a task open whose end could not be stored');
select is((select count(*) from app.callback_faults), 1::bigint, 'stores the call for later');
create or replace function app.admit_tasks(user_ids uuid[])
  returns integer language sql as 'select 0';
select tests.travel('2 minutes');
select is(app.repeat_callbacks(), 1, 'repeats the call');
select is(
  (select status from tasks), 'completed', 'completes the task by the repeated call'
);
-- Repeated, for a run that the task has left behind.
select app.end_tasks(array[1, 2, 3]);
select is((select status from tasks), 'completed', 'passes over runs without a task');
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of('select cancel_task((select task from known))') ->> 'slug',
  'task_ended',
  'cancels no completed task'
);

select * from finish();
rollback;
