-- app.settle_steps
--
-- Writes      job_queue, jobs, runs
-- Locks       none; the caller holds the runs
-- Why         processes a run level by level, with three statements per level for any number of
--             steps. A single statement for all levels is slower. Parents count down only when no
--             other step is left to process, because a transaction that updates a row once per
--             level reads all earlier versions of this row each time
create or replace function app.settle_steps(
  settled_ids bigint[],
  opened_ids bigint[],
  emptied_ids bigint[],
  out queued_ids bigint[],
  out ended_ids bigint[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_settled_ids bigint[] := settle_steps.settled_ids;
  v_opened_ids bigint[] := settle_steps.opened_ids;
  v_completed_ids bigint[] := settle_steps.emptied_ids;
  v_waiting_ids bigint[];
  v_parent_ids bigint[] := '{}'::bigint[];
  v_root_ids bigint[];
  v_counted record;
  v_one record;
begin
  queued_ids := '{}';
  ended_ids := '{}';
  loop
    if v_completed_ids <> '{}' then
      perform app.complete_joined_steps(v_completed_ids);
      v_settled_ids := v_settled_ids || v_completed_ids;
    end if;
    exit when v_settled_ids = '{}' and v_opened_ids = '{}';

    -- Collects the steps that waited: dependents of settled steps, and children of opened steps.
    v_waiting_ids := '{}';
    v_root_ids := '{}';
    for v_one in
      delete from app.job_queue as q
      where q.job_id = any (v_settled_ids)
      returning q.job_id, q.parent_id, q.dependents
    loop
      v_waiting_ids := v_waiting_ids || v_one.dependents;
      if v_one.parent_id is null then
        v_root_ids := v_root_ids || v_one.job_id;
      else
        v_parent_ids := v_parent_ids || v_one.parent_id;
      end if;
    end loop;
    if v_opened_ids <> '{}' then
      v_waiting_ids := v_waiting_ids
        || array(select j.id from public.jobs as j where j.parent_id = any (v_opened_ids));
    end if;
    v_settled_ids := '{}';
    v_opened_ids := '{}';
    v_completed_ids := '{}';

    if v_waiting_ids <> '{}' then
      v_counted := app.count_ids(v_waiting_ids);
      for v_one in
        update app.job_queue as q
        set
          waits = q.waits - w.times,
          status = case
            when q.waits > w.times then 'blocked'
            when q.lane_id is not null then 'queued'
            when q.open_children > 0 then 'joining'
            else 'blocked'
          end
        from (select unnest(v_counted.ids) as id, unnest(v_counted.times) as times) as w
        -- Index lookup even on an empty table: ADR 16.
        where q.job_id = any (array[w.id]) and q.waits > 0
        returning q.job_id, q.waits, q.status
      loop
        continue when v_one.waits > 0;
        if v_one.status = 'queued' then
          queued_ids := queued_ids || v_one.job_id;
        elsif v_one.status = 'joining' then
          v_opened_ids := v_opened_ids || v_one.job_id;
        else
          v_completed_ids := v_completed_ids || v_one.job_id;
        end if;
      end loop;
    end if;
    if v_parent_ids <> '{}' and v_opened_ids = '{}' and v_completed_ids = '{}' then
      v_counted := app.count_ids(v_parent_ids);
      v_parent_ids := '{}';
      for v_one in
        update app.job_queue as q
        set open_children = q.open_children - c.times
        from (select unnest(v_counted.ids) as id, unnest(v_counted.times) as times) as c
        where q.job_id = any (array[c.id])
        returning q.job_id, q.open_children, q.status
      loop
        if v_one.open_children = 0 and v_one.status = 'joining' then
          v_completed_ids := v_completed_ids || v_one.job_id;
        end if;
      end loop;
    end if;

    if v_opened_ids <> '{}' then
      update public.jobs as j
      set status = 'joining', started_at = app.now(), worked_at = app.now()
      where j.id = any (v_opened_ids);
      perform app.record_events(v_opened_ids, 'joining');
    end if;
    if v_root_ids <> '{}' then
      update app.runs as r
      set finished_at = app.now()
      where r.id = any (v_root_ids);
      ended_ids := ended_ids || v_root_ids;
    end if;
  end loop;
end
$$;

comment on function app.settle_steps(bigint[], bigint[], bigint[]) is
$$Queues or completes every step that waited only for these steps.

settled_ids: steps that are settled: their dependents and parents wait for one step less.
opened_ids: steps whose own work is done, so their children no longer wait for this work.
emptied_ids: steps that are complete, because they have no open children.
Returns queued_ids: steps that were queued; the caller wakes their lanes. ended_ids: roots whose run
completed; the caller passes them to app.run_callbacks.$$;
