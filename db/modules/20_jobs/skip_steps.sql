-- app.skip_steps
--
-- Writes      job_queue, jobs, step_states
-- Locks       none; the caller holds the runs
-- Why         steps below a failed step have never started, because the own work of the failed step
--             was never done; under skip_dependents the same holds for steps that wait for it
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
      -- Index lookup even on an empty table: ADR 16.
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

  with deleted as (
    delete from app.job_queue as q
    where q.job_id = any (v_ids) and q.status = 'blocked'
    returning q.job_id, q.run_id, q.parent_id, q.state
  ),
  -- A step that began before its run was retried may have a state.
  saved as (
    insert into app.step_states as s (job_id, run_id, state)
    select d.job_id, d.run_id, d.state
    from deleted as d
    where d.state is not null
    on conflict on constraint step_states_pkey do update set state = excluded.state
  ),
  -- The parent of a failed step counts down its skipped children here. The failed step itself
  -- counts down later, in app.settle_steps, so no parent reaches 0 here.
  left_over as (
    select d.parent_id, count(*)::integer as children
    from deleted as d
    -- "not in" hashes the ids; "<> all" compares each row with each of them.
    where d.parent_id not in (select unnest(v_ids || skip_steps.failed_ids))
    group by d.parent_id
  )
  update app.job_queue as q
  set open_children = q.open_children - l.children
  from left_over as l
  where q.job_id = any (array[l.parent_id]);

  update public.jobs as j
  set status = 'skipped', finished_at = v_now
  where j.id = any (v_ids) and j.finished_at is null;
  perform app.record_events(v_ids, 'skipped');
end
$$;

comment on function app.skip_steps(bigint[], bigint[]) is
$$Skips all steps below failed steps, and all steps that depend on the steps in skipping_ids.

skipping_ids: the failed steps whose on_failure is skip_dependents.$$;
