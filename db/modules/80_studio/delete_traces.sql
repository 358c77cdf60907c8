-- app.tg_generations__delete_traces
--
-- Writes      kv_store, generation_files
-- Errors      PT409 generation_open, unless the user is being deleted
-- Locks       the entry of the cache, then the files
-- Why         fires before the row is deleted, because a foreign key deletes generation_details
--             with the row, and only the details have the cache key. A pending generation has a run
--             and a hold of credits, so only cancel_generation may end it. The deletion of a user
--             ends both
create or replace function app.tg_generations__delete_traces()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  if old.status = 'pending' and exists (select from public.users as u where u.id = old.user_id) then
    perform app.fail(
      409,
      'generation_open',
      'The generation has not ended.',
      'Call cancel_generation first, or wait until it has ended.'
    );
  end if;

  delete from cache.kv_store as k
  using app.generation_details as d
  where d.generation_id = old.id
    -- Index lookup even on an empty table: ADR 16.
    and k.key = any (array[d.cache_key])
    and k.value ->> 'generation_id' = old.id::text;
  update app.generation_files as f
  set delete_at = app.now()
  where f.generation_id = old.id and f.delete_at is null;

  return old;
end
$$;

comment on function app.tg_generations__delete_traces() is
  'Removes a deleted generation from the cache, and has its file deleted; 409 generation_open '
  'while the generation is pending.';
