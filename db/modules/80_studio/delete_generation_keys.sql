-- app.delete_generation_keys
--
-- Called by   schedule delete-generation-keys
-- Writes      generation_requests
-- Locks       the rows, with skip locked
create or replace function app.delete_generation_keys()
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
  delete from app.generation_requests as r
  where (r.user_id, r.idempotency_key) in (
    select o.user_id, o.idempotency_key
    from app.generation_requests as o
    where o.created_at
      < app.now() - (select s.generation_key_retention from app.settings as s)
    order by o.created_at
    limit 5000
    for update skip locked
  );
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_generation_keys() is
  'Deletes up to 5,000 old idempotency keys of generations, and returns their number.';
