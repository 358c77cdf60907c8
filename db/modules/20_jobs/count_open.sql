-- app.count_open
--
-- Why         reads two small indexes, because the lane may have thousands of queued steps without
--             a state. up_to bounds the number of rows it reads
create or replace function app.count_open(lane_id bigint, up_to integer)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return app.count_running(count_open.lane_id) + (
    select count(*)
    from (
      select
      from app.job_queue as q
      where q.lane_id = count_open.lane_id and q.status = 'queued' and q.state is not null
      limit count_open.up_to
    ) as s
  )::integer;
end
$$;

comment on function app.count_open(bigint, integer) is
$$Returns how many steps of a lane are open: running, or queued with a saved state.

A running step counts even without a state, because it may save one at its end. up_to: more queued
steps than this are not counted.$$;
