-- app.show_run
--
-- Writes      the run's row of public.runs
-- Locks       this row, with skip locked, after all other locks of the transaction. The caller
--             holds the run
-- Why         a client that cancels or retries a run reads public.runs next. Without this function,
--             the client would read the old status until the next sweep. If a sweep has locked the
--             row, the next sweep writes the row
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
