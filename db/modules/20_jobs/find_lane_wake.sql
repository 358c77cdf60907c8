-- app.find_lane_wake
--
-- Why         reads only steps with a state from a lane at its open limit, because the lane may
--             have thousands of steps that may not start. Such a lane wakes at least every five
--             seconds, so that no path on which an open step ends has to wake the lane
create or replace function app.find_lane_wake(lane_id bigint, open_limit integer)
  returns timestamptz
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if app.count_open(find_lane_wake.lane_id, find_lane_wake.open_limit)
    >= find_lane_wake.open_limit
  then
    return least(
      (
        select min(q.run_at)
        from app.job_queue as q
        where q.lane_id = find_lane_wake.lane_id and q.status = 'queued' and q.state is not null
      ),
      app.now() + interval '5 seconds'
    );
  end if;

  return coalesce(
    (
      select min(q.run_at)
      from app.job_queue as q
      where q.lane_id = find_lane_wake.lane_id and q.status = 'queued'
    ),
    'infinity'
  );
end
$$;

comment on function app.find_lane_wake(bigint, integer) is
$$Returns when the next step of a lane with a limit of open steps may start, after a claim has
started as many of its steps as it may. Infinity: no step is queued.$$;
