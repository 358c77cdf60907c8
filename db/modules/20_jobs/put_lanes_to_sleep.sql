-- app.put_lanes_to_sleep
--
-- Writes      lanes
-- Locks       the lanes, with skip locked: a lane into which another transaction queues steps stays
--             awake
-- Why         the statement after the lock sees every step that was queued before
create or replace function app.put_lanes_to_sleep(lane_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_locked_ids bigint[] := array(
    select l.id
    from app.lanes as l
    where l.id = any (put_lanes_to_sleep.lane_ids)
    for update skip locked
  );
begin
  update app.lanes as l
  set
    wake_at = case
      when t.is_paid and (select s.buying_is_stopped from app.settings as s)
        then app.find_lane_wake(l.id, 0)
      when t.owner_open_limit is not null then app.find_lane_wake(l.id, t.owner_open_limit)
      else coalesce(
        (
          select min(q.run_at)
          from app.job_queue as q
          where q.lane_id = l.id and q.status = 'queued'
        ),
        'infinity'
      )
    end
  from public.job_types as t
  -- Index lookup even on an empty table: ADR 16.
  where l.id = any (v_locked_ids) and t.name = any (array[l.type]);
end
$$;

comment on function app.put_lanes_to_sleep(bigint[]) is
  'Puts lanes to sleep until their next queued step may start, or until a step is queued.';
