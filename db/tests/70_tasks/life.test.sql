-- A task from its submission to its end: each status, and what its user sees.
begin;
select plan(31);
select tests.announce_versions();
create temporary table known (ana uuid, ben uuid, task uuid, first_run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select, update on known to public;
create function pg_temp.seen() returns text language sql as $$
  select concat_ws(' ', t.status, t.tick, t.result, t.error)
  from public.tasks as t
  where t.id = (select k.task from known as k);
$$;
grant execute on function pg_temp.seen() to public;

-- When Ana submits a task
select tests.sign_in((select ana from known));
update known set task = (submit_task('Find three names.', 5)).id;
select is(pg_temp.seen(), 'accepted', 'accepts a task at once if a running slot is free');
select is(
  (
    select concat_ws(' ', t.mandate, t.max_ticks, t.tick is null, t.usage is null)
    from tasks as t
  ),
  'Find three names. 5 t t',
  'stores the mandate and the number of ticks'
);
select is(
  (select j.type from jobs as j join tasks as t on t.run_id = j.id),
  'run_task',
  'shows its user the run of the task'
);
reset role;
select is(
  (select j.input from jobs as j join tasks as t on t.run_id = j.id),
  (
    select jsonb_build_object(
      'model', m.name, 'mandate', 'Find three names.', 'max_ticks', 5
    )
    from ai_models as m
    where m.kind = 'text' and m.is_default
  ),
  'gives the run the default model and the work of the task'
);

-- When a worker claims and starts it
select is(tests.claim_steps(), 'task', 'offers the step of the task to a worker');
select is(
  tests.open_task((select task from known)) - 'task_id',
  '{"mandate": "Find three names.", "max_ticks": 5, "tick": 0, "state": null, "question": null,
    "answer": null, "is_closed": false, "answer_within_ms": 604800000,
    "buying_is_stopped": false}',
  'tells the worker what the task is'
);
select is(pg_temp.seen(), 'started', 'becomes started by the first act of the worker');
select is(
  tests.open_task((select task from known)) ->> 'tick', '0', 'answers a repeated start alike'
);

-- When ticks are finished
select tests.finish_tick((select task from known), 1);
select is(
  pg_temp.seen(), 'in_progress 1 {"text": "after 1"}', 'shows the result of the first tick'
);
select is(
  (select usage from tasks),
  '{"calls": 1, "model": "m", "input_tokens": 10, "output_tokens": 1}',
  'shows the usage of the first tick'
);
select tests.claim_steps();
select is(
  (tests.open_task((select task from known), false) -> 'state')::text,
  'null',
  'reads no state for a later turn, because the step has it'
);
select is(
  tests.open_task((select task from known)) #>> '{state,result,text}',
  'after 1',
  'has the state of the last finished tick for a new run'
);

-- When the second tick asks a question
select tests.finish_tick(
  (select task from known), 2, '{"text": "Which?", "schema": {"enum": ["a", "b"]}}', 604800000
);
select is(
  pg_temp.seen(),
  'input_required 2 {"text": "after 2", "question": {"text": "Which?", "tick": 2, "schema": '
    '{"enum": ["a", "b"]}}}',
  'shows the question with its tick'
);
select is(tests.claim_steps(), null, 'lets the step wait for the answer');

-- When Ana answers
select tests.sign_in((select ana from known));
select is(
  (answer_task((select task from known), 2, '"b"')).status,
  'in_progress',
  'continues with the answer'
);
select is(pg_temp.seen(), 'in_progress 2 {"text": "after 2"}', 'shows no answered question');
select is(
  (answer_task((select task from known), 2, '"b"')).tick, 2, 'accepts the same answer again'
);
reset role;
select is(tests.claim_steps(), 'task', 'wakes the step');
select is(
  tests.open_task((select task from known), false) - 'task_id' - 'answer_within_ms',
  '{"mandate": "Find three names.", "max_ticks": 5, "tick": 2, "state": null,
    "question": {"text": "Which?", "tick": 2, "schema": {"enum": ["a", "b"]}},
    "answer": {"value": "b"}, "is_closed": false, "buying_is_stopped": false}',
  'gives the worker the question and its answer'
);

-- When Ana cancels
update known set first_run = (select run_id from tasks);
select tests.sign_in((select ana from known));
select is((cancel_task((select task from known))).status, 'cancelled', 'cancels the task');
select is(
  (select status from jobs where id = (select first_run from known)),
  'cancelled',
  'cancels its run'
);
select is(
  (cancel_task((select task from known))).status, 'cancelled', 'leaves a cancelled task as it is'
);

-- When Ana retries
select is((retry_task((select task from known))).status, 'accepted', 'accepts a task again');
select is(
  (select count(*) from jobs where id = (select first_run from known)),
  0::bigint,
  'deletes the run of the first attempt'
);
reset role;
select tests.claim_steps();
select is(
  tests.open_task((select task from known)) #>> '{state,tick}',
  '2',
  'continues after the last finished tick'
);
select is(
  tests.open_task((select task from known)) #>> '{answer,value}',
  'b',
  'keeps an answer that no tick has used'
);

-- When the third tick is done
select tests.finish_tick((select task from known), 3);
select tests.claim_steps();
select tests.complete_task((select task from known), 4, '{"text": "Ann, Bob, Cy"}');
select is(pg_temp.seen(), 'completed 4 {"text": "Ann, Bob, Cy"}', 'completes with its result');
select is((select usage ->> 'calls' from tasks), '4', 'shows the usage of the whole task');
select is_empty(
  'select from app.task_states where state is not null or question is not null',
  'keeps no state of a completed task'
);

-- When Ben looks
select tests.sign_in((select ben from known));
select is_empty('select from tasks', 'hides the task from other users');

-- When Ana deletes the task
select tests.sign_in((select ana from known));
delete from tasks where id = (select task from known);
reset role;
select is_empty(
  'select task_id from app.task_states union all select null from app.runs',
  'deletes the task with its private rows and its run'
);

select * from finish();
rollback;
