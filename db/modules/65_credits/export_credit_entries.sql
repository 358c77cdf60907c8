-- app.export_credit_entries
create or replace function app.export_credit_entries(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select to_json(e)
  from public.credit_entries as e
  where e.user_id = export_credit_entries.user_id
  order by e.id
$$;

comment on function app.export_credit_entries(uuid) is
  'Returns the ledger of a user, for app.export_user_data.';
