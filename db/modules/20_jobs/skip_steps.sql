-- app.skip_steps
--
-- Writes      job_queue, jobs
-- Locks       the caller holds the runs' locks
-- Why         what stands below a failed step was never started, since its own work was never done; nor was, under
--             skip_dependents, what waits for it
create or replace function app.skip_steps(failed_ids bigint[], skipping_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_ids bigint[];
begin
  with recursive doomed as (
    select d.id
    from (
      select unnest(q.dependents) as id
      from app.job_queue as q
      where q.job_id = any (skip_steps.skipping_ids)
      union
      select j.id
      from public.jobs as j
      where j.parent_id = any (skip_steps.failed_ids)
    ) as d
    union
    select n.id
    from doomed as d
    cross join lateral (
      select unnest(q.dependents) as id
      from app.job_queue as q
      where q.job_id = any (array[d.id])
      union all
      select j.id
      from public.jobs as j
      where j.parent_id = any (array[d.id])
    ) as n
  )
  select array_agg(d.id) into v_ids
  from doomed as d;

  if skip_steps.skipping_ids <> '{}' then
    update app.job_queue as q
    set dependents = null
    where q.job_id = any (skip_steps.skipping_ids);
  end if;
  if v_ids is null then
    return;
  end if;

  with gone as (
    delete from app.job_queue as q
    where q.job_id = any (v_ids) and q.status = 'blocked'
    returning q.job_id, q.parent_id
  ),
  -- The parent of what failed counts down what is skipped beside it; the failed one itself follows, so none reaches 0 here.
  left_over as (
    select g.parent_id, count(*)::integer as children
    from gone as g
    group by g.parent_id
  )
  update app.job_queue as q
  set open_children = q.open_children - l.children
  from left_over as l
  where q.job_id = any (array[l.parent_id]) and q.job_id <> all (v_ids) and q.job_id <> all (skip_steps.failed_ids);

  update public.jobs as j
  set status = 'skipped', finished_at = v_now
  where j.id = any (v_ids) and j.finished_at is null;
  perform app.record_events(v_ids, 'skipped');
end
$$;

comment on function app.skip_steps(bigint[], bigint[]) is
  'Skips what stands below failed steps and, for those of them that skip their dependents, what waits for them, all the way.';
