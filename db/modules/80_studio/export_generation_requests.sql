-- app.export_generation_requests
create or replace function app.export_generation_requests(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'idempotency_key', r.idempotency_key,
    'generation_id', r.generation_id,
    'is_cached', r.is_cached,
    'created_at', r.created_at
  )
  from app.generation_requests as r
  where r.user_id = export_generation_requests.user_id
  order by r.created_at, r.idempotency_key
$$;

comment on function app.export_generation_requests(uuid) is
  'Returns the idempotency keys of a user''s generations, for app.export_user_data.';
