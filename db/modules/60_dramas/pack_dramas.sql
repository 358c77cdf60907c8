-- app.pack_dramas
--
-- Writes      drama_packages
-- Locks       the dramas, lowest id first; skips dramas that another transaction has locked,
--             because get_drama_complete reads the rows of a drama without a current package
create or replace function app.pack_dramas(drama_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  v_ids := array(
    select d.id
    from public.dramas as d
    where d.id = any (pack_dramas.drama_ids)
    order by d.id
    for no key update skip locked
  );

  insert into app.drama_packages as p (drama_id, updated_at, package)
  select d.id, d.updated_at, app.build_drama(d.id)
  from public.dramas as d
  where d.id = any (v_ids)
  on conflict on constraint drama_packages_pkey do update
    set updated_at = excluded.updated_at, package = excluded.package
    where p.updated_at <> excluded.updated_at;
end
$$;

comment on function app.pack_dramas(uuid[]) is
  'Stores the documents of these dramas as they are now, for get_drama_complete.';
