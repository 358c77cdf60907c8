-- Plinth Supabase shim: the rules of the local Auth server, part 3: sign-up, codes, sessions.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;
set local role supabase_auth_admin;

create or replace function local_auth.sign_up(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text := local_auth.require_email(params ->> 'email');
  v_password text := params ->> 'password';
  v_data jsonb := coalesce(nullif(params -> 'data', 'null'), '{}');
  v_hash text;
  v_user auth.users;
begin
  if coalesce(v_password, '') = '' then
    perform local_auth.fail(400, 'validation_failed', 'Signup requires a valid password');
  end if;
  perform local_auth.require_password(v_password);
  -- Before the address is looked up, so the time does not tell who has an account.
  v_hash := local_auth.hash_password(v_password);
  perform local_auth.count_mail(v_email);

  perform local_auth.insert_user(v_email, v_hash, v_data);
  v_user := local_auth.lock_user(v_email);
  if v_user.email_confirmed_at is not null then
    return jsonb_build_object(
      'user', local_auth.show_stranger(v_email, v_data),
      'mails', jsonb_build_array(local_auth.mail('notice', v_email))
    );
  end if;

  return jsonb_build_object(
    'mails', jsonb_build_array(local_auth.send_confirmation(v_user.id)),
    'user', local_auth.show_user(v_user.id) || case
      when v_user.invited_at is not null then '{"user_metadata": {}, "identities": []}'::jsonb
      else '{}'
    end
  );
end
$$;
comment on function local_auth.sign_up(jsonb) is
  'Signs up an address. A user who has not confirmed gets another code, and keeps the password.';

create or replace function local_auth.show_stranger(email text, data jsonb)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return jsonb_build_object(
  'id', gen_random_uuid(),
  'aud', 'authenticated',
  'role', 'authenticated',
  'email', email,
  'phone', '',
  'confirmation_sent_at', local_auth.format_time(now()),
  'created_at', local_auth.format_time(now()),
  'updated_at', local_auth.format_time(now()),
  'is_anonymous', false,
  'app_metadata', '{"provider": "email", "providers": ["email"]}'::jsonb,
  'user_metadata', data,
  'identities', '[]'::jsonb
);
comment on function local_auth.show_stranger(text, jsonb) is
  'The answer to a sign-up with an address that has a user: nothing of that user.';

create or replace function local_auth.send_otp(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text := local_auth.require_email(params ->> 'email');
  v_user auth.users;
begin
  perform local_auth.count_mail(v_email);
  if coalesce((params ->> 'create_user')::boolean, true) then
    perform local_auth.insert_user(v_email, null, params -> 'data');
  end if;
  v_user := local_auth.lock_user(v_email);
  if v_user.id is null then
    perform local_auth.fail(422, 'otp_disabled', 'Signups not allowed for otp');
  end if;
  if v_user.email_confirmed_at is null then
    return jsonb_build_object('mails', jsonb_build_array(local_auth.send_confirmation(v_user.id)));
  end if;

  return jsonb_build_object(
    'mails', jsonb_build_array(
      local_auth.mail(
        'magic_link',
        v_email,
        (local_auth.store_code(v_user.id, 'recovery_token', v_email)).code
      )
    )
  );
end
$$;
comment on function local_auth.send_otp(jsonb) is
  'Mails a code to sign in with. Creates the user, unless create_user is false.';

create or replace function local_auth.recover(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text := local_auth.require_email(params ->> 'email');
  v_user auth.users;
begin
  perform local_auth.count_mail(v_email);
  v_user := local_auth.lock_user(v_email);
  if v_user.id is null then
    return '{}';
  end if;

  return jsonb_build_object(
    'mails', jsonb_build_array(
      local_auth.mail(
        'recovery',
        v_email,
        (local_auth.store_code(v_user.id, 'recovery_token', v_email)).code
      )
    )
  );
end
$$;
comment on function local_auth.recover(jsonb) is
  'Mails a code for a forgotten password. Answers the same for an address without a user.';

create or replace function local_auth.resend(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text;
  v_user auth.users;
begin
  if coalesce(params ->> 'type', '') not in ('signup', 'email_change') then
    perform local_auth.fail(
      400,
      'validation_failed',
      'Missing one of these types: signup, email_change, sms, phone_change'
    );
  end if;
  v_email := local_auth.require_email(params ->> 'email');
  perform local_auth.count_mail(v_email);
  v_user := local_auth.lock_user(v_email);

  if params ->> 'type' = 'signup' and v_user.id is not null and v_user.email_confirmed_at is null
  then
    return jsonb_build_object('mails', jsonb_build_array(local_auth.send_confirmation(v_user.id)));
  end if;
  if params ->> 'type' = 'email_change' and coalesce(v_user.email_change, '') <> '' then
    perform local_auth.count_mail(v_user.email_change);
    return jsonb_build_object(
      'mails', local_auth.send_email_change(v_user.id, v_user.email_change)
    );
  end if;

  return '{}';
end
$$;
comment on function local_auth.resend(jsonb) is
  'Mails the code of a sign-up or of a change of address again. Answers the same if nothing waits.';

create or replace function local_auth.sign_in(params jsonb, client jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_user auth.users;
begin
  if coalesce(params ->> 'email', '') = '' then
    perform local_auth.fail(400, 'validation_failed', 'missing email or phone');
  end if;
  select u.* into v_user
  from auth.users as u
  where u.email = lower(params ->> 'email') and not u.is_sso_user and u.deleted_at is null;
  if not local_auth.matches_password(
    v_user.encrypted_password, coalesce(params ->> 'password', '')
  ) then
    perform local_auth.fail(400, 'invalid_credentials', 'Invalid login credentials');
  end if;
  perform local_auth.require_not_banned(v_user.id, 400);
  if v_user.email_confirmed_at is null then
    perform local_auth.fail(400, 'email_not_confirmed', 'Email not confirmed');
  end if;

  return jsonb_build_object(
    'session', local_auth.start_session(v_user.id, 'password', client)
  );
end
$$;
comment on function local_auth.sign_in(jsonb, jsonb) is
  'Signs in with a password. Only who knows the password is told that the account is banned or not '
  'confirmed.';

-- The kinds of token that a type of verifyOtp opens.
create or replace function local_auth.list_kinds(type text)
  returns auth.one_time_token_type[]
  language sql
  immutable
  set search_path = ''
return case
  when type = 'email'
  then '{confirmation_token,recovery_token}'::auth.one_time_token_type[]
  when type in ('signup', 'invite') then '{confirmation_token}'
  when type in ('recovery', 'magiclink') then '{recovery_token}'
  when type = 'email_change' then '{email_change_token_current,email_change_token_new}'
end;
comment on function local_auth.list_kinds(text) is
  'The tokens that a type of verification accepts; null for an unknown type.';

create or replace function local_auth.find_token(params jsonb)
  returns auth.one_time_tokens
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_kinds auth.one_time_token_type[] := local_auth.list_kinds(params ->> 'type');
  v_hash text := nullif(params ->> 'token_hash', '');
  v_email text;
  v_user_id uuid;
  v_token auth.one_time_tokens;
  v_settings local_auth.settings := (select s from local_auth.settings as s);
begin
  if v_hash is not null then
    select t.user_id into v_user_id
    from auth.one_time_tokens as t
    where t.token_hash = v_hash and t.token_type = any (v_kinds);
  else
    v_email := local_auth.require_email(params ->> 'email');
    select t.user_id into v_user_id
    from auth.one_time_tokens as t
    where t.relates_to = v_email and t.token_type = any (v_kinds)
    limit 1;
  end if;
  -- Locks the user before the token, as callers of local_auth.store_code do.
  perform from auth.users as u where u.id = v_user_id for update;

  if v_hash is null then
    -- Each guess counts before it is compared, against every token that it could open.
    insert into local_auth.code_tries as c (token_id, tries)
    select t.id, 1
    from auth.one_time_tokens as t
    where t.user_id = v_user_id and t.relates_to = v_email and t.token_type = any (v_kinds)
    on conflict on constraint code_tries_pkey do update set tries = c.tries + 1;
  end if;

  select t.* into v_token
  from auth.one_time_tokens as t
  where t.user_id = v_user_id
    and t.token_type = any (v_kinds)
    and t.created_at > now() at time zone 'UTC' - make_interval(secs => v_settings.code_seconds)
    and (
      t.token_hash = v_hash
      or (
        v_hash is null
        and t.relates_to = v_email
        and t.token_hash = local_auth.hash_code(t.id, t.relates_to, params ->> 'token')
        and (
          select c.tries from local_auth.code_tries as c where c.token_id = t.id
        ) <= v_settings.code_tries
      )
    );

  return v_token;
end
$$;
comment on function local_auth.find_token(jsonb) is
  'Returns the token that a code or a hash opens, otherwise a row of nulls. Locks its user.';

create or replace function local_auth.verify(params jsonb, client jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_has_code constant boolean := coalesce(params ->> 'token', '') <> '';
  v_has_hash constant boolean := coalesce(params ->> 'token_hash', '') <> '';
  v_token auth.one_time_tokens;
  v_user auth.users;
begin
  if coalesce(params ->> 'type', '') = '' then
    perform local_auth.fail(400, 'validation_failed', 'Verify requires a verification type');
  end if;
  if v_has_code = v_has_hash then
    perform local_auth.fail(
      400, 'validation_failed', 'Verify requires either a token or a token hash'
    );
  end if;
  if local_auth.list_kinds(params ->> 'type') is null then
    perform local_auth.fail(400, 'validation_failed', 'Unsupported verification type');
  end if;

  v_token := local_auth.find_token(params);
  if v_token.id is null then
    return local_auth.refusal(
      403,
      'otp_expired',
      case
        when v_has_hash then 'Email link is invalid or has expired'
        else 'Token has expired or is invalid'
      end
    );
  end if;
  select u.* into v_user from auth.users as u where u.id = v_token.user_id;
  perform local_auth.require_not_banned(v_user.id, 403);

  if params ->> 'type' = 'email_change' then
    if v_user.email_change_confirm_status = 0 and coalesce(v_user.email, '') <> '' then
      delete from auth.one_time_tokens as t where t.id = v_token.id;
      update auth.users as u
      set
        email_change_confirm_status = 1,
        email_change_token_new = case
          when v_token.token_type = 'email_change_token_new' then ''
          else u.email_change_token_new
        end,
        email_change_token_current = case
          when v_token.token_type = 'email_change_token_current' then ''
          else u.email_change_token_current
        end,
        updated_at = now()
      where u.id = v_user.id;
      return '{"waits": true}';
    end if;
    perform local_auth.change_email(v_user.id);
  else
    perform local_auth.confirm_user(v_user.id);
  end if;
  perform local_auth.clear_codes(v_user.id);

  return jsonb_build_object('session', local_auth.start_session(v_user.id, 'otp', client));
end
$$;
comment on function local_auth.verify(jsonb, jsonb) is
  'Opens a code or a hash, once. A change of address waits for the code of the other address.';

create or replace function local_auth.change_email(user_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text := (select u.email_change from auth.users as u where u.id = change_email.user_id);
begin
  -- Another user may have signed up with the address since.
  if exists (select from auth.users as u where u.email = v_email and not u.is_sso_user) then
    perform local_auth.fail(
      422, 'email_exists', 'A user with this email address has already been registered'
    );
  end if;
  update auth.users as u
  set
    email = v_email,
    email_change = '',
    email_change_confirm_status = 0
  where u.id = change_email.user_id;
  update auth.identities as i
  set
    identity_data = i.identity_data || jsonb_build_object('email', v_email),
    updated_at = now()
  where i.user_id = change_email.user_id and i.provider = 'email';
  update auth.users as u
  set raw_user_meta_data = u.raw_user_meta_data || jsonb_build_object('email', v_email)
  where u.id = change_email.user_id and u.raw_user_meta_data ? 'email';
  perform local_auth.confirm_user(change_email.user_id);
end
$$;
comment on function local_auth.change_email(uuid) is 'Ends a change of address.';

create or replace function local_auth.refresh(params jsonb, client jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_session_id uuid;
  v_user_id uuid;
  v_token auth.refresh_tokens;
  v_issued text;
begin
  select t.session_id into v_session_id
  from auth.refresh_tokens as t
  where t.token = params ->> 'refresh_token';
  -- Two refreshes of a session wait for each other.
  select s.user_id into v_user_id
  from auth.sessions as s
  where s.id = v_session_id
  for update;
  select t.* into v_token
  from auth.refresh_tokens as t
  where t.token = params ->> 'refresh_token' and t.session_id = v_session_id;
  if v_token.id is null then
    perform local_auth.fail(
      400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found'
    );
  end if;
  perform local_auth.require_not_banned(v_user_id, 400);

  if v_token.revoked then
    if v_token.updated_at < now() - make_interval(
      secs => (select s.refresh_grace_seconds from local_auth.settings as s)
    ) then
      -- A thief and the owner both have the token: the session ends for both.
      delete from auth.sessions as s where s.id = v_session_id;
      return local_auth.refusal(
        400, 'refresh_token_already_used', 'Invalid Refresh Token: Already Used'
      );
    end if;
    -- The other tab of a browser: it gets the token that the first tab got.
    select t.token into v_issued
    from auth.refresh_tokens as t
    where t.session_id = v_session_id and not t.revoked;
  else
    update auth.refresh_tokens as t
    set revoked = true, updated_at = now()
    where t.id = v_token.id;
    v_issued := local_auth.insert_refresh_token(v_session_id, v_token.token);
  end if;

  update auth.sessions as s
  set
    refreshed_at = now() at time zone 'UTC',
    updated_at = now(),
    user_agent = client ->> 'user_agent',
    ip = (client ->> 'ip')::inet
  where s.id = v_session_id;

  return jsonb_build_object('session', local_auth.show_session(v_session_id, v_issued));
end
$$;
comment on function local_auth.refresh(jsonb, jsonb) is
  'Exchanges a refresh token. A token that was exchanged works for 10 s more; later it ends the '
  'session.';
