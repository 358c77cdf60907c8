-- app.wake_lanes
--
-- Called by   whatever queues steps, when they are queued
-- Writes      lanes that sleep until later
-- Locks       the steps' lanes for key share, so that none is put to sleep meanwhile (app.rest_lanes): the statement after it
--             sees the newest. Those that sleep, lowest id first
-- Why         a lane that is awake is left alone, so that submitting, completing and claiming never wait for each other
create or replace function app.wake_lanes(queued_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
begin
  perform
  from app.lanes as l
  where l.id = any (array(select q.lane_id from app.job_queue as q where q.job_id = any (wake_lanes.queued_ids)))
  for key share;

  for v_one in
    select l.id, w.run_at
    from (
      select q.lane_id, min(q.run_at) as run_at
      from app.job_queue as q
      where q.job_id = any (wake_lanes.queued_ids)
      group by q.lane_id
    ) as w
    join app.lanes as l on l.id = any (array[w.lane_id])
    where l.wake_at > w.run_at
    order by l.id
  loop
    update app.lanes as l
    set wake_at = least(l.wake_at, v_one.run_at)
    where l.id = v_one.id;
  end loop;
end
$$;

comment on function app.wake_lanes(bigint[]) is 'Has these steps, which are queued now, found by claims when they are due.';

revoke execute on function app.wake_lanes(bigint[]) from public;
