-- app.start_steps
--
-- Writes      job_queue, jobs; the rows that app.settle_steps writes
-- Locks       none; the caller holds the run
create or replace function app.start_steps(
  run_id bigint,
  out queued_ids bigint[],
  out ended_ids bigint[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_queued_ids bigint[];
  v_opened_ids bigint[];
  v_completed_ids bigint[];
begin
  with started as (
    update app.job_queue as q
    set
      status = case
        when q.lane_id is not null then 'queued'
        when q.open_children > 0 then 'joining'
        else 'blocked'
      end
    where q.run_id = start_steps.run_id and q.status = 'blocked' and q.waits = 0
    returning q.job_id, q.status
  )
  select
    coalesce(array_agg(s.job_id) filter (where s.status = 'queued'), '{}'),
    coalesce(array_agg(s.job_id) filter (where s.status = 'joining'), '{}'),
    coalesce(array_agg(s.job_id) filter (where s.status = 'blocked'), '{}')
  into v_queued_ids, v_opened_ids, v_completed_ids
  from started as s;

  -- Reopened steps whose own work is done and whose children are all settled.
  v_completed_ids := v_completed_ids || array(
    select q.job_id
    from app.job_queue as q
    where q.run_id = start_steps.run_id
      and q.status = 'joining'
      and q.open_children = 0
  );
  update public.jobs as j
  set status = 'joining', started_at = v_now, worked_at = v_now
  where j.id = any (v_opened_ids);
  update public.jobs as j
  set status = 'queued'
  where j.id = any (v_queued_ids);

  select v_queued_ids || s.queued_ids, s.ended_ids
  into queued_ids, ended_ids
  from app.settle_steps('{}', v_opened_ids, v_completed_ids) as s;
end
$$;

comment on function app.start_steps(bigint) is
$$Queues the steps of a reopened run that wait for nothing.

Returns queued_ids and ended_ids as app.settle_steps does.$$;
