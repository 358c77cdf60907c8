-- Plinth Supabase shim: publication supabase_realtime, and what the local Realtime server reads.
--
-- Run whole, in one transaction, by the superuser `supabase_admin`, after roles.sql, again at each
-- start. Only scripts/local/realtime uses schema local_realtime, as supabase_realtime_admin. On
-- Supabase the schema does not exist; Supabase Realtime has its own schema, realtime.

-- Below warning: with wal_level below logical, Postgres warns that nothing could be published.
set local client_min_messages = error;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;

do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
    alter publication supabase_realtime owner to postgres;
  end if;
end
$$;

comment on publication supabase_realtime is 'Plinth Supabase shim';

-- The server asks policies as the subscriber, so it must be able to become every role of a token.
do $$
begin
  if not pg_has_role('supabase_realtime_admin', 'authenticator', 'member') then
    grant authenticator to supabase_realtime_admin;
  end if;
end
$$;

create schema if not exists local_realtime;
comment on schema local_realtime is 'Plinth Supabase shim: the local Realtime server';
grant usage on schema local_realtime to supabase_realtime_admin;

-- local_realtime.copy_publication
--
-- Copies the tables of supabase_realtime into the publication local_realtime, which pgoutput
-- decodes. Returns whether something changed.
-- Why  Supabase Realtime decodes with wal2json. It reads only the names of the published tables:
--      column lists and row filters of the publication do nothing there, and would do here.
create or replace function local_realtime.copy_publication()
  returns boolean
  language plpgsql
  volatile
  security definer
  set search_path = ''
  set lock_timeout = '2s'
as $$
declare
  v_tables text[];
  v_options text;
begin
  select
    coalesce(
      (
        select array_agg(t.name order by t.name)
        from pg_catalog.pg_publication_tables as pt
        cross join lateral format('%I.%I', pt.schemaname, pt.tablename) as t (name)
        where pt.pubname = 'supabase_realtime'
      ),
      '{}'
    ),
    format(
      'publish = %L, publish_via_partition_root = %L',
      concat_ws(
        ', ',
        case when p.pubinsert then 'insert' end,
        case when p.pubupdate then 'update' end,
        case when p.pubdelete then 'delete' end
      ),
      coalesce(p.pubviaroot, false)::text
    )
  into v_tables, v_options
  from (select) as one
  left join pg_catalog.pg_publication as p on p.pubname = 'supabase_realtime';

  if v_options = obj_description(
    (select p.oid from pg_catalog.pg_publication as p where p.pubname = 'local_realtime'),
    'pg_publication'
  )
  and v_tables = coalesce(
    (
      select array_agg(t.name order by t.name)
      from pg_catalog.pg_publication_tables as pt
      cross join lateral format('%I.%I', pt.schemaname, pt.tablename) as t (name)
      where pt.pubname = 'local_realtime'
    ),
    '{}'
  ) then
    return false;
  end if;

  drop publication if exists local_realtime;
  execute format(
    'create publication local_realtime %s with (%s)',
    'for table ' || nullif(array_to_string(v_tables, ', '), ''),
    v_options
  );
  -- The comment holds the options, so that the next call can compare them.
  execute format('comment on publication local_realtime is %L', v_options);
  return true;
end
$$;

-- local_realtime.json_kind
--
-- Returns how to_jsonb writes a value of the type: boolean, number, json, timestamp, timestamptz,
-- bytea, text; an array is "[", its delimiter and the kind of its elements. "other" is what only
-- Postgres can write.
create or replace function local_realtime.json_kind(type_id oid)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_type pg_catalog.pg_type;
begin
  select t.* into strict v_type from pg_catalog.pg_type as t where t.oid = json_kind.type_id;

  if v_type.typtype = 'd' then
    return local_realtime.json_kind(v_type.typbasetype);
  end if;

  if v_type.typelem <> 0 and v_type.typlen = -1 and v_type.typcategory = 'A' then
    return '[' || v_type.typdelim::text || local_realtime.json_kind(v_type.typelem);
  end if;

  return case
    when v_type.oid = 'bool'::regtype then 'boolean'
    when v_type.oid = any (
      '{int2,int4,int8,float4,float8,numeric}'::regtype[]
    ) then 'number'
    when v_type.oid in ('json'::regtype, 'jsonb'::regtype) then 'json'
    when v_type.oid = 'timestamp'::regtype then 'timestamp'
    when v_type.oid = 'timestamptz'::regtype then 'timestamptz'
    when v_type.oid = 'bytea'::regtype then 'bytea'
    when v_type.typtype = 'c' then 'other'
    -- A type of an extension may have a cast to json.
    when exists (
      select
      from pg_catalog.pg_cast as c
      where c.castsource = v_type.oid and c.casttarget = 'json'::regtype and c.castfunc <> 0
    ) then 'other'
    else 'text'
  end;
end
$$;

-- local_realtime.describe_table
--
-- Returns {schema, name, has_rls, key, columns, selectable}: key is the names of the primary key's
-- columns, selectable the columns that each of these roles may select.
create or replace function local_realtime.describe_table(table_id oid, roles text[])
  returns jsonb
  language sql
  stable
  set search_path = ''
as $$
  select jsonb_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'has_rls', c.relrowsecurity,
    'key', coalesce(
      (
        select jsonb_agg(a.attname order by k.place)
        from pg_catalog.pg_constraint as pk
        cross join lateral unnest(pk.conkey) with ordinality as k (attnum, place)
        join pg_catalog.pg_attribute as a on a.attrelid = pk.conrelid and a.attnum = k.attnum
        where pk.conrelid = c.oid and pk.contype = 'p'
      ),
      '[]'
    ),
    'columns', (
      select jsonb_agg(
        jsonb_build_object(
          'name', a.attname,
          'type', t.typname,
          'type_id', t.oid::bigint,
          -- With -1, char(n) is bpchar: a cast to "character" keeps one character.
          'sql_type', format_type(a.atttypid, -1),
          'kind', local_realtime.json_kind(a.atttypid),
          -- Values of these types are equal exactly if their texts are.
          'comparison', case
            when b.id = any ('{int2,int4,int8,oid}'::regtype[]) then 'integer'
            when b.id = any (
              '{bool,uuid,text,varchar,name,date,timestamp,timestamptz,bytea}'::regtype[]
            ) then 'text'
            when exists (
              select from pg_catalog.pg_type as e where e.oid = b.id and e.typtype = 'e'
            ) then 'text'
            else 'sql'
          end,
          'has_like', exists (
            select
            from pg_catalog.pg_operator as o
            where o.oprname = '~~' and o.oprleft = a.atttypid
          ),
          'has_regex', exists (
            select
            from pg_catalog.pg_operator as o
            where o.oprname = '~'
              and o.oprleft = a.atttypid
              and o.oprright = a.atttypid
              and o.oprresult = 'bool'::regtype
          )
        )
        order by a.attnum
      )
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_type as t on t.oid = a.atttypid
      cross join lateral (
        select case t.typtype when 'd' then t.typbasetype else t.oid end as id
      ) as b
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ),
    'selectable', (
      select coalesce(
        jsonb_object_agg(
          r.rolname,
          (
            select coalesce(jsonb_agg(a.attname order by a.attnum), '[]')
            from pg_catalog.pg_attribute as a
            where a.attrelid = c.oid
              and a.attnum > 0
              and not a.attisdropped
              and has_column_privilege(r.rolname, c.oid, a.attnum, 'select')
          )
        ),
        '{}'
      )
      from pg_catalog.pg_roles as r
      where r.rolname = any (describe_table.roles)
    )
  )
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where c.oid = describe_table.table_id
$$;

revoke execute on all functions in schema local_realtime from public;
grant execute on all functions in schema local_realtime to supabase_realtime_admin;
