-- worker.find_unknown_media
--
-- Called by   worker task remove_deleted_media, over a listing of the store
-- Why         finds files that no removal finds: files whose result was refused, files that a
--             worker stored long after the deletion, and files from before a restored backup
create or replace function worker.find_unknown_media(keys text[])
  returns table (object_key text)
  language sql
  stable
  security definer
  set search_path = ''
begin atomic
  with candidates as materialized (
    select
      listed.key,
      substr(listed.key, 14, 36)::uuid as drama_id,
      substr(listed.key, 51) as name
    from unnest(find_unknown_media.keys) as listed (key)
    where listed.key
      ~ '^drama-assets/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/[^/]+$'
  )
  select c.key
  from candidates as c
  where not exists (
      select from app.drama_media as m where m.drama_id = c.drama_id and m.name = c.name
    )
    and not exists (select from app.deleted_media as m where m.drama_id = c.drama_id)
    -- A step of an open run may have stored the file, and hands it in when its worker reaches the
    -- database again. A video that continues its operation stores the same file again.
    and not exists (
      select
      from app.drama_runs as o
      join app.runs as r on r.id = o.run_id
      where o.drama_id = c.drama_id and r.finished_at is null
    )
    -- A URL of an older release, whose step is deleted, so that drama_media lacks it.
    and not exists (
      select
      from public.drama_characters as p
      where p.drama_id = c.drama_id and strpos(p.portrait_url, c.key) > 0
    )
    and not exists (
      select
      from public.scenes as s
      where s.drama_id = c.drama_id
        and (strpos(s.image_url, c.key) > 0 or strpos(s.video_url, c.key) > 0)
    )
    and not exists (
      select
      from public.dramas as d
      where d.id = c.drama_id and strpos(d.cover_url, c.key) > 0
    );
end;

comment on function worker.find_unknown_media(text[]) is
  'Returns the keys that look like keys of drama media but belong to no drama.';

grant execute on function worker.find_unknown_media(text[]) to worker;
