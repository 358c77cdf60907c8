-- app.register_callbacks
--
-- Called by   callbacks.sql of the modules that have job types; npm run db:migrate applies such a
--             file when it changes
-- Writes      job_callbacks
-- Errors      42883 if a function does not exist yet; npm run db:migrate then applies the file
--             again after the others
-- Idempotent  a registration replaces the earlier one of its type
-- Why         a module file registers callbacks, because seed data never changes an existing row
create or replace function app.register_callbacks(
  type text,
  on_completed text default null,
  on_rescheduled text default null,
  on_run_ended text default null,
  on_run_reopened text default null
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_names text[] := array_remove(
    array[
      register_callbacks.on_completed, register_callbacks.on_rescheduled,
      register_callbacks.on_run_ended, register_callbacks.on_run_reopened
    ],
    null
  );
begin
  perform (n.name || '(bigint[])')::regprocedure
  from unnest(v_names) as n (name);

  if v_names = '{}' then
    delete from app.job_callbacks as c
    where c.type = register_callbacks.type;
    return;
  end if;

  insert into app.job_callbacks as c (
    type, on_completed, on_rescheduled, on_run_ended, on_run_reopened
  )
  values (
    register_callbacks.type, register_callbacks.on_completed, register_callbacks.on_rescheduled,
    register_callbacks.on_run_ended, register_callbacks.on_run_reopened
  )
  on conflict on constraint job_callbacks_pkey do update set
    on_completed = excluded.on_completed,
    on_rescheduled = excluded.on_rescheduled,
    on_run_ended = excluded.on_run_ended,
    on_run_reopened = excluded.on_run_reopened;
end
$$;

comment on function app.register_callbacks(text, text, text, text, text) is
$$Registers the functions that the job engine calls for a job type. Without functions, removes the
registration.

Each function is named "app.<name>", takes bigint[] and returns void. The engine calls it once per
batch, with all ids, lowest first, in the transaction of the transition, and holds the locks of the
runs.
on_completed: steps of this type whose own work is done. Their children may still be open, and none
of them has started. Never called for groups, which have no work of their own.
on_rescheduled: steps of this type that saved their state for a later turn.
on_run_ended: roots of this type whose run completed, failed, was cancelled, or is deleted while
open; once per ending. A repeated call may come after the rows of the run are deleted.
on_run_reopened: roots of this type that retry_job runs again. The function may refuse with
app.fail.
A callback should refuse nothing else: record on the step what cannot be used. If on_completed or
on_rescheduled raises, the step fails with callback_failed. If on_run_ended raises, the call is
stored in app.callback_faults and repeated. Deadlocks, timeouts and faults of the server (SQLSTATE
classes 40, 53, 57 and 58, and 55P03) are no faults of the callback: the engine's caller repeats the
transaction, or, after 55P03, hands in the result of this step again.
A callback may call app.submit_run and app.cancel_runs. It runs with the planner settings of the
engine, which suit index lookups.$$;
