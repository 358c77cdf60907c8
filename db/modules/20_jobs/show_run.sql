-- app.show_run
--
-- Writes      the run's row of public.runs
-- Locks       this row, with skip locked, after all other locks of the transaction. The caller
--             holds the run
-- Why         a client that cancels or retries a run reads public.runs next, and would read the
--             status of before until a worker sweeps. If a sweep has the row at the moment, the
--             next sweep writes it
create or replace function app.show_run(run_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform
  from public.runs as r
  where r.job_id = show_run.run_id
  for update skip locked;
  if found then
    perform app.count_run_steps(array[show_run.run_id]);
  end if;
end
$$;

comment on function app.show_run(bigint) is
  'Writes the status, progress and counts of a run to public.runs at once.';
