-- app.lock_owner_limits
--
-- Locks       lanes that have a limit, with skip locked
-- Why         the statement after the lock counts what runs. Only a claim adds running steps, and
--             only under this lock, so that the count cannot grow before the claim ends
create or replace function app.lock_owner_limits(lane_ids bigint[], limits integer[])
  returns integer[]
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
        from unnest(lock_owner_limits.lane_ids, lock_owner_limits.limits) as u (id, running_limit)
        where u.running_limit is not null
      )
    )
    for no key update skip locked
  loop
    v_locked_ids := v_locked_ids || v_one.id;
  end loop;

  return array(
    select case
      when u.running_limit is null then 1000
      when u.id = any (v_locked_ids) then greatest(u.running_limit - app.count_running(u.id), 0)
      else 0
    end
    from unnest(lock_owner_limits.lane_ids, lock_owner_limits.limits)
      with ordinality as u (id, running_limit, n)
    order by u.n
  );
end
$$;

comment on function app.lock_owner_limits(bigint[], integer[]) is
$$Locks the lanes that have a limit, and returns for each lane how many steps a claim may start.

limits: the limit of each lane, or null. 0 for a lane that another claim has locked.$$;
