-- Plinth Supabase shim: roles, schemas public and extensions; Supabase's Postgres image has them.
--
-- Run whole, in one transaction, by the superuser `supabase_admin`, in each database to be prepared
-- and again at each start. The cluster comes from `initdb --username=supabase_admin`. Sets no
-- passwords. Changes a role only where it differs, and sets a setting only where the role has none:
-- operators may change those. Gives no default privileges, on purpose: every grant is explicit.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster (an advisory lock would reach one database only).
lock table pg_catalog.pg_authid in share update exclusive mode;

do $$
declare
  v_name text;
  v_role record;
begin
  -- Taking superuser away from somebody's administrator is not ours to do.
  select roles.rolname
  into v_name
  from pg_catalog.pg_roles as roles
  where roles.rolsuper
    and roles.rolname in (
      'anon', 'authenticated', 'service_role', 'authenticator', 'postgres',
      'supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin'
    )
  limit 1;

  if found then
    raise exception 'Role "%" is a superuser here; on Supabase it is not.', v_name
      using hint = 'Use a cluster made with: initdb --username=supabase_admin';
  end if;

  -- inherit: on Supabase only `authenticator` and the services' roles have noinherit.
  for v_role in
    select wanted.*, existing.rolname is null as is_new
    from (
      values
        -- name, login, inherit, createrole, createdb, replication, bypassrls
        ('anon', false, true, false, false, false, false),
        ('authenticated', false, true, false, false, false, false),
        ('service_role', false, true, false, false, false, true),
        ('authenticator', true, false, false, false, false, false),
        ('postgres', true, true, true, true, true, true),
        ('supabase_auth_admin', true, false, false, false, false, false),
        ('supabase_storage_admin', true, false, true, false, false, false),
        ('supabase_realtime_admin', true, false, false, false, true, false)
    ) as wanted (
      name, has_login, has_inherit, has_createrole, has_createdb, has_replication, has_bypassrls
    )
    left join pg_catalog.pg_roles as existing on existing.rolname = wanted.name
    where existing.rolname is null
      or (
        existing.rolcanlogin, existing.rolinherit, existing.rolcreaterole,
        existing.rolcreatedb, existing.rolreplication, existing.rolbypassrls
      ) is distinct from (
        wanted.has_login, wanted.has_inherit, wanted.has_createrole,
        wanted.has_createdb, wanted.has_replication, wanted.has_bypassrls
      )
  loop
    execute format(
      '%s role %I with %s %s %s %s %s %s',
      case when v_role.is_new then 'create' else 'alter' end,
      v_role.name,
      case when v_role.has_login then 'login' else 'nologin' end,
      case when v_role.has_inherit then 'inherit' else 'noinherit' end,
      case when v_role.has_createrole then 'createrole' else 'nocreaterole' end,
      case when v_role.has_createdb then 'createdb' else 'nocreatedb' end,
      case when v_role.has_replication then 'replication' else 'noreplication' end,
      case when v_role.has_bypassrls then 'bypassrls' else 'nobypassrls' end
    );
  end loop;

  -- "\$user" stands so on Supabase: it names no schema, so the path is public, extensions.
  for v_role in
    select wanted.name, wanted.setting, wanted.value
    from (
      values
        -- name, setting, value as SQL
        ('anon', 'statement_timeout', '''3s'''),
        ('authenticated', 'statement_timeout', '''8s'''),
        ('authenticator', 'statement_timeout', '''8s'''),
        ('authenticator', 'lock_timeout', '''8s'''),
        ('postgres', 'search_path', '"\$user", public, extensions'),
        ('supabase_auth_admin', 'search_path', 'auth'),
        ('supabase_storage_admin', 'search_path', 'storage')
    ) as wanted (name, setting, value)
    where not exists (
      select
      from pg_catalog.pg_db_role_setting as settings
      cross join unnest(settings.setconfig) as config (line)
      where settings.setdatabase = 0
        and settings.setrole = wanted.name::regrole
        and starts_with(config.line, wanted.setting || '=')
    )
  loop
    execute format('alter role %I set %I to %s', v_role.name, v_role.setting, v_role.value);
  end loop;

  -- With admin option, as on Supabase: since Postgres 16 altering a role needs it.
  for v_role in
    select wanted.member, wanted.role, wanted.has_admin
    from (
      values
        ('authenticator', 'anon', false),
        ('authenticator', 'authenticated', false),
        ('authenticator', 'service_role', false),
        ('postgres', 'anon', true),
        ('postgres', 'authenticated', true),
        ('postgres', 'service_role', true),
        ('postgres', 'authenticator', true),
        ('postgres', 'pg_monitor', true),
        ('postgres', 'pg_read_all_data', true),
        ('postgres', 'pg_signal_backend', true)
    ) as wanted (member, role, has_admin)
    where not exists (
      select
      from pg_catalog.pg_auth_members as members
      where members.member = wanted.member::regrole
        and members.roleid = wanted.role::regrole
        and (members.admin_option or not wanted.has_admin)
    )
  loop
    execute format(
      'grant %I to %I%s',
      v_role.role,
      v_role.member,
      case when v_role.has_admin then ' with admin option' else '' end
    );
  end loop;

  -- Lets postgres say `alter role authenticator set pgrst.x = ...`. Plain Postgres leaves settings
  -- that it does not know to superusers; on Supabase the extension supautils allows pgrst.*.
  for v_name in
    select wanted.name
    from (
      values
        ('pgrst.db_aggregates_enabled'),
        ('pgrst.db_extra_search_path'),
        ('pgrst.db_max_rows'),
        ('pgrst.db_pre_request'),
        ('pgrst.db_schemas'),
        ('pgrst.openapi_mode')
    ) as wanted (name)
    where not has_parameter_privilege('postgres', wanted.name, 'set')
  loop
    execute format('grant set on parameter %s to postgres', v_name);
  end loop;
end
$$;

-- The mark: whoever finds it may run this file again.
comment on role authenticator is 'Plinth Supabase shim';

-- This database belongs to postgres, and so does the right to create in schema public.
do $$
begin
  if exists (
    select
    from pg_catalog.pg_database as databases
    where databases.datname = current_database()
      and databases.datdba <> 'postgres'::regrole
  ) then
    execute format('alter database %I owner to postgres', current_database());
  end if;
end
$$;

alter schema public owner to pg_database_owner;
revoke create on schema public from public;
grant usage on schema public to postgres, anon, authenticated, service_role;

create schema if not exists extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;

do $$
declare
  v_name text;
begin
  foreach v_name in array array['pgcrypto', 'uuid-ossp', 'pg_stat_statements'] loop
    -- Apart, because looking for what is available reads every control file.
    if not exists (select from pg_catalog.pg_extension where extname = v_name) then
      if exists (select from pg_catalog.pg_available_extensions where name = v_name) then
        execute format('create extension %I with schema extensions', v_name);
      end if;
    end if;
  end loop;
end
$$;

-- pg_cron, in the one database where it can live, with the privileges that Supabase gives. Once
-- only: the revokes fail as soon as postgres has passed a privilege on.
do $$
begin
  if current_setting('cron.database_name', true) is distinct from current_database() then
    return;
  end if;

  if not exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
    if not exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron') then
      return;
    end if;

    create extension pg_cron with schema pg_catalog;
  end if;

  if not has_schema_privilege('postgres', 'cron', 'usage with grant option') then
    grant usage on schema cron to postgres with grant option;
    grant all on all functions in schema cron to postgres with grant option;
    grant all on all tables in schema cron to postgres with grant option;
    revoke all on cron.job from postgres;
    grant select on cron.job to postgres with grant option;
    revoke trigger on cron.job_run_details from postgres;
  end if;
end
$$;
