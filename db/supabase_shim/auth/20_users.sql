-- Plinth Supabase shim: the rules of the local Auth server, part 2: users, codes, sessions.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;
set local role supabase_auth_admin;

create or replace function local_auth.format_time(value timestamptz)
  returns text
  language sql
  stable
  set search_path = ''
return to_char(value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
comment on function local_auth.format_time(timestamptz) is 'A time as GoTrue writes it.';

create or replace function local_auth.show_identities(user_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = ''
return coalesce(
  (
    select jsonb_agg(
      jsonb_build_object(
        'identity_id', i.id,
        'id', i.provider_id,
        'user_id', i.user_id,
        'identity_data', i.identity_data,
        'provider', i.provider,
        'last_sign_in_at', local_auth.format_time(i.last_sign_in_at),
        'created_at', local_auth.format_time(i.created_at),
        'updated_at', local_auth.format_time(i.updated_at),
        'email', i.email
      )
      order by i.created_at, i.id
    )
    from auth.identities as i
    where i.user_id = show_identities.user_id
  ),
  '[]'
);
comment on function local_auth.show_identities(uuid) is
  'The identities of a user, as clients see them.';

create or replace function local_auth.show_user(shown auth.users)
  returns jsonb
  language sql
  stable
  set search_path = ''
return jsonb_strip_nulls(
  jsonb_build_object(
    'id', (shown).id,
    'aud', coalesce((shown).aud, ''),
    'role', coalesce((shown).role, ''),
    'email', coalesce((shown).email, ''),
    'email_confirmed_at', local_auth.format_time((shown).email_confirmed_at),
    'invited_at', local_auth.format_time((shown).invited_at),
    'phone', coalesce((shown).phone, ''),
    'phone_confirmed_at', local_auth.format_time((shown).phone_confirmed_at),
    'confirmation_sent_at', local_auth.format_time((shown).confirmation_sent_at),
    'confirmed_at', local_auth.format_time((shown).confirmed_at),
    'recovery_sent_at', local_auth.format_time((shown).recovery_sent_at),
    'new_email', nullif((shown).email_change, ''),
    'email_change_sent_at', local_auth.format_time((shown).email_change_sent_at),
    'last_sign_in_at', local_auth.format_time((shown).last_sign_in_at),
    'created_at', local_auth.format_time(coalesce((shown).created_at, now())),
    'updated_at', local_auth.format_time(coalesce((shown).updated_at, now())),
    'banned_until', local_auth.format_time((shown).banned_until),
    'deleted_at', local_auth.format_time((shown).deleted_at),
    'is_anonymous', (shown).is_anonymous
  )
) || jsonb_build_object(
  'app_metadata', coalesce((shown).raw_app_meta_data, '{}'),
  'user_metadata', coalesce((shown).raw_user_meta_data, '{}'),
  'identities', local_auth.show_identities((shown).id)
);
comment on function local_auth.show_user(auth.users) is 'A user, as clients see it.';

create or replace function local_auth.show_user(user_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = ''
return (select local_auth.show_user(u) from auth.users as u where u.id = user_id);
comment on function local_auth.show_user(uuid) is 'A user, as clients see it; null if unknown.';

-- Returns null if another user has the address. The second of two sign-ups for one address waits.
create or replace function local_auth.insert_user(
  email text,
  password_hash text,
  data jsonb,
  id uuid default null
)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid := coalesce(insert_user.id, gen_random_uuid());
  v_identity jsonb := coalesce(nullif(insert_user.data, 'null'), '{}') || jsonb_build_object(
    'sub', v_id,
    'email', insert_user.email,
    'email_verified', false,
    'phone_verified', false
  );
begin
  insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, confirmation_token, recovery_token,
    email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data, created_at,
    updated_at
  )
  values (
    '00000000-0000-0000-0000-000000000000', v_id, 'authenticated', 'authenticated',
    insert_user.email, coalesce(insert_user.password_hash, ''), '', '', '', '',
    '{"provider": "email", "providers": ["email"]}', v_identity, now(), now()
  )
  on conflict do nothing;
  if not found then
    return null;
  end if;

  insert into auth.identities (
    provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at
  )
  values (v_id::text, v_id, v_identity, 'email', now(), now(), now());

  return v_id;
end
$$;
comment on function local_auth.insert_user(text, text, jsonb, uuid) is
  'Creates a user with an identity; returns null if the address or the id has a user.';

create or replace function local_auth.lock_user(email text)
  returns auth.users
  language sql
  volatile
  set search_path = ''
as $$
  select u.*
  from auth.users as u
  where u.email = lock_user.email and not u.is_sso_user and u.deleted_at is null
  for update
$$;
comment on function local_auth.lock_user(text) is 'Returns the user of an address, locked.';

create or replace function local_auth.hash_code(token_id uuid, address text, code text)
  returns text
  language sql
  immutable
  set search_path = ''
return encode(
  sha224(convert_to(concat_ws(':', token_id, address, code), 'UTF8')), 'hex'
);
comment on function local_auth.hash_code(uuid, text, text) is
  'The hash of a code. It contains the id of its token, which nobody is told: without the id, who '
  'guesses codes could also guess the hash of each, and a hash is accepted without counting.';

create or replace function local_auth.store_code(
  user_id uuid,
  kind auth.one_time_token_type,
  address text,
  out code text,
  out hash text
)
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  code := lpad(
    (
      (('x' || encode(extensions.gen_random_bytes(7), 'hex'))::bit(56)::bigint) % 1000000
    )::text,
    6,
    '0'
  );
  hash := local_auth.hash_code(v_id, store_code.address, code);

  delete from auth.one_time_tokens as t
  where t.user_id = store_code.user_id and t.token_type = store_code.kind;
  insert into auth.one_time_tokens (
    id, user_id, token_type, token_hash, relates_to, created_at, updated_at
  )
  values (
    v_id, store_code.user_id, store_code.kind, hash, store_code.address,
    now() at time zone 'UTC', now() at time zone 'UTC'
  );

  update auth.users as u
  set
    confirmation_token = case
      when kind = 'confirmation_token' then hash else u.confirmation_token
    end,
    confirmation_sent_at = case
      when kind = 'confirmation_token' then now() else u.confirmation_sent_at
    end,
    recovery_token = case when kind = 'recovery_token' then hash else u.recovery_token end,
    recovery_sent_at = case when kind = 'recovery_token' then now() else u.recovery_sent_at end,
    email_change_token_new = case
      when kind = 'email_change_token_new' then hash else u.email_change_token_new
    end,
    email_change_token_current = case
      when kind = 'email_change_token_current' then hash else u.email_change_token_current
    end,
    email_change_sent_at = case
      when kind in ('email_change_token_new', 'email_change_token_current') then now()
      else u.email_change_sent_at
    end,
    reauthentication_token = case
      when kind = 'reauthentication_token' then hash else u.reauthentication_token
    end,
    reauthentication_sent_at = case
      when kind = 'reauthentication_token' then now() else u.reauthentication_sent_at
    end,
    updated_at = now()
  where u.id = store_code.user_id;
end
$$;
comment on function local_auth.store_code(uuid, auth.one_time_token_type, text) is
  'Makes a six-digit code, which replaces an earlier one of its kind. The user must be locked.';

create or replace function local_auth.clear_codes(user_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  delete from auth.one_time_tokens as t where t.user_id = clear_codes.user_id;
  update auth.users as u
  set
    confirmation_token = '',
    recovery_token = '',
    email_change_token_new = '',
    email_change_token_current = '',
    reauthentication_token = '',
    updated_at = now()
  where u.id = clear_codes.user_id;
end
$$;
comment on function local_auth.clear_codes(uuid) is 'Ends every code of a user.';

create or replace function local_auth.mail(kind text, address text, code text default null)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return jsonb_build_object(
  'kind', kind,
  'to', address,
  'code', code,
  'made_at', local_auth.format_time(clock_timestamp())
);
comment on function local_auth.mail(text, text, text) is
  'A mail for the server to write. made_at orders the mails of a user, who must be locked: the '
  'last mail has the code that is stored.';

create or replace function local_auth.send_confirmation(user_id uuid)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text := (select u.email from auth.users as u where u.id = send_confirmation.user_id);
begin
  return local_auth.mail(
    'confirmation',
    v_email,
    (local_auth.store_code(send_confirmation.user_id, 'confirmation_token', v_email)).code
  );
end
$$;
comment on function local_auth.send_confirmation(uuid) is 'The mail that confirms an address.';

create or replace function local_auth.send_email_change(user_id uuid, new_email text)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text;
  v_mails jsonb;
begin
  update auth.users as u
  set email_change = send_email_change.new_email, email_change_confirm_status = 0
  where u.id = send_email_change.user_id
  returning u.email into v_email;

  v_mails := jsonb_build_array(
    local_auth.mail(
      'email_change',
      send_email_change.new_email,
      (local_auth.store_code(user_id, 'email_change_token_new', new_email)).code
    )
  );
  if coalesce(v_email, '') <> '' then
    v_mails := v_mails || local_auth.mail(
      'email_change',
      v_email,
      (local_auth.store_code(user_id, 'email_change_token_current', v_email)).code
    );
  end if;

  return v_mails;
end
$$;
comment on function local_auth.send_email_change(uuid, text) is
  'The mails that confirm a change of address, to the new and to the current one.';

create or replace function local_auth.show_session(session_id uuid, refresh_token text)
  returns jsonb
  language sql
  stable
  set search_path = ''
return (
  select jsonb_build_object(
    'refresh_token', refresh_token,
    'expires_in', g.token_seconds,
    'user', local_auth.show_user(u),
    'claims', jsonb_build_object(
      'sub', u.id,
      'aud', coalesce(u.aud, 'authenticated'),
      'role', coalesce(u.role, 'authenticated'),
      'email', coalesce(u.email, ''),
      'phone', coalesce(u.phone, ''),
      'app_metadata', coalesce(u.raw_app_meta_data, '{}'),
      'user_metadata', coalesce(u.raw_user_meta_data, '{}'),
      'aal', coalesce(s.aal::text, 'aal1'),
      'amr', coalesce(
        (
          select jsonb_agg(
            jsonb_build_object(
              'method', a.authentication_method,
              'timestamp', floor(extract(epoch from a.updated_at))::bigint
            )
            order by a.updated_at desc
          )
          from auth.mfa_amr_claims as a
          where a.session_id = s.id
        ),
        '[]'
      ),
      'session_id', s.id,
      'is_anonymous', u.is_anonymous
    )
  )
  from auth.sessions as s
  join auth.users as u on u.id = s.user_id
  cross join local_auth.settings as g
  where s.id = show_session.session_id
);
comment on function local_auth.show_session(uuid, text) is
  'The session, with the claims of its access token for the server to sign.';

create or replace function local_auth.insert_refresh_token(
  session_id uuid,
  parent text default null
)
  returns text
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_token text := encode(extensions.gen_random_bytes(16), 'hex');
begin
  insert into auth.refresh_tokens (
    instance_id, token, user_id, revoked, created_at, updated_at, parent, session_id
  )
  select
    '00000000-0000-0000-0000-000000000000', v_token, s.user_id::text, false, now(), now(),
    insert_refresh_token.parent, s.id
  from auth.sessions as s
  where s.id = insert_refresh_token.session_id;

  return v_token;
end
$$;
comment on function local_auth.insert_refresh_token(uuid, text) is
  'Makes a refresh token of a session.';

create or replace function local_auth.start_session(user_id uuid, method text, client jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid := gen_random_uuid();
begin
  insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)
  values (
    v_id, start_session.user_id, now(), now(), 'aal1', client ->> 'user_agent',
    (client ->> 'ip')::inet
  );
  insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method)
  values (gen_random_uuid(), v_id, now(), now(), start_session.method);
  update auth.users as u
  set last_sign_in_at = now(), updated_at = now()
  where u.id = start_session.user_id;
  update auth.identities as i
  set last_sign_in_at = now(), updated_at = now()
  where i.user_id = start_session.user_id and i.provider = 'email';

  return local_auth.show_session(v_id, local_auth.insert_refresh_token(v_id));
end
$$;
comment on function local_auth.start_session(uuid, text, jsonb) is
  'Signs a user in. client: user_agent and ip.';

create or replace function local_auth.require_not_banned(user_id uuid, status integer)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if exists (
    select from auth.users as u where u.id = require_not_banned.user_id and u.banned_until > now()
  ) then
    perform local_auth.fail(require_not_banned.status, 'user_banned', 'User is banned');
  end if;
end
$$;
comment on function local_auth.require_not_banned(uuid, integer) is 'Refuses a banned user.';

create or replace function local_auth.confirm_user(user_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update auth.users as u
  set
    email_confirmed_at = coalesce(u.email_confirmed_at, now()),
    raw_user_meta_data = coalesce(u.raw_user_meta_data, '{}') || '{"email_verified": true}',
    updated_at = now()
  where u.id = confirm_user.user_id;
  update auth.identities as i
  set identity_data = i.identity_data || '{"email_verified": true}', updated_at = now()
  from auth.users as u
  where u.id = confirm_user.user_id
    and i.user_id = u.id
    and i.provider = 'email'
    and i.email = u.email;
end
$$;
comment on function local_auth.confirm_user(uuid) is 'Marks the address of a user as confirmed.';
