-- app.finish_work
--
-- Writes      jobs; job_queue, for steps with children
-- Locks       none; the caller holds the runs
create or replace function app.finish_work(
  job_ids bigint[],
  outputs jsonb[],
  bytes integer[],
  since timestamptz[],
  children integer[]
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_joining_ids bigint[];
begin
  update public.jobs as j
  set
    status = case when d.children > 0 then 'joining' else 'completed' end,
    progress = case when d.children > 0 then j.progress else 1 end,
    output = d.output,
    output_bytes = d.bytes,
    started_at = coalesce(j.started_at, d.since),
    worked_at = v_now,
    finished_at = case when d.children > 0 then null else v_now end,
    error_slug = null,
    error_message = null
  from (
    select
      unnest(finish_work.job_ids) as id,
      unnest(finish_work.outputs) as output,
      unnest(finish_work.bytes) as bytes,
      unnest(finish_work.since) as since,
      unnest(finish_work.children) as children
  ) as d
  -- Index lookup even on an empty table: ADR 16.
  where j.id = any (array[d.id]);
  if 0 = all (finish_work.children) then
    perform app.record_events(finish_work.job_ids, 'completed');
    return;
  end if;

  update app.job_queue as q
  set
    status = 'joining',
    open_children = d.children,
    worker_id = null,
    claimed_at = null,
    state = null
  from unnest(finish_work.job_ids, finish_work.children) as d (id, children)
  where q.job_id = any (array[d.id]) and d.children > 0;
  v_joining_ids := array(
    select d.id
    from unnest(finish_work.job_ids, finish_work.children) as d (id, children)
    where d.children > 0
  );
  perform app.record_events(v_joining_ids, 'joining');
  perform app.record_events(
    array(select unnest(finish_work.job_ids) except select unnest(v_joining_ids)), 'completed'
  );
end
$$;

comment on function app.finish_work(bigint[], jsonb[], integer[], timestamptz[], integer[]) is
$$Stores the outputs of steps whose own work is done. Steps without children are completed; the
others join their children.

bytes: the sizes of the outputs. since: when each step was claimed. children: how many open children
each step has.$$;
