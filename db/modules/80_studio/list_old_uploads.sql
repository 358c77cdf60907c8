-- worker.list_old_uploads
--
-- Called by   worker task remove_old_uploads
-- Why         by the index of Storage on (bucket_id, name), because a hosted database lets us add
--             no index of ours. So a call looks at a part of the bucket, also where nothing is old.
--             Names with "." or ".." or nothing as a segment are left out: no policy lets a user
--             store one, and a server may delete another file in its place
create or replace function worker.list_old_uploads("after" text, "limit" integer)
  returns table (names text[], next text)
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
  return query
    with part as (
      select o.name, coalesce(o.updated_at, o.created_at) as changed_at
      from storage.objects as o
      where o.bucket_id = 'user_uploads'
        and o.name > list_old_uploads."after"
      order by o.name
      limit list_old_uploads."limit"
    )
    select
      coalesce(
        array_agg(p.name order by p.name) filter (
          where p.changed_at < app.now() - (select s.upload_retention from app.settings as s)
            and p.name !~ '(^|/)[.]{0,2}(/|$)'
        ),
        '{}'
      ),
      case when count(*) = list_old_uploads."limit" then max(p.name) end
    from part as p;
end
$$;

comment on function worker.list_old_uploads(text, integer) is
$$Looks at the next photos of bucket user_uploads in the order of their names, and returns the
names of the photos that nobody has stored again within app.settings.upload_retention.

after: '' for the first call, then next of the call before. next is null at the end of the
bucket.$$;

grant execute on function worker.list_old_uploads(text, integer) to worker;
