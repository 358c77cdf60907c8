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
  v_share integer;
  v_active integer;
  v_take integer;
  v_at integer;
  v_closed_types text[];
  v_types text[];
  v_rooms integer[];
  v_lane_ids bigint[];
  v_lane_types text[];
  v_lane_rooms integer[];
  v_takes integer[];
  v_ids bigint[];
  v_taken_ids bigint[];
begin
  select l.closed_types, l.types, l.rooms
  into v_closed_types, v_types, v_rooms
  from app.lock_type_limits() as l;

  select array_agg(l.id), array_agg(l.type), array_agg(l.room), array_agg(0)
  into v_lane_ids, v_lane_types, v_lane_rooms, v_takes
  from (
    select l.id, l.type, least(l.queued, coalesce(t.owner_running_limit - l.running, l.queued)) as room
    from app.lanes as l
    join public.job_types as t on t.name = any (array[l.type])
    where l.queued > 0
      and l.wake_at <= v_now
      and l.not_before <= v_now
      and (t.owner_running_limit is null or l.running < t.owner_running_limit)
      and (v_closed_types is null or l.type <> all (v_closed_types))
    order by l.served_at, l.id
    limit v_left
    for update of l skip locked
  ) as l;
  if v_lane_ids is null then
    return '[]'::jsonb;
  end if;

  -- In rounds: to each lane an equal share, and what some leave goes to the others.
  loop
    v_active := (select count(*)::integer from unnest(v_lane_rooms) as r (room) where r.room > 0);
    exit when v_active = 0 or v_left = 0;
    v_share := greatest(1, v_left / v_active);
    for v_lane in 1 .. cardinality(v_lane_ids) loop
      v_take := least(v_share, v_left, v_lane_rooms[v_lane]);
      v_at := array_position(v_types, v_lane_types[v_lane]);
      if v_at is not null then
        v_take := least(v_take, v_rooms[v_at]);
        v_rooms[v_at] := v_rooms[v_at] - v_take;
      end if;
      v_takes[v_lane] := v_takes[v_lane] + v_take;
      v_lane_rooms[v_lane] := case when v_take = 0 then 0 else v_lane_rooms[v_lane] - v_take end;
      v_left := v_left - v_take;
    end loop;
  end loop;

  with picked as materialized (
    select p.job_id
    from unnest(v_lane_ids, v_takes) as a (lane_id, take)
    cross join lateral (
      select q.job_id
      from app.job_queue as q
      where q.lane_id = a.lane_id and q.status = 'queued' and q.run_at <= v_now
      order by q.priority, q.run_at, q.job_id
      limit a.take
      for update skip locked
    ) as p
  ),
  claimed as (
    update app.job_queue as q
    set
      status = 'running',
      fence = nextval('app.step_fences'),
      worker_id = claim_steps.worker_id,
      claimed_at = v_now
    from picked as p
    where q.job_id = any (array[p.job_id])
    returning q.job_id, q.lane_id
  )
  select array_agg(c.job_id), array_agg(c.lane_id) into v_ids, v_taken_ids
  from claimed as c;

  update app.lanes as l
  set
    queued = l.queued - t.taken,
    running = l.running + t.taken,
    served_at = clock_timestamp(),
    -- A lane that had less than was asked of it says when there is more.
    wake_at = case
      when t.taken < t.take
        then coalesce(
          (select min(q.run_at) from app.job_queue as q where q.lane_id = l.id and q.status = 'queued'),
          'infinity'
        )
      else l.wake_at
    end
  from (
    select a.lane_id, a.take, count(c.lane_id)::integer as taken
    from unnest(v_lane_ids, v_takes) as a (lane_id, take)
    left join unnest(v_taken_ids) as c (lane_id) on c.lane_id = a.lane_id
    where a.take > 0
    group by a.lane_id, a.take
  ) as t
  where l.id = any (array[t.lane_id]);
  if v_ids is null then
    return '[]'::jsonb;
  end if;

  if v_types is not null then
    perform app.spend_type_rates(v_types, v_taken_ids);
  end if;
  perform app.record_events(v_ids, 'running');

  return app.describe_steps(v_ids);
end
$$;

comment on function app.claim_steps(uuid, integer) is
  'Gives a worker up to want steps that are ready, with what their handlers need: see worker.exchange_steps.';

revoke execute on function app.claim_steps(uuid, integer) from public;
