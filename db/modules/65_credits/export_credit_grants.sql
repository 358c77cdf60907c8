-- app.export_credit_grants
create or replace function app.export_credit_grants(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select to_json(g)
  from public.credit_grants as g
  where g.user_id = export_credit_grants.user_id
  order by g.created_at, g.id
$$;

comment on function app.export_credit_grants(uuid) is
  'Returns the grants of a user, for app.export_user_data.';
