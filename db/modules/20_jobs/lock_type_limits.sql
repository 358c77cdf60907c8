-- app.lock_type_limits
--
-- Locks       rows of limited types that have queued steps, with skip locked
-- Why         the statement after the lock counts what runs, because a stored counter could drift.
--             Only a claim adds running steps, and only under this lock, so that the count cannot
--             grow before the claim ends
create or replace function app.lock_type_limits(
  out closed_types text[],
  out types text[],
  out rooms integer[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz;
  v_locked text[];
begin
  closed_types := array(
    select t.name
    from public.job_types as t
    where t.running_limit is not null or t.rate_limit is not null
  );
  if closed_types = '{}' then
    closed_types := null;
    return;
  end if;

  v_locked := array(
    select t.name
    from public.job_types as t
    where t.name = any (closed_types)
      and exists (select from app.lanes as l where l.type = t.name and l.wake_at < 'infinity')
    order by t.name
    for no key update skip locked
  );
  -- The time of this moment, because other claims may have used the rate since the transaction
  -- began.
  v_now := app.clock();
  select array_agg(r.name), array_agg(r.room)
  into types, rooms
  from (
    select
      t.name,
      least(
        t.running_limit - (
          select count(*)
          from app.job_queue as q
          -- Index lookup even on an empty table: ADR 16.
          join app.lanes as l on l.id = any (array[q.lane_id])
          where q.status = 'running' and l.type = t.name
        ),
        floor(
          extract(epoch from v_now + t.rate_window - greatest(t.rate_spent_until, v_now))
          / (extract(epoch from t.rate_window) / t.rate_limit)
          + 0.000001
        )
      )::integer as room
    from public.job_types as t
    where t.name = any (v_locked)
  ) as r
  where r.room > 0;
  closed_types := array(
    select c.name
    from unnest(closed_types) as c (name)
    where types is null or c.name <> all (types)
  );
end
$$;

comment on function app.lock_type_limits() is
$$Locks job types that have limits, for a claim.

Returns closed_types: types without capacity, or locked by another claim. types, rooms: the other
limited types, and how many steps of each may start. All null if no type has a limit.$$;
