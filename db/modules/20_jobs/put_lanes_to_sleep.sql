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
    wake_at = coalesce(
      (
        select min(q.run_at)
        from app.job_queue as q
        where q.lane_id = l.id and q.status = 'queued'
      ),
      'infinity'
    )
  where l.id = any (v_locked_ids);
end
$$;

comment on function app.put_lanes_to_sleep(bigint[]) is
  'Puts lanes to sleep until their next queued step is due, or until a step is queued.';
