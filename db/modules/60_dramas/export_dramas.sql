-- app.export_dramas
--
-- Why         Postgres builds one drama after the other, because the ids are sorted first
create or replace function app.export_dramas(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select coalesce(
    (
      select p.package
      from app.drama_packages as p
      where p.drama_id = d.id and p.updated_at = d.updated_at
    ),
    app.build_drama(d.id)
  )
  from (
    select o.id, o.updated_at
    from public.dramas as o
    where o.owner_id = export_dramas.user_id
    order by o.created_at, o.id
  ) as d
$$;

comment on function app.export_dramas(uuid) is
  'Returns the dramas of a user as whole documents, for app.export_user_data.';
