-- app.export_profile
create or replace function app.export_profile(user_id uuid)
  returns json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'id', u.id,
    'email', a.email,
    'phone', a.phone,
    'signed_up_at', a.created_at,
    'last_signed_in_at', a.last_sign_in_at,
    'metadata', a.raw_user_meta_data,
    'plan_id', u.plan_id,
    'plan_ends_at', u.plan_ends_at,
    'credits', u.credits,
    'credits_held', u.credits_held,
    'credits_owed', u.credits_owed,
    'created_at', u.created_at,
    'updated_at', u.updated_at
  )
  from public.users as u
  left join auth.users as a on a.id = u.id
  where u.id = export_profile.user_id
$$;

comment on function app.export_profile(uuid) is
  'Returns the profile and the account of a user, for app.export_user_data.';
