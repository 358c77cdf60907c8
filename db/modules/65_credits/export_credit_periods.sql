-- app.export_credit_periods
create or replace function app.export_credit_periods(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object('next_at', p.next_at)
  from app.credit_periods as p
  where p.user_id = export_credit_periods.user_id
$$;

comment on function app.export_credit_periods(uuid) is
  'Returns when the next period of a user begins, for app.export_user_data.';
