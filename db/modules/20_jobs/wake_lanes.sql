-- app.wake_lanes
--
-- Writes      lanes that sleep until later, and those that a provider holds
-- Locks       the steps' lanes, lowest id first, for key share, so that none is put to sleep meanwhile (app.put_lanes_to_sleep); what
--             a lock gives is the newest version. Those that sleep or are held are changed, in the same order
-- Why         a lane that is awake is left alone, so that submitting, completing and claiming never wait for each other
create or replace function app.wake_lanes(
  queued_ids bigint[],
  held_lane_ids bigint[] default '{}',
  held_until timestamptz[] default '{}'
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
begin
  for v_one in
    select l.id, l.wake_at
    from app.lanes as l
    where l.id = any (
      array(select q.lane_id from app.job_queue as q where q.job_id = any (wake_lanes.queued_ids))
        || wake_lanes.held_lane_ids
    )
    order by l.id + 0
    for key share
  loop
    if v_one.wake_at > app.now() or v_one.id = any (wake_lanes.held_lane_ids) then
      update app.lanes as l
      set
        -- least and greatest pass over null.
        wake_at = least(
          l.wake_at,
          (
            select min(q.run_at)
            from app.job_queue as q
            where q.job_id = any (wake_lanes.queued_ids) and q.lane_id = v_one.id
          )
        ),
        not_before = greatest(
          l.not_before,
          (
            select max(h.until)
            from unnest(wake_lanes.held_lane_ids, wake_lanes.held_until) as h (lane_id, until)
            where h.lane_id = v_one.id
          )
        )
      where l.id = v_one.id;
    end if;
  end loop;
end
$$;

comment on function app.wake_lanes(bigint[], bigint[], timestamptz[]) is
  'Has these steps, which are queued now, found by claims when they are due. held_lane_ids, held_until: lanes whose provider '
  'said when to come back.';
