-- app.move_lanes
--
-- Called by   every transition but a claim, as the last thing that it locks
-- Writes      lanes
-- Locks       lanes, lowest id first, one statement each: what is locked later would be out of order
create or replace function app.move_lanes(
  queued_job_ids bigint[],
  unqueued_lane_ids bigint[] default '{}',
  stopped_lane_ids bigint[] default '{}'
)
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_lanes integer := 0;
  v_move record;
begin
  for v_move in
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
      select unnest(move_lanes.unqueued_lane_ids), -1, 0, null
      union all
      select unnest(move_lanes.stopped_lane_ids), 0, -1, null
    ) as m
    group by m.lane_id
    order by m.lane_id
  loop
    -- Nothing is decided here, and what is added is added to the newest version.
    update app.lanes as l
    set
      queued = l.queued + v_move.queued,
      running = l.running + v_move.running,
      wake_at = case
        when l.queued = 0 then coalesce(v_move.run_at, l.wake_at)
        else least(l.wake_at, v_move.run_at)
      end
    where l.id = v_move.lane_id;
    v_lanes := v_lanes + 1;
  end loop;

  return v_lanes;
end
$$;

comment on function app.move_lanes(bigint[], bigint[], bigint[]) is
  'Counts in the lanes: steps that are queued now, lanes of steps that are not queued any more, and of steps that no '
  'longer run. Returns how many lanes that were.';

revoke execute on function app.move_lanes(bigint[], bigint[], bigint[]) from public;
