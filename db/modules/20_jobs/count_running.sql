-- app.count_running
create or replace function app.count_running(lane_id bigint)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select count(*)::integer
    from app.job_queue as q
    where q.lane_id = count_running.lane_id and q.status = 'running'
  );
end
$$;

comment on function app.count_running(bigint) is 'Returns how many steps of a lane are running.';
