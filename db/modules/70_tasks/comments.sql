-- Comments on the tables, columns and domains of this module.

comment on domain app.task_mandate is
  'The text of a mandate: 1 to 20,000 characters. Limit per task: 422 mandate_invalid.';
comment on domain app.task_max_ticks is
  'How many ticks a task may have: 1 to 500. Limit per task: 422 max_ticks_invalid.';

comment on column public.plans.tasks_running is
  'How many tasks of a user are accepted, started or in progress at a time; more tasks wait as '
  'pending. Null: no limit. Limit per user: the next task waits as pending.';
comment on column public.plans.tasks_open is
  'How many tasks of a user may be open: pending to input_required. Null: no limit. Limit per '
  'user: 429 tasks_open_reached.';
comment on column public.plans.tasks_per_day is
  'How many tasks a user may submit or retry per day (UTC). Null: no limit. Limit per user: 429 '
  'tasks_per_day_reached.';

comment on column app.settings.task_answer_deadline is
  'How long a task waits for the answer to a question. Then the task ends with an error. Limit per '
  'question: 409 question_closed.';
comment on column app.settings.task_retention is
  'How long a task is kept after it has ended.';
comment on column app.settings.task_writes_per_minute is
  'How often a user may change, delete, cancel, retry and answer tasks per minute, all together. '
  'Limit per user: 429 rate_limited.';

comment on table public.tasks is
$$Agent tasks: a mandate that a worker works on in ticks.

Insert { mandate, max_ticks, correlation_id } or call submit_task; watch the row through Realtime or
by polling. A pending task can be changed (mandate, max_ticks). A deleted task stops. For other
changes, call cancel_task, retry_task or answer_task. From origin 003.$$;
comment on column public.tasks.correlation_id is
  'A name that the client chose, unique among the tasks of its user: 1 to 200 characters.';
comment on column public.tasks.status is
  'pending (waits for a running slot), accepted (its run is queued), started, in_progress (a tick '
  'is finished), input_required (a question waits for answer_task), completed, error or cancelled.';
comment on column public.tasks.max_ticks is
  'After this tick the task completes, with the result so far.';
comment on column public.tasks.tick is 'The last finished tick. Null: no tick is finished.';
comment on column public.tasks.result is
  '{ text, question: { tick, text, schema } while a question is open, stopped_by: "max_ticks" if '
  'the ticks were used up }. Partial until the task is completed.';
comment on column public.tasks.error is 'Why the task ended, in a sentence for people.';
comment on column public.tasks.usage is
  '{ model, input_tokens, output_tokens, calls } of all finished ticks.';
comment on column public.tasks.run_id is
  'The run that works on the task, for job_tree. Null before the task is accepted.';

comment on table app.task_states is 'The private part of a task.';
comment on column app.task_states.request_hash is
  'The hash of the request that submitted the task, because the mandate may change.';
comment on column app.task_states.state is
  'The last state of the run that ended last, for the next run. The state of an open run is in '
  'app.job_queue. Null once the task is completed.';
comment on column app.task_states.question is
  'The question { tick, text, schema }, until a tick has used its answer.';
comment on column app.task_states.answer is 'The answer to question, until a tick has used it.';
comment on column app.task_states.deadline is
  'Until when question may be answered. Null while the task does not wait for an answer.';
comment on column app.task_states.is_closed is
  'Whether the worker''s door has closed question, because the deadline has passed.';
comment on column app.task_states.ended_at is
  'When the task ended. Null: the task is open.';

comment on table app.task_answers is
  'The hash of each answer, so that the same answer may be sent again.';
comment on table app.task_owners is
  'A row per user who has submitted tasks. Its lock orders all changes of the user''s tasks.';
comment on column app.task_owners.day is 'The day (UTC) of the last submission or retry.';
comment on column app.task_owners.tasks_of_day is
  'How many tasks the user has submitted or retried on day.';
