-- app.try_lock_credits
--
-- Locks       the users that no other transaction has locked, for no key update
-- Why         in plpgsql, because Postgres plans a SQL function again at each call
create or replace function app.try_lock_credits(user_ids uuid[])
  returns uuid[]
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  return array(
    select u.id
    from public.users as u
    where u.id = any (try_lock_credits.user_ids)
    order by u.id
    for no key update skip locked
  );
end
$$;

comment on function app.try_lock_credits(uuid[]) is
  'Locks the credits of these users without waiting, and returns the locked users.';
