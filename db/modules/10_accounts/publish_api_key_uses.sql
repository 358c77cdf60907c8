-- app.publish_api_key_uses
--
-- Called by   schedule publish-api-key-uses
-- Writes      api_keys.last_used_at
-- Locks       api_key_secrets, then api_keys; skips rows that another transaction has locked
create or replace function app.publish_api_key_uses()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_published integer;
begin
  with used as (
    select u.key_id, u.used_at
    from app.api_key_secrets as u
    join public.api_keys as k on k.id = u.key_id
    where not u.is_published
    limit 1000
    for no key update skip locked
  ),
  published as (
    update app.api_key_secrets as u
    set is_published = true
    from used
    where u.key_id = used.key_id
  )
  update public.api_keys as k
  set last_used_at = used.used_at
  from used
  where k.id = used.key_id;
  get diagnostics v_published = row_count;

  return v_published;
end
$$;

comment on function app.publish_api_key_uses() is
  'Copies the last use of API keys to api_keys.last_used_at, 1,000 keys at a time, and returns '
  'how many.';
