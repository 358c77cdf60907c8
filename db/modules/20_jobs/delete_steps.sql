-- app.tg_runs__delete_steps
--
-- Writes      jobs, job_queue, step_states, job_events; runs of public, or run_changes
-- Locks       rows of public.runs: waits until app.publish_runs commits. app.publish_runs never
--             waits
-- Why         replaces foreign keys, which would look up the run once per inserted step: a fifth of
--             the time that 10,000 steps take. Only app.insert_steps inserts steps, under the run's
--             lock
create or replace function app.tg_runs__delete_steps()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_run_ids bigint[] := array(select r.id from old_runs as r);
begin
  delete from app.job_queue as q
  where q.run_id = any (v_run_ids);
  delete from public.jobs as j
  where j.root_id = any (v_run_ids);
  -- One transaction is one poll of Realtime, and 300 rows take up to a second: ADR 24. If a user
  -- with more runs is deleted, app.publish_runs deletes their rows in batches.
  if cardinality(v_run_ids) > 300 then
    insert into app.run_changes (run_id)
    select r.id
    from unnest(v_run_ids) as r (id);
  else
    delete from public.runs as r
    where r.job_id = any (v_run_ids);
  end if;
  delete from app.step_states as s
  where s.run_id = any (v_run_ids);
  delete from app.job_events as e
  where e.run_id = any (v_run_ids);

  return null;
end
$$;

comment on function app.tg_runs__delete_steps() is
  'Deletes the steps of deleted runs, with their saved states and events.';
