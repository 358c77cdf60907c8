-- app.tg_runs__end_run
--
-- Writes      jobs.started_at; the rows that on_run_ended writes
-- Locks       queue rows, for which it waits until running claims commit; then the rows that
--             callbacks lock
-- Why         deleting an open run ends the run. Fires before the row is deleted, because the
--             callback may need rows that are deleted with the run
create or replace function app.tg_runs__end_run()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  -- No claim starts a step from here on, so that on_run_ended sees every step that has begun.
  perform
  from app.job_queue as q
  where q.run_id = old.id
  for update;
  update public.jobs as j
  set started_at = q.claimed_at
  from app.job_queue as q
  where q.run_id = old.id
    and q.claimed_at is not null
    and j.id = any (array[q.job_id])
    and j.started_at is null;
  perform app.run_callbacks('{}', '{}', array[old.id]);

  return old;
end
$$;

comment on function app.tg_runs__end_run() is 'Calls on_run_ended for an open run that is deleted.';
