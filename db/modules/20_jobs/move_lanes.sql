-- app.move_lanes
--
-- Called by   every transition but a claim, as the last thing that it locks
-- Writes      lanes
-- Locks       lanes, lowest id first, all at once: what is locked later would be out of order
create or replace function app.move_lanes(
  queued_job_ids bigint[],
  unqueued_lane_ids bigint[] default '{}',
  stopped_lane_ids bigint[] default '{}'
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  with moves as (
    select
      m.lane_id,
      sum(m.queued)::integer as queued,
      sum(m.running)::integer as running,
      min(m.run_at) as run_at
    from (
      select q.lane_id, case q.status when 'queued' then 1 else 0 end as queued, 0 as running, q.run_at
      from app.job_queue as q
      where q.job_id = any (move_lanes.queued_job_ids)
      union all
      select u.lane_id, -1, 0, null
      from unnest(move_lanes.unqueued_lane_ids) as u (lane_id)
      union all
      select s.lane_id, 0, -1, null
      from unnest(move_lanes.stopped_lane_ids) as s (lane_id)
    ) as m
    group by m.lane_id
  ),
  -- In order. Nothing is decided here, and what is added is added to the newest version.
  locked as materialized (
    select l.id
    from app.lanes as l
    where l.id = any (array(select m.lane_id from moves as m))
    order by l.id + 0
    for update
  )
  update app.lanes as l
  set
    queued = l.queued + m.queued,
    running = l.running + m.running,
    wake_at = case when l.queued = 0 then coalesce(m.run_at, l.wake_at) else least(l.wake_at, m.run_at) end
  from locked as k
  join moves as m on m.lane_id = k.id
  where l.id = any (array[k.id]);
end
$$;

comment on function app.move_lanes(bigint[], bigint[], bigint[]) is
  'Counts in the lanes: steps that are queued now, lanes of steps that are not queued any more, and of steps that no '
  'longer run.';

revoke execute on function app.move_lanes(bigint[], bigint[], bigint[]) from public;
