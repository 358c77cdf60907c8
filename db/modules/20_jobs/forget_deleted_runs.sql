-- app.forget_deleted_runs
--
-- Writes      runs of public; run_changes
-- Locks       rows of public.runs, with skip locked. The caller holds the lock of the sweep
create or replace function app.forget_deleted_runs(run_ids bigint[], last_change_id bigint)
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_deleted_ids bigint[];
  v_deleted integer;
begin
  v_deleted_ids := array(
    select c.id
    from unnest(forget_deleted_runs.run_ids) as c (id)
    where not exists (
      select
      from app.runs as a
      -- Index lookup even on an empty table, here and below: ADR 16.
      where a.id = any (array[c.id])
      offset 0
    )
  );
  if v_deleted_ids = '{}' then
    return 0;
  end if;

  delete from public.runs as r
  where r.job_id = any (
    array(
      select s.job_id
      from public.runs as s
      where s.job_id = any (v_deleted_ids)
      limit 300
      for update skip locked
    )
  );
  get diagnostics v_deleted = row_count;
  -- Deletes all these changes at once, because a long list of them would hide the changes of other
  -- runs. Needs two index lookups per change, because a comparison with 20,000 ids takes seconds.
  delete from app.run_changes as c
  where c.id <= forget_deleted_runs.last_change_id
    and not exists (
      select
      from app.runs as a
      where a.id = any (array[c.run_id])
      offset 0
    )
    and not exists (
      select
      from public.runs as r
      where r.job_id = any (array[c.run_id])
      offset 0
    );

  return v_deleted;
end
$$;

comment on function app.forget_deleted_runs(bigint[], bigint) is
$$Deletes up to 300 rows of public.runs that app.tg_runs__delete_steps left, and the changes of
deleted runs. Returns the number of deleted rows of public.runs.

run_ids: the runs that have changed. last_change_id: the last change that the caller has read.$$;
