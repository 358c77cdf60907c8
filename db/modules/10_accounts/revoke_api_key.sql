-- app.revoke_api_key, public.revoke_api_key
--
-- Called by   clients
-- Writes      api_keys
-- Errors      PT401 not_signed_in, PT403 api_key_not_allowed, PT404 api_key_not_found
-- Idempotent  a revoked key keeps its revoked_at
create or replace function app.revoke_api_key(id uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_session();
begin
  perform app.require_writing();
  update public.api_keys as k
  set revoked_at = coalesce(k.revoked_at, app.now())
  where k.id = revoke_api_key.id and k.owner_id = v_owner_id;
  if not found then
    perform app.fail(
      404, 'api_key_not_found', 'API key not found.', 'List your keys with GET /rest/v1/api_keys.'
    );
  end if;
end
$$;

comment on function app.revoke_api_key(uuid) is
  'Revokes an API key; see public.revoke_api_key.';

create or replace function public.revoke_api_key(id uuid)
  returns void
  language sql
  volatile
  set search_path = ''
return app.revoke_api_key(id);

comment on function public.revoke_api_key(uuid) is
$$Revokes an API key at once; a repeated call changes nothing.

id: a key of the caller. Requests that have begun may still finish; the next request gets 401
api_key_revoked. A key that replaced this key, or that this key replaced, keeps working.
401 not_signed_in. 403 api_key_not_allowed: an API key cannot revoke keys. 404 api_key_not_found.$$;

grant execute on function app.revoke_api_key(uuid) to anon, authenticated;
grant execute on function public.revoke_api_key(uuid) to anon, authenticated;
