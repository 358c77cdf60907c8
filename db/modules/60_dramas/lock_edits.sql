-- app.tg__lock_edits
--
-- Errors      PT401 not_signed_in, PT404 owner_not_found, PT429 rate_limited
-- Locks       the user, for key share; then all edits of this user (advisory), so that two edits of
--             one drama wait for each other before they lock a row
create or replace function app.tg__lock_edits()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
begin
  perform app.require_read_committed();
  -- Checks the limit here and counts later, because a refused edit does not count.
  perform app.require_rate(
    'drama_writes',
    app.caller_key(),
    (select s.drama_writes_per_minute from app.settings as s),
    interval '1 minute'
  );
  perform app.lock_drama_owner(v_user_id);
  perform pg_advisory_xact_lock(hashtextextended('drama edits ' || v_user_id, 0));

  return null;
end
$$;

comment on function app.tg__lock_edits() is
  'Begins the edit of rows of dramas by their owner: rate limit and locks.';
