-- app.lock_open_steps
--
-- Locks       queued steps, with skip locked; the caller holds their lanes
-- Why         reads steps with a state and steps without by separate conditions, so that it never
--             passes over thousands of steps that may not start. Steps with a state come first,
--             because a provider works on them already
create or replace function app.lock_open_steps(
  lane_ids bigint[],
  takes integer[],
  new_rooms integer[],
  versions integer[]
)
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_one record;
  v_ids bigint[] := '{}'::bigint[];
  v_saved_ids bigint[];
begin
  for v_one in
    select a.lane_id, a.take, a.new_room, a.version
    from unnest(
      lock_open_steps.lane_ids, lock_open_steps.takes, lock_open_steps.new_rooms,
      lock_open_steps.versions
    ) as a (lane_id, take, new_room, version)
    where a.new_room is not null and a.take > 0
  loop
    v_saved_ids := array(
      select q.job_id
      from app.job_queue as q
      where q.lane_id = v_one.lane_id
        and q.status = 'queued'
        and q.state is not null
        and q.run_at <= v_now
        and q.version <= v_one.version
      order by q.priority, q.run_at, q.job_id
      limit v_one.take
      for update skip locked
    );
    v_ids := v_ids || v_saved_ids;
    if v_one.new_room > 0 and v_one.take > cardinality(v_saved_ids) then
      v_ids := v_ids || array(
        select q.job_id
        from app.job_queue as q
        where q.lane_id = v_one.lane_id
          and q.status = 'queued'
          and q.state is null
          and q.run_at <= v_now
          and q.version <= v_one.version
        order by q.priority, q.run_at, q.job_id
        limit least(v_one.new_room, v_one.take - cardinality(v_saved_ids))
        for update skip locked
      );
    end if;
  end loop;

  return v_ids;
end
$$;

comment on function app.lock_open_steps(bigint[], integer[], integer[], integer[]) is
$$Locks the next due steps of lanes with an open limit, for a claim, and returns their ids.

takes: how many steps of each lane to lock. new_rooms: how many of them may have no state; null: the
lane has no such limit and is passed over. versions: as in app.claim_steps.$$;
