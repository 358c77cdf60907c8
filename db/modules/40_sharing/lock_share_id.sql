-- app.lock_share_id
--
-- Locks       the share_id (advisory), until commit: a repeated request at the same moment waits
--             here, and then finds the share that the first one made
create or replace function app.lock_share_id(share_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(lock_share_id.share_id::text, 0));
end
$$;

comment on function app.lock_share_id(uuid) is
  'Holds an advisory lock on share_id until commit, so that requests with the same id run one '
  'after another.';
