-- app.find_drama_extra
create or replace function app.find_drama_extra(drama_id uuid)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return coalesce(
    (select x.extra from app.drama_extras as x where x.drama_id = find_drama_extra.drama_id), '{}'
  );
end
$$;

comment on function app.find_drama_extra(uuid) is
  'Returns extra of a drama, an empty object if it has none.';
