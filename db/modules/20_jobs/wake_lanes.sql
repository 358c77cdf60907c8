-- app.wake_lanes
--
-- Writes      lanes that sleep, and lanes whose provider named a delay
-- Locks       the lanes of the steps, lowest id first, for key share, so that
--             app.put_lanes_to_sleep passes over them. Updates lanes in the same order
-- Why         does not write lanes that are awake, so that submitting, completing and claiming
--             never wait for each other
create or replace function app.wake_lanes(
  queued_ids bigint[],
  held_lane_ids bigint[] default '{}',
  held_until timestamptz[] default '{}',
  held_kinds text[] default '{}',
  held_reasons text[] default '{}',
  freed_lane_ids bigint[] default '{}'
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
        || wake_lanes.freed_lane_ids
    )
    -- "+ 0" keeps the planner from reading the primary key from end to end: ADR 16.
    order by l.id + 0
    for key share
  loop
    if v_one.wake_at > app.now() then
      update app.lanes as l
      set
        -- least ignores null.
        wake_at = least(
          l.wake_at,
          (
            select min(q.run_at)
            from app.job_queue as q
            where q.job_id = any (wake_lanes.queued_ids) and q.lane_id = v_one.id
          ),
          -- A lane sleeps until infinity if it has no queued step.
          case
            when v_one.id = any (wake_lanes.freed_lane_ids) and l.wake_at < 'infinity'
              then app.now()
          end
        )
      where l.id = v_one.id;
    end if;
    if v_one.id = any (wake_lanes.held_lane_ids) then
      update app.lanes as l
      set not_before = h.until, hold_kind = h.kind, hold_reason = h.reason
      from unnest(
        wake_lanes.held_lane_ids, wake_lanes.held_until, wake_lanes.held_kinds,
        wake_lanes.held_reasons
      ) as h (lane_id, until, kind, reason)
      where l.id = v_one.id
        and h.lane_id = v_one.id
        and h.until > l.not_before
        and h.until = (
          select max(m.until)
          from unnest(wake_lanes.held_lane_ids, wake_lanes.held_until) as m (lane_id, until)
          where m.lane_id = v_one.id
        );
    end if;
  end loop;
end
$$;

comment on function app.wake_lanes(
  bigint[], bigint[], timestamptz[], text[], text[], bigint[]
) is
$$Wakes the lanes of queued steps, so that claims find the steps when they are due.

held_lane_ids, held_until, held_kinds, held_reasons: lanes in which no step starts before a time,
and why; see app.lanes. The longest hold of a lane counts. freed_lane_ids: lanes with a limit of
open steps in which an open step ended.$$;
