-- app.lock_owner_limits
--
-- Locks       lanes that have a limit, with skip locked
-- Why         the statement after the lock counts what runs or is open. Only a claim adds such
--             steps, and only under this lock, so that the count cannot grow before the claim ends
--             (retry_job may add steps with a state, which every limit admits)
create or replace function app.lock_owner_limits(
  lane_ids bigint[],
  running_limits integer[],
  open_limits integer[],
  out rooms integer[],
  out new_rooms integer[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_one record;
  v_locked_ids bigint[] := '{}'::bigint[];
begin
  for v_one in
    select l.id
    from app.lanes as l
    where l.id = any (
      array(
        select u.id
        from unnest(
          lock_owner_limits.lane_ids, lock_owner_limits.running_limits,
          lock_owner_limits.open_limits
        ) as u (id, running_limit, open_limit)
        where u.running_limit is not null or u.open_limit is not null
      )
    )
    for no key update skip locked
  loop
    v_locked_ids := v_locked_ids || v_one.id;
  end loop;

  select
    array_agg(
      case
        when u.running_limit is null and u.open_limit is null then 1000
        when u.id <> all (v_locked_ids) then 0
        when u.running_limit is null then 1000
        else greatest(u.running_limit - app.count_running(u.id), 0)
      end
      order by u.n
    ),
    array_agg(
      case
        when u.open_limit is not null
          then greatest(u.open_limit - app.count_open(u.id, u.open_limit), 0)
      end
      order by u.n
    )
  into rooms, new_rooms
  from unnest(
    lock_owner_limits.lane_ids, lock_owner_limits.running_limits, lock_owner_limits.open_limits
  ) with ordinality as u (id, running_limit, open_limit, n);
end
$$;

comment on function app.lock_owner_limits(bigint[], integer[], integer[]) is
$$Locks the lanes that have a limit.

running_limits, open_limits: the limits of each lane, or null. Returns rooms: how many steps of each
lane a claim may start; 0 for a lane that another claim has locked. new_rooms: how many of them may
have no saved state; null for a lane without an open limit.$$;
