-- Asserts what belongs to the database or to the cluster: roles, privileges of the database, a
-- policy of every table, the trigger on auth.users, the publication. A dump of a database leaves
-- some of these out, and a migration runs only once. So npm run db:migrate applies this file each
-- time, after all other files. Each block writes only where something differs.
-- npm run db:migrate asserts default privileges itself, before all files: files create objects.

-- Roles and their settings. Roles belong to the cluster. npm run db:migrate creates worker and
-- sidecar if they are missing.
do $$
declare
  v_role record;
begin
  for v_role in
    select r.rolname as name
    from pg_catalog.pg_roles as r
    where r.rolname in ('worker', 'sidecar')
      and (r.rolinherit or r.rolcreaterole or r.rolcreatedb or not r.rolcanlogin)
  loop
    execute format('alter role %I login noinherit nocreaterole nocreatedb', v_role.name);
  end loop;

  for v_role in
    select w.name, w.setting, w.value
    from (
      values
        ('worker', 'statement_timeout', '30s'),
        ('worker', 'idle_in_transaction_session_timeout', '60s'),
        ('sidecar', 'statement_timeout', '10s'),
        -- A session that waits for a row of one asset must not delay others.
        ('sidecar', 'lock_timeout', '2s'),
        ('sidecar', 'idle_in_transaction_session_timeout', '30s'),
        -- Sessions end soon after their process or its network is gone.
        ('worker', 'tcp_user_timeout', '20s'),
        ('sidecar', 'tcp_user_timeout', '20s'),
        ('worker', 'tcp_keepalives_idle', '30'),
        ('sidecar', 'tcp_keepalives_idle', '30'),
        ('worker', 'tcp_keepalives_interval', '10'),
        ('sidecar', 'tcp_keepalives_interval', '10'),
        ('worker', 'tcp_keepalives_count', '3'),
        ('sidecar', 'tcp_keepalives_count', '3'),
        ('worker', 'client_connection_check_interval', '2s'),
        ('sidecar', 'client_connection_check_interval', '2s'),
        -- Without this function, API keys and the limit of a body's size are off.
        ('authenticator', 'pgrst.db_pre_request', 'gate.pre_request')
    ) as w (name, setting, value)
    where not exists (
      select
      from pg_catalog.pg_db_role_setting as s
      where s.setdatabase = 0
        and s.setrole = w.name::regrole
        and w.setting || '=' || w.value = any (s.setconfig)
    )
  loop
    execute format('alter role %I set %s to %L', v_role.name, v_role.setting, v_role.value);

    if v_role.name = 'authenticator' then
      notify pgrst, 'reload config';
    end if;
  end loop;

  -- Neither role can use up the connections of the API: ten workers with 17 connections each, and
  -- five sidecars with 10 each, fit, or a share of the connections of a smaller server. Operators
  -- may set another limit, so only a role without a limit (-1) gets one.
  for v_role in
    select
      w.name,
      least(w.most, current_setting('max_connections')::integer * w.percent / 100) as most
    from (values ('worker', 170, 85), ('sidecar', 50, 25)) as w (name, most, percent)
    join pg_catalog.pg_roles as r on r.rolname = w.name
    where r.rolconnlimit = -1
  loop
    execute format('alter role %I connection limit %s', v_role.name, v_role.most);
  end loop;
end
$$;

-- Postgres searches pg_temp for types before pg_catalog, also under an empty search_path. A role
-- that may create temporary objects could therefore replace a type inside a definer function, and
-- run code as postgres.
do $$
declare
  v_role text;
begin
  if exists (
    select
    from pg_catalog.pg_database as d
    cross join aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
    where d.datname = current_database()
      and a.grantee = 0
      and a.privilege_type in ('TEMPORARY', 'CREATE')
  ) then
    execute format('revoke temporary, create on database %I from public', current_database());
  end if;

  for v_role in
    select r.rolname
    from pg_catalog.pg_roles as r
    where r.rolname
        in ('anon', 'authenticated', 'service_role', 'authenticator', 'worker', 'sidecar')
      and has_database_privilege(r.oid, current_database(), 'temporary, create')
  loop
    execute format('revoke temporary, create on database %I from %I', current_database(), v_role);

    if has_database_privilege(v_role, current_database(), 'temporary, create') then
      raise insufficient_privilege using
        message = format(
          'Role %s may create objects in database %s: it could run code as postgres.',
          v_role, current_database()
        ),
        hint = format(
          'As a superuser: alter database %I owner to postgres. Revoke what other roles granted to '
          'role %s, and its memberships. Then run npm run db:migrate again.',
          current_database(), v_role
        );
    end if;
  end loop;
end
$$;

-- The doors of worker and sidecar.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['worker', 'sidecar'] loop
    if not has_schema_privilege(v_role, v_role, 'usage') then
      execute format('grant usage on schema %I to %I', v_role, v_role);
    end if;
  end loop;
end
$$;

-- Clients see no estimates of the planner: app.is_executed says why.
do $$
declare
  v_table record;
begin
  for v_table in
    select c.oid::regclass as name
    from pg_catalog.pg_class as c
    where c.relnamespace = 'public'::regnamespace
      and c.relkind in ('r', 'p')
      and c.relrowsecurity
      and (
        has_any_column_privilege('anon', c.oid, 'select')
        or has_any_column_privilege('authenticated', c.oid, 'select')
      )
      and not exists (
        select
        from pg_catalog.pg_policy as p
        where p.polrelid = c.oid
          and p.polname = 'select_executed'
          and not p.polpermissive
          and pg_get_expr(p.polqual, p.polrelid) = 'app.is_executed()'
      )
  loop
    execute format('drop policy if exists select_executed on %s', v_table.name);
    execute format(
      'create policy select_executed on %s as restrictive for select to anon, authenticated '
      'using (app.is_executed())',
      v_table.name
    );
  end loop;
end
$$;

-- The profile of each new auth user. Schema auth is Supabase's: a dump of our schemas does not
-- contain this trigger.
do $$
begin
  if exists (
    select
    from pg_catalog.pg_trigger as t
    where t.tgrelid = 'auth.users'::regclass
      and t.tgname = '_100_create_profile'
      and t.tgfoid = 'app.tg_users__create_profile()'::regprocedure
      and t.tgenabled = 'O'
  ) then
    return;
  end if;

  create or replace trigger _100_create_profile
    after insert on auth.users
    referencing new table as new_users
    for each statement
    execute function app.tg_users__create_profile();

  -- Users who signed up while the trigger was missing.
  insert into public.users (id)
  select u.id
  from auth.users as u
  on conflict on constraint users_pkey do nothing;
end
$$;

-- Deletions of users lock their runs first: see app.tg_users__lock_runs.
do $$
begin
  if not exists (
    select
    from pg_catalog.pg_trigger as t
    where t.tgrelid = 'auth.users'::regclass
      and t.tgname = '_050_lock_runs'
      and t.tgfoid = 'app.tg_users__lock_runs()'::regprocedure
      and t.tgenabled = 'O'
  ) then
    create or replace trigger _050_lock_runs
      before delete on auth.users
      for each row
      execute function app.tg_users__lock_runs();
  end if;
end
$$;

-- Realtime reads the names of these tables. It sends the rows that a policy shows, with the columns
-- that the role may select; Realtime ignores column lists and row filters of a publication. The
-- publication keeps other tables that an operator added, except jobs, because Realtime would send
-- each deletion of a step to every subscriber (ADR 24).
do $$
declare
  v_table record;
begin
  if not exists (
    select from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime'
  ) then
    create publication supabase_realtime;
  end if;

  -- A publication for all tables has no list of tables to change.
  if exists (
    select
    from pg_catalog.pg_publication as p
    where p.pubname = 'supabase_realtime' and p.puballtables
  ) then
    return;
  end if;

  for v_table in
    select w.name, w.is_wanted, r.oid is not null as is_published
    from (
      values
        ('runs', true),
        ('dramas', true),
        ('episodes', true),
        ('scenes', true),
        ('tasks', true),
        ('orders', true),
        ('users', true),
        ('notifications', true),
        ('plans', true),
        ('tools', true),
        ('hairstyles', true),
        ('colors', true),
        ('generations', true),
        ('jobs', false)
    ) as w (name, is_wanted)
    left join pg_catalog.pg_publication_rel as r
      on r.prrelid = format('public.%I', w.name)::regclass
      and r.prpubid = (
        select p.oid from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime'
      )
    where w.is_wanted <> (r.oid is not null)
      or r.prattrs is not null
      or r.prqual is not null
  loop
    if v_table.is_published then
      execute format('alter publication supabase_realtime drop table public.%I', v_table.name);
    end if;
    if v_table.is_wanted then
      execute format('alter publication supabase_realtime add table public.%I', v_table.name);
    end if;
  end loop;
end
$$;
