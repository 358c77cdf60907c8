-- app.lock_owner_limits
--
-- Locks       lanes that have a limit, with skip locked; the statement after the lock counts. Only a claim counts up
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
    from unnest(lock_owner_limits.lane_ids, lock_owner_limits.limits) with ordinality as u (id, running_limit, n)
    order by u.n
  );
end
$$;

comment on function app.lock_owner_limits(bigint[], integer[]) is
  'For a claim: how many steps may be taken from each of these lanes; of those with a limit, none where another claim is at it.';
