-- app.rotate_api_key, public.rotate_api_key
--
-- Called by   clients
-- Writes      api_keys, rate_limits
-- Errors      PT401 not_signed_in, PT403 api_key_not_allowed, PT404 api_key_not_found,
--             PT409 api_key_not_live, too_many_api_keys, PT422 grace_out_of_range,
--             PT429 rate_limited
-- Locks       the owner (for key share, because the deletion of an account begins there); the old
--             key; the owner's row of rate_limits
create or replace function app.rotate_api_key(id uuid, grace_seconds integer)
  returns public.new_api_key
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_session();
  v_now timestamptz := app.now();
  v_old public.api_keys;
  v_new public.new_api_key;
begin
  perform app.require_writing();
  if rotate_api_key.grace_seconds is null
    or rotate_api_key.grace_seconds not between 0 and 604800
  then
    perform app.fail(
      422,
      'grace_out_of_range',
      'grace_seconds must be from 0 to 604800 (a week).',
      'Send a number of seconds in this range, such as 86400 for a day.'
    );
  end if;

  perform from public.users as u where u.id = v_owner_id for key share;
  select * into v_old
  from public.api_keys as k
  where k.id = rotate_api_key.id and k.owner_id = v_owner_id
  for no key update;
  if not found then
    perform app.fail(
      404, 'api_key_not_found', 'API key not found.', 'List your keys with GET /rest/v1/api_keys.'
    );
  end if;
  if v_old.revoked_at is not null or v_old.expires_at <= v_now or v_old.replaced_by is not null then
    perform app.fail(
      409,
      'api_key_not_live',
      'This API key was revoked, has expired or was already rotated.',
      'Rotate the key in replaced_by, or create a new one.'
    );
  end if;

  -- Expires the old key before the new one is counted, so that a rotation without grace stays
  -- within the limit.
  update public.api_keys as k
  set expires_at = least(
    v_old.expires_at, v_now + make_interval(secs => rotate_api_key.grace_seconds)
  )
  where k.id = v_old.id;
  v_new := app.insert_api_key(v_owner_id, v_old.name, v_old.scopes, v_old.expires_at);
  update public.api_keys as k
  set replaced_by = v_new.id
  where k.id = v_old.id;

  return v_new;
end
$$;

comment on function app.rotate_api_key(uuid, integer) is
  'Replaces an API key by a new one; see public.rotate_api_key.';

create or replace function public.rotate_api_key(id uuid, grace_seconds integer default 86400)
  returns public.new_api_key
  language sql
  volatile
  set search_path = ''
return app.rotate_api_key(id, grace_seconds);

comment on function public.rotate_api_key(uuid, integer) is
$$Replaces an API key by a new one with the same name, scopes and expiry; the old key works for a
grace period.

id: a live key of the caller. grace_seconds: how long the old key still works, from 0 (not at all)
to 604800 (a week); 86400 by default. A rotation never prolongs the life of the old key.
Returns { id, name, prefix, scopes, expires_at, key }; key cannot be read again. The old key's
replaced_by is the new id.
401 not_signed_in. 403 api_key_not_allowed: an API key cannot rotate keys. 404 api_key_not_found.
409 api_key_not_live, too_many_api_keys. 422 grace_out_of_range. 429 rate_limited.$$;

grant execute on function app.rotate_api_key(uuid, integer) to anon, authenticated;
grant execute on function public.rotate_api_key(uuid, integer) to anon, authenticated;
