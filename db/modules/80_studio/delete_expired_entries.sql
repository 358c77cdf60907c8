-- app.delete_expired_entries
--
-- Called by   schedule cleanup-cache
-- Writes      kv_store
-- Locks       the rows, with skip locked
create or replace function app.delete_expired_entries()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_deleted integer;
begin
  delete from cache.kv_store as k
  where k.key = any (
    array(
      select e.key
      from cache.kv_store as e
      where e.expires_at <= app.now()
      order by e.expires_at
      limit 5000
      for update skip locked
    )
  );
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_expired_entries() is
  'Deletes up to 5,000 expired entries of the cache, and returns their number.';
