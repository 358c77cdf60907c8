-- app.lock_credits
--
-- Errors      55P03, if a second call of a transaction waits longer than 50 ms
-- Locks       the users, lowest id first, for no key update: submissions, which lock them for key
--             share, do not wait
-- Why         one batch of results calls several callbacks, and each may lock users. The first call
--             locks in order. A later call may need a user with a lower id than the first call
--             locked, so the later call waits at most 50 ms. After 55P03, app.apply_free_results
--             undoes the batch and applies its results one by one
create or replace function app.lock_credits(user_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_locked_to uuid := nullif(current_setting('plinth.credits_locked_to', true), '')::uuid;
  v_first uuid;
  v_last uuid;
begin
  if cardinality(lock_credits.user_ids) = 1 then
    v_first := lock_credits.user_ids[1];
    v_last := v_first;
  else
    -- Postgres has no min(uuid).
    v_first := (select u.id from unnest(lock_credits.user_ids) as u (id) order by u.id limit 1);
    v_last := (select u.id from unnest(lock_credits.user_ids) as u (id) order by u.id desc limit 1);
  end if;

  if v_locked_to is not null and v_first <= v_locked_to then
    perform app.lock_more_credits(lock_credits.user_ids);
  elsif v_first = v_last then
    perform
    from public.users as u
    where u.id = v_first
    for no key update;
  else
    perform
    from public.users as u
    where u.id = any (lock_credits.user_ids)
    order by u.id
    for no key update;
  end if;
  perform set_config(
    'plinth.credits_locked_to', greatest(v_locked_to::text, v_last::text), true
  );
end
$$;

comment on function app.lock_credits(uuid[]) is
$$Locks the credits of these users until the transaction ends.

A function that submits a run and places a hold calls app.ensure_lanes, then app.lock_credits, then
app.submit_run, then app.place_hold: see docs/states.md.$$;
