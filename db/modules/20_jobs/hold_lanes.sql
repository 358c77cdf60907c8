-- app.hold_lanes
--
-- Called by   app.apply_results, when a provider said when to come back
-- Writes      lanes
-- Locks       lanes, lowest id first
create or replace function app.hold_lanes(lane_ids bigint[], until timestamptz[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
begin
  for v_one in
    select u.lane_id, max(u.until) as until
    from unnest(hold_lanes.lane_ids, hold_lanes.until) as u (lane_id, until)
    group by u.lane_id
    order by u.lane_id
  loop
    update app.lanes as l
    set not_before = greatest(l.not_before, v_one.until)
    where l.id = v_one.lane_id;
  end loop;
end
$$;

comment on function app.hold_lanes(bigint[], timestamptz[]) is 'Keeps claims from lanes until their provider takes requests again.';

revoke execute on function app.hold_lanes(bigint[], timestamptz[]) from public;
