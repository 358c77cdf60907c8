-- worker.find_unknown_objects
--
-- Called by   worker task clean_orphaned_assets, over a listing of the store
-- Why         a row is always written before its object, so an object without a row came another
--             way: a restored backup, or a store that another database uses. A person decides what
--             to do with it.
create or replace function worker.find_unknown_objects(keys text[])
  returns table (object_key text)
  language sql
  stable
  security definer
  set search_path = ''
begin atomic
  with candidates as materialized (
    select listed.key, substr(listed.key, 15, 36)::uuid as asset_id
    from unnest(find_unknown_objects.keys) as listed (key)
    where listed.key
      ~ '^shared-assets/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/[^/]+$'
  )
  select c.key
  from candidates as c
  where not exists (
      select from public.assets as a where a.id = c.asset_id and a.object_key = c.key
    )
    and not exists (
      select from app.asset_uploads as u where u.id = c.asset_id and u.object_key = c.key
    );
end;

comment on function worker.find_unknown_objects(text[]) is
  'Returns the keys that look like asset keys but match no asset and no upload.';

grant execute on function worker.find_unknown_objects(text[]) to worker;
