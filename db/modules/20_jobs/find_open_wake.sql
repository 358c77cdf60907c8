-- app.find_open_wake
create or replace function app.find_open_wake(
  lane_id bigint,
  wake_at timestamptz,
  open_limit integer
)
  returns timestamptz
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if app.count_open(find_open_wake.lane_id, find_open_wake.open_limit)
    < find_open_wake.open_limit
  then
    return find_open_wake.wake_at;
  end if;

  return (
    select min(q.run_at)
    from app.job_queue as q
    where q.lane_id = find_open_wake.lane_id and q.status = 'queued' and q.state is not null
  );
end
$$;

comment on function app.find_open_wake(bigint, timestamptz, integer) is
$$Returns when the next step of a lane with an open limit may start.

wake_at: the lane's. At the limit only steps with a saved state may start. Null: none is queued.$$;
