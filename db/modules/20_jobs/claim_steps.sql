-- app.claim_steps
--
-- Writes      job_queue, lanes, job_types.rate_spent_until
-- Locks       job_types and lanes that have limits, job_queue, lanes: each with skip locked, so
--             that a claim never waits
-- Why         serves lanes in turn: the 10,000 steps of one owner are one lane, like the single
--             step of another owner. Claims from lanes without a limit lock no lane, so any number
--             of workers claims from a lane at the same time
create or replace function app.claim_steps(worker_id uuid, want integer, wanted_types text[])
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  -- The time of this moment, because the transaction may have waited for a run since it began.
  v_claimed_at timestamptz := app.clock();
  v_left integer := least(claim_steps.want, 1000);
  v_page integer;
  v_lanes integer;
  v_lanes_seen integer := 0;
  v_has_more boolean;
  v_is_limited boolean;
  v_after_at timestamptz := '-infinity'::timestamptz;
  v_after_id bigint := 0::bigint;
  v_active integer;
  v_share integer;
  v_take integer;
  v_at integer;
  v_limits record;
  v_one record;
  v_lane_ids bigint[];
  v_lane_types text[];
  v_lane_versions integer[];
  v_owner_limits integer[];
  v_open_limits integer[];
  v_versions jsonb := (
    select w.versions from app.workers as w where w.id = claim_steps.worker_id
  );
  v_is_open_limited boolean;
  v_owner record;
  v_rooms integer[];
  v_new_rooms integer[];
  v_plain_takes integer[];
  v_open_ids bigint[];
  v_takes integer[];
  v_taken integer[];
  v_short_ids bigint[] := '{}'::bigint[];
  v_ids bigint[] := '{}'::bigint[];
  v_taken_ids bigint[] := '{}'::bigint[];
begin
  v_limits := app.lock_type_limits();

  -- Reads as many lanes as steps are wanted. If the lanes have fewer steps, reads the next lanes.
  for v_turn in 1 .. 10 loop
    v_page := v_left;
    v_lanes := 0;
    v_has_more := false;
    v_is_limited := false;
    v_lane_ids := '{}';
    v_lane_types := '{}';
    v_lane_versions := '{}';
    v_owner_limits := '{}';
    v_open_limits := '{}';
    v_is_open_limited := false;
    for v_one in
      select
        l.id, l.type, l.served_at, t.owner_running_limit,
        case when t.is_paid and (select s.buying_is_stopped from app.settings as s) then 0
          else t.owner_open_limit
        end as open_limit
      from app.lanes as l
      -- Index lookup even on an empty table: ADR 16.
      join public.job_types as t on t.name = any (array[l.type])
      where l.wake_at < 'infinity'
        and l.wake_at <= v_now
        and l.not_before <= v_now
        and (l.served_at, l.id) > (v_after_at, v_after_id)
        and (claim_steps.wanted_types is null or l.type = any (claim_steps.wanted_types))
        and (v_limits.closed_types is null or l.type <> all (v_limits.closed_types))
        and (t.owner_running_limit is null or app.count_running(l.id) < t.owner_running_limit)
      order by l.served_at, l.id
      limit v_page + 1
    loop
      v_lanes_seen := v_lanes_seen + 1;
      v_has_more := v_lanes = v_page;
      exit when v_has_more;
      v_lanes := v_lanes + 1;
      v_lane_ids := v_lane_ids || v_one.id;
      v_lane_types := v_lane_types || v_one.type;
      -- A worker that announced no version of a type knows version 1.
      v_lane_versions := v_lane_versions
        || coalesce((v_versions ->> v_one.type)::integer, 1);
      v_owner_limits := v_owner_limits || v_one.owner_running_limit;
      v_open_limits := v_open_limits || v_one.open_limit;
      v_is_open_limited := v_is_open_limited or v_one.open_limit is not null;
      v_is_limited := v_is_limited
        or v_one.owner_running_limit is not null
        or v_one.open_limit is not null;
      v_after_at := v_one.served_at;
      v_after_id := v_one.id;
    end loop;
    exit when v_lanes = 0;
    if v_is_limited then
      v_owner := app.lock_owner_limits(v_lane_ids, v_owner_limits, v_open_limits);
      v_rooms := v_owner.rooms;
      v_new_rooms := v_owner.new_rooms;
    else
      v_rooms := array_fill(v_left, array[v_lanes]);
    end if;

    -- In rounds: an equal share from each lane. The next round gives what is left to lanes with
    -- more.
    v_active := v_lanes;
    while v_active > 0 and v_left > 0 loop
      v_share := greatest(1, v_left / v_active);
      v_takes := array_fill(0, array[v_lanes]);
      v_taken := v_takes;
      for v_lane in 1 .. v_lanes loop
        v_take := least(v_share, v_left, v_rooms[v_lane]);
        v_at := array_position(v_limits.types, v_lane_types[v_lane]);
        if v_at is not null then
          v_take := least(v_take, v_limits.rooms[v_at]);
          v_limits.rooms[v_at] := v_limits.rooms[v_at] - v_take;
        end if;
        v_takes[v_lane] := v_take;
        v_left := v_left - v_take;
      end loop;
      v_plain_takes := v_takes;
      v_open_ids := '{}';
      if v_is_open_limited then
        v_open_ids := app.lock_open_steps(v_lane_ids, v_takes, v_new_rooms, v_lane_versions);
        for v_lane in 1 .. v_lanes loop
          if v_new_rooms[v_lane] is not null then
            v_plain_takes[v_lane] := 0;
          end if;
        end loop;
      end if;

      for v_one in
        update app.job_queue as q
        set
          status = 'running',
          fence = nextval('app.step_fences'),
          worker_id = claim_steps.worker_id,
          claimed_at = v_claimed_at
        where q.job_id = any (
          array(
            select p.job_id
            from (
              select
                unnest(v_lane_ids) as lane_id,
                unnest(v_plain_takes) as take,
                unnest(v_lane_versions) as version
            ) as a
            cross join lateral (
              select r.job_id
              from app.job_queue as r
              where r.lane_id = a.lane_id
                and r.status = 'queued'
                and r.run_at <= v_now
                and r.version <= a.version
              order by r.priority, r.run_at, r.job_id
              limit a.take
              for update skip locked
            ) as p
          ) || v_open_ids
        )
        -- Not the state itself, which may have 1 MiB.
        returning q.job_id, q.lane_id, q.state is null as is_new
      loop
        v_at := array_position(v_lane_ids, v_one.lane_id);
        v_taken[v_at] := v_taken[v_at] + 1;
        v_ids := v_ids || v_one.job_id;
        v_taken_ids := v_taken_ids || v_one.lane_id;
        if v_is_open_limited and v_one.is_new then
          v_new_rooms[v_at] := v_new_rooms[v_at] - 1;
        end if;
      end loop;

      v_active := 0;
      for v_lane in 1 .. v_lanes loop
        if v_taken[v_lane] < v_takes[v_lane] then
          v_short_ids := v_short_ids || v_lane_ids[v_lane];
          v_rooms[v_lane] := 0;
          v_left := v_left + v_takes[v_lane] - v_taken[v_lane];
          v_at := array_position(v_limits.types, v_lane_types[v_lane]);
          if v_at is not null then
            v_limits.rooms[v_at] := v_limits.rooms[v_at] + v_takes[v_lane] - v_taken[v_lane];
          end if;
        elsif v_takes[v_lane] = 0 then
          v_rooms[v_lane] := 0;
        else
          v_rooms[v_lane] := v_rooms[v_lane] - v_takes[v_lane];
          v_active := v_active + case when v_rooms[v_lane] > 0 then 1 else 0 end;
        end if;
      end loop;
    end loop;
    exit when v_left = 0 or not v_has_more;
  end loop;

  -- A lane that is alone keeps its turn and stays awake while it has steps, because a chain would
  -- otherwise write the lane at each step.
  if v_lanes_seen > 1 then
    update app.lanes as l
    set served_at = clock_timestamp()
    where l.id = any (
      array(
        select o.id
        from app.lanes as o
        where o.id = any (v_taken_ids || v_short_ids)
        for no key update skip locked
      )
    );
  end if;
  if v_short_ids <> '{}' and (v_lanes_seen > 1 or v_ids = '{}') then
    perform app.put_lanes_to_sleep(v_short_ids);
  end if;
  if v_ids = '{}' then
    return '[]'::jsonb;
  end if;

  if v_limits.types is not null then
    perform app.spend_type_rates(v_limits.types, v_taken_ids);
  end if;
  perform app.record_events(v_ids, 'running');

  return app.describe_steps(v_ids);
end
$$;

comment on function app.claim_steps(uuid, integer, text[]) is
$$Claims up to want ready steps for a worker, and returns them as worker.exchange_work describes
them.

wanted_types: the types that the worker has handlers for; null: every type.$$;
