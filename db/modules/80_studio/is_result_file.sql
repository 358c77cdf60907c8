-- app.is_result_file
--
-- Called by   the policy select_own_files of storage.objects
-- Why         a user who sees an image before its generation is completed can load it, and then
--             cancel the generation and get the credits back
create or replace function app.is_result_file(name text)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  return exists (
    select
    from app.generation_files as f
    -- Index lookups even on empty tables: ADR 16.
    join public.generations as g on g.id = any (array[f.generation_id])
    where f.file_id = any (
        array[
          substring(
            is_result_file.name
            from '/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[.](?:png|jpg|webp)$'
          )::uuid
        ]
      )
      and f.user_id = (select auth.uid())
      and f.delete_at is null
      and g.status = 'completed'
  );
end
$$;

comment on function app.is_result_file(text) is
  'Returns whether an object of bucket generations is the image of a completed generation of the '
  'caller.';

grant execute on function app.is_result_file(text) to authenticated;
