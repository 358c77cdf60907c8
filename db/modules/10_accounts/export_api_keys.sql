-- app.export_api_keys
create or replace function app.export_api_keys(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select to_json(k)
  from public.api_keys as k
  where k.owner_id = export_api_keys.user_id
  order by k.created_at, k.id
$$;

comment on function app.export_api_keys(uuid) is
  'Returns the API keys of a user without their secrets, for app.export_user_data.';
