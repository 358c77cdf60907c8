-- app.answer_task, public.answer_task
--
-- Called by   clients: the user of the task, and service_role
-- Writes      tasks, task_states, task_answers; as app.wake_step; rate_limits
-- Errors      PT400 document_too_deep, PT401 not_signed_in, PT404 task_not_found, PT409
--             question_closed, answer_taken, task_changed, PT413 answer_too_large, PT422
--             answer_invalid, PT429 rate_limited
-- Idempotent  the same answer to the same question: returns the task as it is now
-- Locks       as app.lock_task; then the rows that app.wake_step locks; then the caller's row of
--             rate_limits
-- Why         jsonb writes a short number such as 1e131071 in full, so an answer of many such
--             numbers could grow to a gigabyte. jsonb also adds spaces, which at most double the
--             size, so the second limit is twice the first
create or replace function app.answer_task(id uuid, tick integer, answer json)
  returns public.tasks
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_task public.tasks;
  v_answer jsonb;
  v_hash bytea;
  v_known bytea;
  v_asked record;
begin
  perform app.require_caller();
  perform app.require_writing();
  if octet_length(answer_task.answer::text) > 65536 then
    perform app.fail(
      413, 'answer_too_large', 'The answer is larger than 64 KiB.', 'Send a shorter answer.'
    );
  end if;
  if regexp_replace(answer_task.answer::text, '"(?:[^"\\]|\\.)*"', '', 'g')
    ~ '[eE][+-]?[0-9]{4}'
  then
    perform app.fail(
      422,
      'answer_invalid',
      'A number of the answer is out of range.',
      'Send numbers between -1.7e308 and 1.7e308, with at most three digits of exponent.'
    );
  end if;
  v_answer := answer_task.answer::jsonb;
  perform app.require_depth(v_answer);
  if octet_length(v_answer::text) > 131072 then
    perform app.fail(
      413,
      'answer_too_large',
      'The answer is larger than 128 KiB with its numbers written out.',
      'Send a shorter answer.'
    );
  end if;
  v_hash := app.hash_request('answer_task', v_answer);
  v_task := app.lock_task(answer_task.id);

  v_known := (
    select a.answer_hash
    from app.task_answers as a
    where a.task_id = v_task.id and a.tick = answer_task.tick
  );
  if v_known = v_hash then
    return v_task;
  end if;
  if v_known is not null then
    perform app.fail(
      409,
      'answer_taken',
      'Another answer to this question was sent before.',
      'Read the task again to see whether it asks another question.'
    );
  end if;

  select s.question, s.deadline, s.is_closed into v_asked
  from app.task_states as s
  where s.task_id = v_task.id;
  if v_task.status <> 'input_required'
    or v_asked.is_closed
    or v_asked.deadline <= app.clock()
    or answer_task.tick is distinct from (v_asked.question ->> 'tick')::integer
  then
    perform app.fail(
      409,
      'question_closed',
      'The task does not ask this question, or the deadline has passed.',
      'Read the task again: result.question is the open question, with its tick.'
    );
  end if;
  if not app.is_answer(v_answer, v_asked.question -> 'schema') then
    perform app.fail(
      422,
      'answer_invalid',
      'The answer does not fit the schema of the question.',
      'Send a value that fits result.question.schema; without a schema, any value but null.'
    );
  end if;

  insert into app.task_answers (task_id, tick, answer_hash, created_at)
  values (v_task.id, answer_task.tick, v_hash, app.now());
  update app.task_states as s
  set answer = v_answer, deadline = null
  where s.task_id = v_task.id;
  update public.tasks as t
  set status = 'in_progress', result = t.result - 'question'
  where t.id = v_task.id
  returning * into v_task;
  perform app.wake_step(v_task.run_id);
  perform app.take_task_rate();

  return v_task;
end
$$;

comment on function app.answer_task(uuid, integer, json) is
  'Answers the question of a task; see public.answer_task.';

create or replace function public.answer_task(id uuid, tick integer, answer json)
  returns public.tasks
  language sql
  volatile
  -- A client may filter the answer, which takes time while the task is locked.
  set statement_timeout = '2s'
  set search_path = ''
return app.answer_task(id, tick, answer);

comment on function public.answer_task(uuid, integer, json) is
$$Answers the question of a task, and returns the task's row.

id: of the task. tick: result.question.tick. answer: a JSON value, at most 64 KiB, that fits
result.question.schema. The task continues at once, even if plans.tasks_running tasks run already.
The same answer may be sent again.
404 task_not_found. 409 question_closed: the task does not ask this question, or its deadline has
passed. 409 answer_taken: the question has another answer. 409 task_changed: repeat the request.
400 document_too_deep. 413 answer_too_large. 422 answer_invalid. 429 rate_limited.$$;

grant execute on function app.answer_task(uuid, integer, json) to anon, authenticated, service_role;
grant execute on function public.answer_task(uuid, integer, json)
  to anon, authenticated, service_role;
