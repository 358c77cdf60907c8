-- app.count_drama
--
-- Writes      media_days
-- Locks       none; app.require_media has locked the owner's row of media_days
create or replace function app.count_drama(owner_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update app.media_days as d
  set dramas = d.dramas + 1
  where d.owner_id = count_drama.owner_id and d.day = app.utc_day();
end
$$;

comment on function app.count_drama(uuid) is
  'Counts a new drama in the owner''s day, after app.require_drama_room has permitted it.';
