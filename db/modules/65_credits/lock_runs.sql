-- app.tg_users__lock_runs
--
-- Errors      PT409 user_busy
-- Locks       the runs of the user, lowest id first; then the user
-- Why         a callback holds runs and waits for the user. A deletion locks the user and then
--             deletes the runs, so it locks the runs first. Between the two locks, a submission may
--             add a run: the function then undoes both locks and tries again. The function also
--             undoes its locks after a wait of 300 ms, because the transaction that it waits for
--             may wait for these locks
create or replace function app.tg_users__lock_runs()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set lock_timeout = '300ms'
as $$
declare
  v_runs integer;
begin
  for v_try in 1..20 loop
    begin
      v_runs := cardinality(
        array(
          select r.id
          from app.runs as r
          where r.owner_id = old.id
          order by r.id
          for update
        )
      );
      perform
      from public.users as u
      where u.id = old.id
      for update;
      if v_runs = (select count(*) from app.runs as r where r.owner_id = old.id) then
        return old;
      end if;
      raise exception using errcode = 'CR001', message = 'A run was added.';
    exception
      when sqlstate 'CR001' or lock_not_available or deadlock_detected then
        null;
    end;
  end loop;
  perform app.fail(
    409, 'user_busy', 'Other requests use the runs of the user.', 'Repeat the deletion in a moment.'
  );

  return null;
end
$$;

comment on function app.tg_users__lock_runs() is
  'Locks the runs of a user who is being deleted, before anything locks the user.';
