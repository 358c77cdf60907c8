-- Everybody may read the job types; users may read their own runs, and their own jobs except input
-- and output. The API writes none of these tables.

revoke all on public.job_types, public.jobs, public.runs from anon, authenticated, service_role;

-- Every column, so that select('*') works: limits, timeouts and rates of a type are no secrets, and
-- rate_spent_until only has the time from which the provider accepts requests.
grant select (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  running_limit, owner_running_limit, rate_limit, rate_window, rate_spent_until, max_output_bytes,
  max_losses, version, max_input_bytes, owner_open_limit, max_turns, is_paid
) on public.job_types to anon, authenticated;
grant select on public.job_types to service_role;

drop policy if exists select_all on public.job_types;
create policy select_all on public.job_types
  for select
  to anon, authenticated
  using (true);

-- Without input and output, because they hold prompts.
grant select (
  id, root_id, parent_id, owner_id, key, type, status, progress, created_at, started_at,
  finished_at, error_slug, error_message
) on public.jobs to authenticated;
grant select on public.jobs to service_role;

drop policy if exists select_own on public.jobs;
create policy select_own on public.jobs
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

-- The columns are listed, because Realtime sends each granted column.
grant select (
  id, job_id, owner_id, type, label, status, progress, steps_done, steps_failed, steps_open,
  created_at, updated_at
) on public.runs to authenticated;
grant select on public.runs to service_role;

drop policy if exists select_own on public.runs;
create policy select_own on public.runs
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

revoke all
  on sequence
    public.jobs_id_seq, app.lanes_id_seq, app.job_events_id_seq, app.run_changes_id_seq,
    app.step_fences
  from anon, authenticated, service_role;

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('job_types', 'Operators change job types.'),
  ('jobs', 'Call cancel_job or retry_job with the id of the root.'),
  ('runs', 'Call cancel_job or retry_job with the job_id of the run.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
