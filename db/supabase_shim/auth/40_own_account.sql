-- Plinth Supabase shim: the rules of the local Auth server, part 4: what signed-in users may do.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;
set local role supabase_auth_admin;

create or replace function local_auth.require_caller(claims jsonb)
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_user_id uuid;
begin
  if coalesce(claims ->> 'sub', '') = '' then
    perform local_auth.fail(403, 'bad_jwt', 'invalid claim: missing sub claim');
  end if;
  if not local_auth.is_uuid(claims ->> 'sub') then
    perform local_auth.fail(400, 'bad_jwt', 'invalid claim: sub claim must be a UUID');
  end if;
  v_user_id := claims ->> 'sub';
  if not exists (
    select from auth.users as u where u.id = v_user_id and u.deleted_at is null
  ) then
    perform local_auth.fail(
      403, 'user_not_found', 'User from sub claim in JWT does not exist'
    );
  end if;
  -- A token of npm run token has no session.
  if claims ? 'session_id' and not exists (
    select
    from auth.sessions as s
    where s.id::text = claims ->> 'session_id' and s.user_id = v_user_id
  ) then
    perform local_auth.fail(
      403, 'session_not_found', 'Session from session_id claim in JWT does not exist'
    );
  end if;
  perform local_auth.require_not_banned(v_user_id, 403);

  return v_user_id;
end
$$;
comment on function local_auth.require_caller(jsonb) is
  'Returns the user of a token whose signature was verified; refuses one whose session has ended.';

create or replace function local_auth.get_user(claims jsonb)
  returns jsonb
  language sql
  stable
  set search_path = ''
return jsonb_build_object('user', local_auth.show_user(local_auth.require_caller(claims)));
comment on function local_auth.get_user(jsonb) is 'The user of a token.';

create or replace function local_auth.set_password(
  user_id uuid,
  password_hash text,
  kept_session text
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update auth.users as u
  set encrypted_password = set_password.password_hash
  where u.id = set_password.user_id;
  perform local_auth.clear_codes(set_password.user_id);
  delete from auth.sessions as s
  where s.user_id = set_password.user_id
    and s.id::text is distinct from set_password.kept_session;
end
$$;
comment on function local_auth.set_password(uuid, text, text) is
  'Sets a password, and ends every code and every other session of the user.';

create or replace function local_auth.update_user(claims jsonb, params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid := local_auth.require_caller(claims);
  v_password constant text := nullif(params ->> 'password', '');
  v_email text;
  v_hash text;
  v_user auth.users;
  v_mails jsonb := '[]';
begin
  if coalesce(params ->> 'email', '') <> '' then
    v_email := local_auth.require_email(params ->> 'email');
  end if;
  if params ->> 'password' is not null then
    perform local_auth.require_password(params ->> 'password');
  end if;
  if coalesce(params -> 'app_metadata', 'null') <> 'null' then
    perform local_auth.fail(
      403, 'not_admin', 'Updating app_metadata requires admin privileges'
    );
  end if;

  select u.* into v_user from auth.users as u where u.id = v_id;
  if v_email <> coalesce(v_user.email, '') and exists (
    select from auth.users as u where u.email = v_email and not u.is_sso_user
  ) then
    perform local_auth.fail(
      422, 'email_exists', 'A user with this email address has already been registered'
    );
  end if;
  if v_password is not null then
    if local_auth.matches_password(v_user.encrypted_password, v_password) then
      perform local_auth.fail(
        422, 'same_password', 'New password should be different from the old password.'
      );
    end if;
    v_hash := local_auth.hash_password(v_password);
  end if;

  select u.* into v_user from auth.users as u where u.id = v_id for update;
  if v_hash is not null then
    perform local_auth.set_password(v_id, v_hash, claims ->> 'session_id');
  end if;
  update auth.users as u
  set
    raw_user_meta_data = local_auth.merge_data(u.raw_user_meta_data, params -> 'data'),
    updated_at = now()
  where u.id = v_id;
  if v_email <> coalesce(v_user.email, '') then
    perform local_auth.count_mail(v_email);
    if coalesce(v_user.email, '') <> '' then
      perform local_auth.count_mail(v_user.email);
    end if;
    v_mails := local_auth.send_email_change(v_id, v_email);
  end if;

  return jsonb_build_object('user', local_auth.show_user(v_id), 'mails', v_mails);
end
$$;
comment on function local_auth.update_user(jsonb, jsonb) is
  'Changes data and password of a user, and begins a change of address.';

create or replace function local_auth.reauthenticate(claims jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid := local_auth.require_caller(claims);
  v_email text;
begin
  select u.email into v_email from auth.users as u where u.id = v_id for update;
  if coalesce(v_email, '') = '' then
    perform local_auth.fail(
      422, 'validation_failed', 'Reauthentication requires the user to have an email'
    );
  end if;
  perform local_auth.count_mail(v_email);

  return jsonb_build_object(
    'mails', jsonb_build_array(
      local_auth.mail(
        'reauthentication',
        v_email,
        (local_auth.store_code(v_id, 'reauthentication_token', v_email)).code
      )
    )
  );
end
$$;
comment on function local_auth.reauthenticate(jsonb) is
  'Mails a nonce. No change asks for it here, as on Supabase by default.';

create or replace function local_auth.sign_out(claims jsonb, scope text)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid := local_auth.require_caller(claims);
  v_session constant text := claims ->> 'session_id';
begin
  delete from auth.sessions as s
  where s.user_id = v_id
    and (
      v_session is null
      or case sign_out.scope
        when 'local' then s.id::text = v_session
        when 'others' then s.id::text <> v_session
        else true
      end
    );

  return '{}';
end
$$;
comment on function local_auth.sign_out(jsonb, text) is
  'Ends sessions of a user: global (all), local (this one), others.';
