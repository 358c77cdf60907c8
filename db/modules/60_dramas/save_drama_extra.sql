-- app.save_drama_extra
--
-- Writes      drama_extras
-- Locks       none; the caller holds the drama
create or replace function app.save_drama_extra(drama_id uuid, extra json)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if save_drama_extra.extra::text = '{}' then
    delete from app.drama_extras as x
    where x.drama_id = save_drama_extra.drama_id;
    return;
  end if;

  insert into app.drama_extras as x (drama_id, extra)
  values (save_drama_extra.drama_id, save_drama_extra.extra)
  on conflict on constraint drama_extras_pkey do update set extra = excluded.extra
    where x.extra::text <> excluded.extra::text;
end
$$;

comment on function app.save_drama_extra(uuid, json) is
  'Stores extra of a drama; an empty object has no row.';
