-- Plinth Supabase shim: the rules of the local Auth server, part 5: what the service key may do.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;
set local role supabase_auth_admin;

create or replace function local_auth.lock_user_by_id(user_id text)
  returns auth.users
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_user auth.users;
begin
  if not local_auth.is_uuid(lock_user_by_id.user_id) then
    perform local_auth.fail(404, 'validation_failed', 'user_id must be an UUID');
  end if;
  select u.* into v_user
  from auth.users as u
  where u.id = lock_user_by_id.user_id::uuid
  for update;
  if not found then
    perform local_auth.fail(404, 'user_not_found', 'User not found');
  end if;

  return v_user;
end
$$;
comment on function local_auth.lock_user_by_id(text) is
  'Returns a user, locked; 404 user_not_found.';

create or replace function local_auth.parse_ban(duration text)
  returns timestamptz
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if parse_ban.duration = 'none' then
    return null;
  end if;
  if parse_ban.duration !~ '^(\d{1,9}(\.\d{1,9})?(h|m|s|ms|us|ns))+$' then
    perform local_auth.fail(
      400,
      'validation_failed',
      format('invalid format for ban duration: time: invalid duration "%s"', parse_ban.duration)
    );
  end if;

  return now() + (
    select sum(
      (part.match)[1]::double precision * case (part.match)[3]
        when 'h' then interval '1 hour'
        when 'm' then interval '1 minute'
        when 's' then interval '1 second'
        when 'ms' then interval '1 millisecond'
        else interval '0'
      end
    )
    from regexp_matches(
      parse_ban.duration, '(\d+(\.\d+)?)(h|ms|m|s|us|ns)', 'g'
    ) as part (match)
  );
end
$$;
comment on function local_auth.parse_ban(text) is
  'Until when a ban of this duration lasts, such as 24h or 1h30m; null for none.';

create or replace function local_auth.apply_admin_params(user_id uuid, params jsonb)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update auth.users as u
  set
    role = coalesce(nullif(params ->> 'role', ''), u.role),
    raw_app_meta_data = local_auth.merge_data(u.raw_app_meta_data, params -> 'app_metadata'),
    raw_user_meta_data = local_auth.merge_data(u.raw_user_meta_data, params -> 'user_metadata'),
    banned_until = case
      when coalesce(params ->> 'ban_duration', '') = '' then u.banned_until
      else local_auth.parse_ban(params ->> 'ban_duration')
    end,
    updated_at = now()
  where u.id = apply_admin_params.user_id;
  if (params ->> 'email_confirm')::boolean then
    perform local_auth.confirm_user(apply_admin_params.user_id);
    perform local_auth.clear_codes(apply_admin_params.user_id);
  end if;
end
$$;
comment on function local_auth.apply_admin_params(uuid, jsonb) is
  'The changes that creating and updating a user share.';

create or replace function local_auth.parse_password_hash(password_hash text)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if parse_password_hash.password_hash !~ '^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$' then
    perform local_auth.fail(
      400,
      'validation_failed',
      'The local Auth server accepts only bcrypt as password_hash'
    );
  end if;

  return parse_password_hash.password_hash;
end
$$;
comment on function local_auth.parse_password_hash(text) is
  'A bcrypt hash; 400 for any other text.';

create or replace function local_auth.create_user(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_email text;
  v_id uuid;
  v_hash text;
begin
  if coalesce(params ->> 'email', '') = '' then
    perform local_auth.fail(
      400, 'validation_failed', 'Cannot create a user without either an email or phone'
    );
  end if;
  v_email := local_auth.require_email(params ->> 'email');
  if coalesce(params ->> 'id', '') <> '' and not local_auth.is_uuid(params ->> 'id') then
    perform local_auth.fail(
      400, 'validation_failed', 'ID must conform to the uuid v4 format'
    );
  end if;
  if params ->> 'password' is not null and coalesce(params ->> 'password_hash', '') <> '' then
    perform local_auth.fail(
      400, 'validation_failed', 'Only a password or a password hash should be provided'
    );
  end if;
  if octet_length(params ->> 'password') > 72 then
    perform local_auth.fail(
      400, 'validation_failed', 'bcrypt: password length exceeds 72 bytes'
    );
  end if;
  v_hash := case
    when coalesce(params ->> 'password', '') <> ''
    then local_auth.hash_password(params ->> 'password')
    when coalesce(params ->> 'password_hash', '') <> ''
    then local_auth.parse_password_hash(params ->> 'password_hash')
  end;

  v_id := local_auth.insert_user(
    v_email, v_hash, params -> 'user_metadata', nullif(params ->> 'id', '')::uuid
  );
  if v_id is null then
    if exists (select from auth.users as u where u.email = v_email and not u.is_sso_user) then
      perform local_auth.fail(
        422, 'email_exists', 'A user with this email address has already been registered'
      );
    end if;
    perform local_auth.fail(422, 'conflict', 'A user with this id already exists');
  end if;
  perform local_auth.apply_admin_params(v_id, params - 'user_metadata');

  return jsonb_build_object('user', local_auth.show_user(v_id));
end
$$;
comment on function local_auth.create_user(jsonb) is 'Creates a user; 422 email_exists.';

create or replace function local_auth.admin_get_user(user_id text)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return jsonb_build_object(
  'user', local_auth.show_user(local_auth.lock_user_by_id(user_id))
);
comment on function local_auth.admin_get_user(text) is 'A user by id.';

create or replace function local_auth.admin_update_user(user_id text, params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_hash text;
  v_email text;
  v_id uuid;
begin
  if params ->> 'password' is not null then
    perform local_auth.require_password(params ->> 'password');
    v_hash := local_auth.hash_password(params ->> 'password');
  elsif coalesce(params ->> 'password_hash', '') <> '' then
    v_hash := local_auth.parse_password_hash(params ->> 'password_hash');
  end if;
  if coalesce(params ->> 'email', '') <> '' then
    v_email := local_auth.require_email(params ->> 'email');
  end if;

  v_id := (local_auth.lock_user_by_id(admin_update_user.user_id)).id;
  if v_email is not null then
    if exists (
      select from auth.users as u where u.email = v_email and not u.is_sso_user and u.id <> v_id
    ) then
      perform local_auth.fail(
        422, 'email_exists', 'A user with this email address has already been registered'
      );
    end if;
    update auth.users as u set email = v_email where u.id = v_id;
    update auth.identities as i
    set
      identity_data = i.identity_data || jsonb_build_object('email', v_email),
      updated_at = now()
    where i.user_id = v_id and i.provider = 'email';
    -- A code that was mailed to the earlier address must not open the account.
    perform local_auth.clear_codes(v_id);
  end if;
  if v_hash is not null then
    perform local_auth.set_password(v_id, v_hash, null);
  end if;
  perform local_auth.apply_admin_params(v_id, params);

  return jsonb_build_object('user', local_auth.show_user(v_id));
end
$$;
comment on function local_auth.admin_update_user(text, jsonb) is
  'Changes a user without asking the user.';

create or replace function local_auth.delete_user(user_id text, is_soft boolean)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_user auth.users := local_auth.lock_user_by_id(delete_user.user_id);
begin
  if not delete_user.is_soft then
    delete from auth.users as u where u.id = v_user.id;
  elsif v_user.deleted_at is null then
    perform local_auth.clear_codes(v_user.id);
    -- The address is free again, and its hash still tells whether it was this one.
    update auth.users as u
    set
      email = encode(sha256(convert_to(u.id || u.email, 'UTF8')), 'hex'),
      email_change = '',
      encrypted_password = '',
      raw_app_meta_data = '{}',
      raw_user_meta_data = '{}',
      deleted_at = now(),
      updated_at = now()
    where u.id = v_user.id;
    update auth.identities as i
    set
      provider_id = encode(sha256(convert_to(v_user.id || i.provider_id, 'UTF8')), 'hex'),
      identity_data = '{}',
      updated_at = now()
    where i.user_id = v_user.id;
    delete from auth.sessions as s where s.user_id = v_user.id;
  end if;

  return '{}';
end
$$;
comment on function local_auth.delete_user(text, boolean) is
  'Deletes a user; softly: keeps the row, without anything that tells who it was.';

create or replace function local_auth.list_users(page bigint, per_page bigint, filter text)
  returns jsonb
  language sql
  stable
  set search_path = ''
return jsonb_build_object(
  'total', (select count(*) from auth.users as u where u.aud = 'authenticated'),
  'users', coalesce(
    (
      select jsonb_agg(local_auth.show_user(u.id) order by u.created_at desc, u.id)
      from (
        select page_users.*
        from auth.users as page_users
        where page_users.aud = 'authenticated'
          and (filter is null or strpos(coalesce(page_users.email, ''), lower(filter)) > 0)
        order by page_users.created_at desc, page_users.id
        limit per_page
        offset (page - 1) * per_page
      ) as u
    ),
    '[]'
  )
);
comment on function local_auth.list_users(bigint, bigint, text) is 'A page of users, newest first.';

create or replace function local_auth.generate_link(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_type text := params ->> 'type';
  v_email text := local_auth.require_email(params ->> 'email');
  v_new_email text;
  v_hash text;
  v_user auth.users;
  v_code record;
begin
  if coalesce(v_type, '') not in (
    'signup', 'invite', 'magiclink', 'recovery', 'email_change_current', 'email_change_new'
  ) then
    perform local_auth.fail(
      400,
      'validation_failed',
      format('Invalid email action link type requested: %s', v_type)
    );
  end if;
  v_user := local_auth.lock_user(v_email);

  if v_type in ('signup', 'invite') and v_user.email_confirmed_at is not null then
    perform local_auth.fail(
      422, 'email_exists', 'A user with this email address has already been registered'
    );
  end if;
  if v_user.id is null then
    if v_type in ('recovery', 'email_change_current', 'email_change_new') then
      perform local_auth.fail(404, 'user_not_found', 'User with this email not found');
    end if;
    if v_type = 'signup' then
      if coalesce(params ->> 'password', '') = '' then
        perform local_auth.fail(400, 'validation_failed', 'Signup requires a valid password');
      end if;
      perform local_auth.require_password(params ->> 'password');
      v_hash := local_auth.hash_password(params ->> 'password');
    elsif v_type = 'magiclink' then
      v_type := 'signup';
    end if;
    perform local_auth.insert_user(v_email, v_hash, params -> 'data');
    v_user := local_auth.lock_user(v_email);
  end if;

  if v_type like 'email_change_%' then
    v_new_email := local_auth.require_email(params ->> 'new_email');
    if exists (
      select
      from auth.users as u
      where u.email = v_new_email and not u.is_sso_user and u.id <> v_user.id
    ) then
      perform local_auth.fail(
        422, 'email_exists', 'A user with this email address has already been registered'
      );
    end if;
    update auth.users as u
    set email_change = v_new_email, email_change_confirm_status = 0
    where u.id = v_user.id;
  end if;
  if v_type = 'invite' then
    update auth.users as u set invited_at = now() where u.id = v_user.id;
  end if;

  v_code := local_auth.store_code(
    v_user.id,
    case
      when v_type in ('signup', 'invite') then 'confirmation_token'
      when v_type in ('magiclink', 'recovery') then 'recovery_token'
      when v_type = 'email_change_current' then 'email_change_token_current'
      else 'email_change_token_new'
    end::auth.one_time_token_type,
    case when v_type = 'email_change_new' then v_new_email else v_email end
  );

  return jsonb_build_object(
    'user', local_auth.show_user(v_user.id),
    'email_otp', v_code.code,
    'hashed_token', v_code.hash,
    'verification_type', v_type
  );
end
$$;
comment on function local_auth.generate_link(jsonb) is
  'Makes a code and its link for the caller to send. Mails nothing.';

create or replace function local_auth.invite(params jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_link jsonb;
begin
  perform local_auth.count_mail(local_auth.require_email(params ->> 'email'));
  v_link := local_auth.generate_link(params || '{"type": "invite"}');

  return jsonb_build_object(
    'user', v_link -> 'user',
    'mails', jsonb_build_array(
      local_auth.mail('invite', v_link -> 'user' ->> 'email', v_link ->> 'email_otp')
    )
  );
end
$$;
comment on function local_auth.invite(jsonb) is 'Creates a user and mails an invitation.';
