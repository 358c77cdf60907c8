-- app.release_lane
--
-- Called by   operators, as postgres
-- Writes      lanes; the queue: a pump
-- Errors      PT404 lane_not_found
-- Idempotent  a lane without a hold stays as it is
-- Locks       the lane
create or replace function app.release_lane(owner_id uuid, type text)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_lane_id bigint;
  v_is_held boolean;
begin
  select l.id, l.not_before > app.now()
  into v_lane_id, v_is_held
  from app.lanes as l
  where l.owner_id is not distinct from release_lane.owner_id and l.type = release_lane.type
  for no key update;
  if v_lane_id is null then
    perform app.fail(
      404,
      'lane_not_found',
      'This owner has no lane of this type.',
      'See app.lanes for the lanes. Pass null as owner for work without an owner.'
    );
  end if;

  update app.lanes as l
  set not_before = '-infinity', hold_kind = null, hold_reason = null
  where l.id = v_lane_id;
  perform app.enqueue_pump();

  return v_is_held;
end
$$;

comment on function app.release_lane(uuid, text) is
$$Lifts the hold of a lane at once: a delay that a provider named, or a spent day.

owner_id: null for work without an owner. Returns whether the lane was held. A provider that still
refuses requests holds the lane again.
404 lane_not_found. Only for postgres, for example in psql.$$;
