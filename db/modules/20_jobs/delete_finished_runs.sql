-- app.delete_finished_runs
--
-- Called by   schedule delete-finished-runs
-- Writes      runs, and by trigger their steps
-- Locks       runs, passing over those that somebody holds, such as one who retries
create or replace function app.delete_finished_runs()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  set enable_seqscan = off
as $$
declare
  v_run_ids bigint[];
begin
  -- As many as have some thousand steps together: a batch takes about a second.
  v_run_ids := array(
    select b.id
    from (
      select l.id, sum(l.steps) over (order by l.finished_at, l.id) - l.steps as before
      from (
        select r.id, r.finished_at, r.steps
        from app.runs as r
        where r.finished_at < app.now() - (select s.job_retention from app.settings as s)
        order by r.finished_at
        limit 5000
        for update skip locked
      ) as l
    ) as b
    where b.before < 5000
  );
  delete from app.runs as r
  where r.id = any (v_run_ids);

  return cardinality(v_run_ids);
end
$$;

comment on function app.delete_finished_runs() is
  'Deletes runs that were finished longer ago than app.settings.job_retention, with their steps; some thousand steps at a time.';
