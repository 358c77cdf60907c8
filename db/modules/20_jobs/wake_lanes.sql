-- app.wake_lanes
--
-- Called by   whatever queues steps, when they are queued
-- Writes      lanes that sleep until later
-- Locks       the steps' lanes, lowest id first, for key share, so that none is put to sleep meanwhile (app.rest_lanes); what
--             a lock gives is the newest version. Those that sleep are changed
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
  for v_one in
    select l.id, l.wake_at
    from app.lanes as l
    where l.id = any (array(select q.lane_id from app.job_queue as q where q.job_id = any (wake_lanes.queued_ids)))
    order by l.id + 0
    for key share
  loop
    if v_one.wake_at > app.now() then
      update app.lanes as l
      set
        wake_at = least(
          l.wake_at,
          (
            select min(q.run_at)
            from app.job_queue as q
            where q.job_id = any (wake_lanes.queued_ids) and q.lane_id = v_one.id
          )
        )
      where l.id = v_one.id;
    end if;
  end loop;
end
$$;

comment on function app.wake_lanes(bigint[]) is 'Has these steps, which are queued now, found by claims when they are due.';

revoke execute on function app.wake_lanes(bigint[]) from public;
