-- app.export_shares
create or replace function app.export_shares(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'share_id', s.id,
    'type', s.resource_type,
    'visibility', s.visibility,
    'title', p.title,
    'created_at', s.created_at,
    'expires_at', s.expires_at,
    'package', p.package
  )
  from app.share_packages as p
  join public.shared_resources as s on s.id = p.share_id
  where p.owner_id = export_shares.user_id
  order by s.created_at, s.id
$$;

comment on function app.export_shares(uuid) is
  'Returns the shares that a user made while signed in, for app.export_user_data.';
