-- app.export_credit_holds
create or replace function app.export_credit_holds(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'id', h.id,
    'run_id', h.run_id,
    'amount', h.amount,
    'reason', h.reason,
    'status', h.status,
    'grants', (
      select json_agg(json_build_object('grant_id', p.grant_id, 'amount', p.amount))
      from app.credit_hold_grants as p
      where p.hold_id = h.id
    ),
    'expires_at', h.expires_at,
    'created_at', h.created_at,
    'ended_at', h.ended_at
  )
  from public.credit_holds as h
  where h.user_id = export_credit_holds.user_id
  order by h.created_at, h.id
$$;

comment on function app.export_credit_holds(uuid) is
  'Returns the holds of a user with the grants that they reserve from, for app.export_user_data.';
