-- app.settle_steps
--
-- Called by   app.submit_run, app.apply_results, app.reopen_steps
-- Writes      job_queue, jobs, runs
-- Locks       the caller holds the runs' locks
-- Why         a level is one statement, however many steps it has
create or replace function app.settle_steps(settled_ids bigint[], opened_ids bigint[], emptied_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_settled_ids bigint[] := settle_steps.settled_ids;
  v_opened_ids bigint[] := settle_steps.opened_ids;
  v_completed_ids bigint[] := settle_steps.emptied_ids;
  v_reached_ids bigint[];
  v_queued_ids bigint[] := '{}'::bigint[];
  v_root_ids bigint[];
begin
  loop
    if v_completed_ids <> '{}' then
      perform app.complete_groups(v_completed_ids);
      v_settled_ids := v_settled_ids || v_completed_ids;
    end if;
    exit when v_settled_ids = '{}' and v_opened_ids = '{}';

    with gone as (
      delete from app.job_queue as q
      where q.job_id = any (v_settled_ids)
      returning q.job_id, q.parent_id, q.dependents
    ),
    -- A dependent that waits no longer for one, a child whose parent's own work is done.
    reached as (
      select r.job_id, count(*)::integer as times
      from (
        select unnest(g.dependents) as job_id
        from gone as g
        union all
        select j.id
        from public.jobs as j
        where j.parent_id = any (v_opened_ids)
      ) as r
      group by r.job_id
    ),
    freed as (
      update app.job_queue as q
      set
        waits = q.waits - r.times,
        status = case
          when q.waits > r.times then 'blocked'
          when q.lane_id is not null then 'queued'
          when q.open_children > 0 then 'joining'
          else 'blocked'
        end
      from reached as r
      where q.job_id = any (array[r.job_id]) and q.waits > 0
      returning q.job_id, q.status, q.waits
    ),
    rolled as (
      update app.job_queue as q
      set open_children = q.open_children - c.children
      from (
        select g.parent_id, count(*)::integer as children
        from gone as g
        where g.parent_id is not null
        group by g.parent_id
      ) as c
      where q.job_id = any (array[c.parent_id])
      returning q.job_id, q.open_children, q.status
    )
    select
      coalesce(array_agg(m.job_id) filter (where m.is_what = 'queued'), '{}'),
      coalesce(array_agg(m.job_id) filter (where m.is_what = 'opened'), '{}'),
      coalesce(array_agg(m.job_id) filter (where m.is_what = 'completed'), '{}'),
      array_agg(m.job_id) filter (where m.is_what = 'root')
    into v_reached_ids, v_opened_ids, v_completed_ids, v_root_ids
    from (
      select f.job_id, case f.status when 'queued' then 'queued' when 'joining' then 'opened' else 'completed' end as is_what
      from freed as f
      where f.waits = 0
      union all
      select r.job_id, 'completed'
      from rolled as r
      where r.open_children = 0 and r.status = 'joining'
      union all
      select g.job_id, 'root'
      from gone as g
      where g.parent_id is null
    ) as m;

    v_settled_ids := '{}';
    v_queued_ids := v_queued_ids || v_reached_ids;
    if v_opened_ids <> '{}' then
      update public.jobs as j
      set status = 'joining', started_at = v_now, worked_at = v_now
      where j.id = any (v_opened_ids);
      perform app.record_events(v_opened_ids, 'joining');
    end if;
    if v_root_ids is not null then
      update app.runs as r
      set finished_at = v_now
      where r.id = any (v_root_ids);
    end if;
  end loop;

  return v_queued_ids;
end
$$;

comment on function app.settle_steps(bigint[], bigint[], bigint[]) is
  'Carries on what steps have reached: those that are settled (their dependents go on, their parents count them), whose own '
  'work is done (their children go on), and groups that are complete. Returns the steps that are queued by it; the caller '
  'counts them in their lanes.';

revoke execute on function app.settle_steps(bigint[], bigint[], bigint[]) from public;
