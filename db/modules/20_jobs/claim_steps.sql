-- app.claim_steps
--
-- Called by   worker.exchange_steps, after the results
-- Writes      job_queue, lanes, job_types (what of a rate is spent)
-- Locks       job_types, lanes, job_queue: each with skip locked, so it waits for nobody
-- Why         lanes are served in turn: one owner's ten thousand steps are one lane beside another's single step. A type's
--             own limits are judged under the lock of the type's row, in the statement after it.
create or replace function app.claim_steps(worker_id uuid, want integer)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_left integer := least(claim_steps.want, 1000);
  v_active integer := 0;
  v_share integer;
  v_take integer;
  v_at integer;
  v_limits record;
  v_one record;
  v_lane_ids bigint[] := '{}'::bigint[];
  v_lane_types text[] := '{}'::text[];
  v_lane_rooms integer[] := '{}'::integer[];
  v_takes integer[] := '{}'::integer[];
  v_taken integer[];
  v_wakes timestamptz[];
  v_ids bigint[] := '{}'::bigint[];
  v_taken_ids bigint[] := '{}'::bigint[];
begin
  v_limits := app.lock_type_limits();

  for v_one in
    select l.id, l.type, least(l.queued, coalesce(t.owner_running_limit - l.running, l.queued)) as room
    from app.lanes as l
    join public.job_types as t on t.name = any (array[l.type])
    where l.queued > 0
      and l.wake_at <= v_now
      and l.not_before <= v_now
      and (t.owner_running_limit is null or l.running < t.owner_running_limit)
      and (v_limits.closed_types is null or l.type <> all (v_limits.closed_types))
    order by l.served_at, l.id
    limit v_left
    for update of l skip locked
  loop
    v_active := v_active + 1;
    v_lane_ids := v_lane_ids || v_one.id;
    v_lane_types := v_lane_types || v_one.type;
    v_lane_rooms := v_lane_rooms || v_one.room;
    v_takes := v_takes || 0;
  end loop;
  if v_active = 0 then
    return '[]'::jsonb;
  end if;

  -- In rounds: to each lane an equal share, and what some leave goes to the others.
  while v_active > 0 and v_left > 0 loop
    v_share := greatest(1, v_left / v_active);
    v_active := 0;
    for v_lane in 1 .. cardinality(v_lane_ids) loop
      v_take := least(v_share, v_left, v_lane_rooms[v_lane]);
      v_at := array_position(v_limits.types, v_lane_types[v_lane]);
      if v_at is not null then
        v_take := least(v_take, v_limits.rooms[v_at]);
        v_limits.rooms[v_at] := v_limits.rooms[v_at] - v_take;
      end if;
      v_takes[v_lane] := v_takes[v_lane] + v_take;
      v_lane_rooms[v_lane] := case when v_take = 0 then 0 else v_lane_rooms[v_lane] - v_take end;
      v_left := v_left - v_take;
      v_active := v_active + case when v_lane_rooms[v_lane] > 0 then 1 else 0 end;
    end loop;
  end loop;

  v_taken := array_fill(0, array[cardinality(v_lane_ids)]);
  for v_one in
    update app.job_queue as q
    set
      status = 'running',
      fence = nextval('app.step_fences'),
      worker_id = claim_steps.worker_id,
      claimed_at = v_now
    where q.job_id = any (
      array(
        select p.job_id
        from (select unnest(v_lane_ids) as lane_id, unnest(v_takes) as take) as a
        cross join lateral (
          select r.job_id
          from app.job_queue as r
          where r.lane_id = a.lane_id and r.status = 'queued' and r.run_at <= v_now
          order by r.priority, r.run_at, r.job_id
          limit a.take
          for update skip locked
        ) as p
      )
    )
    returning q.job_id, q.lane_id
  loop
    v_at := array_position(v_lane_ids, v_one.lane_id);
    v_taken[v_at] := v_taken[v_at] + 1;
    v_ids := v_ids || v_one.job_id;
    v_taken_ids := v_taken_ids || v_one.lane_id;
  end loop;

  -- A lane that had less than was asked of it says when there is more.
  v_wakes := array_fill(null::timestamptz, array[cardinality(v_lane_ids)]);
  for v_lane in 1 .. cardinality(v_lane_ids) loop
    if v_taken[v_lane] < v_takes[v_lane] then
      v_wakes[v_lane] := coalesce(
        (select min(q.run_at) from app.job_queue as q where q.lane_id = v_lane_ids[v_lane] and q.status = 'queued'),
        'infinity'
      );
    end if;
  end loop;
  update app.lanes as l
  set
    queued = l.queued - t.taken,
    running = l.running + t.taken,
    served_at = clock_timestamp(),
    wake_at = coalesce(t.wake_at, l.wake_at)
  from (
    select unnest(v_lane_ids) as lane_id, unnest(v_takes) as take, unnest(v_taken) as taken, unnest(v_wakes) as wake_at
  ) as t
  where l.id = any (array[t.lane_id]) and t.take > 0;
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

comment on function app.claim_steps(uuid, integer) is
  'Gives a worker up to want steps that are ready, with what their handlers need: see worker.exchange_steps.';

revoke execute on function app.claim_steps(uuid, integer) from public;
