import { byCaller, byRole, isExtensions, policyLine, triggerLine } from './catalog_sql.ts'

/** Without memberships of postgres: the implicit membership of a role's creator differs between versions. */
const roles = `
  select '1' as part, 'role ' || r.rolname as object, f.rank, 0 as place, f.line
  from pg_roles as r
  cross join lateral (
    select 0 as rank, concat_ws(
      ' ',
      case when r.rolcanlogin then 'login' else 'nologin' end,
      case when r.rolinherit then 'inherit' else 'noinherit' end,
      case when r.rolsuper then 'superuser' end,
      case when r.rolcreaterole then 'createrole' end,
      case when r.rolcreatedb then 'createdb' end,
      case when r.rolreplication then 'replication' end,
      case when r.rolbypassrls then 'bypassrls' end,
      -- Its value is the operator's.
      case when r.rolconnlimit >= 0 then 'with a connection limit' end
    ) as line
    union all
    select 1, 'member of ' || pg_get_userbyid(m.roleid) from pg_auth_members as m where m.member = r.oid
    union all
    select 2, 'has member ' || o.rolname
    from pg_auth_members as m
    join pg_roles as o on o.oid = m.member
    where m.roleid = r.oid and o.rolname <> 'postgres' and not o.rolsuper
  ) as f
  where r.rolname in ('worker', 'sidecar')
  union all
  select '1', 'role ' || r.rolname, 3, 0,
    'set ' || config.line || case when s.setdatabase = 0 then '' else ' (in this database)' end
  from pg_db_role_setting as s
  join pg_roles as r on r.oid = s.setrole
  left join pg_database as d on d.oid = s.setdatabase
  cross join lateral unnest(s.setconfig) as config(line)
  where (s.setdatabase = 0 or d.datname = current_database())
    and (r.rolname in ('worker', 'sidecar') or r.rolname = 'authenticator' and config.line like 'pgrst.%')`

const database = `
  select '2' as part, 'database' as object, 0 as rank, 0 as place, g.line
  from pg_database as d
  cross join lateral ${byCaller(`coalesce(d.datacl, acldefault('d', d.datdba))`, 'd.datdba')} as g
  where d.datname = current_database()`

const defaultPrivileges = `
  select
    '3' as part,
    'default privileges of what postgres makes' as object,
    case when d.schema is null then 0 else 1 end as rank,
    0 as place,
    d.kind || coalesce(' in schema ' || d.schema, '') || ': ' || coalesce(g.line, 'to nobody') as line
  from (
    select null as schema, k.kind, coalesce(
      (
        select e.defaclacl from pg_default_acl as e
        where e.defaclrole = 'postgres'::regrole and e.defaclnamespace = 0 and e.defaclobjtype = k.code::"char"
      ),
      acldefault(k.code::"char", 'postgres'::regrole)
    ) as acl
    from (values ('r', 'tables'), ('f', 'functions'), ('T', 'types')) as k(code, kind)
    union all
    select n.nspname, case e.defaclobjtype
      when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas'
    end, e.defaclacl
    from pg_default_acl as e
    join pg_namespace as n on n.oid = e.defaclnamespace
    where e.defaclrole = 'postgres'::regrole and n.nspname = any ($1)
  ) as d
  left join lateral ${byCaller('d.acl', `'postgres'::regrole`)} as g on true
  where d.schema is null or g.line is not null`

const publication = `
  select '4' as part, 'publication supabase_realtime' as object, 0 as rank, 0 as place, coalesce(t.line, 'no table') as line
  from (select) as one
  left join (
    select concat(format('%I.%I', c.relnamespace::regnamespace, c.relname),
      case when r.prattrs is not null then ' with a list of columns' end,
      case when r.prqual is not null then ' with a filter of rows' end
    ) as line
    from pg_publication_rel as r
    join pg_publication as p on p.oid = r.prpubid
    join pg_class as c on c.oid = r.prrelid
    where p.pubname = 'supabase_realtime' and c.relnamespace::regnamespace::text = any ($1)
    union all
    select 'all tables' from pg_publication as p where p.pubname = 'supabase_realtime' and p.puballtables
  ) as t on true`

const schemas = `
  select '5 ' || n.nspname || ' 0' as part, 'schema ' || n.nspname as object, f.rank, 0 as place, f.line
  from pg_namespace as n
  cross join lateral (
    select 0 as rank, 'owner ' || pg_get_userbyid(n.nspowner) as line
    where n.nspowner <> 'postgres'::regrole and n.nspname <> 'public'
    union all
    select 1, coalesce(g.line, 'to nobody')
    from (select) as one
    left join lateral ${byCaller(`coalesce(n.nspacl, acldefault('n', n.nspowner))`, 'n.nspowner')} as g on true
  ) as f
  where n.nspname = any ($1)`

/** Our objects on tables that Supabase owns: triggers that run our functions, and all policies. */
const supabaseTables = `
  select '6' as part, format('table %I.%I (Supabase''s)', n.nspname, c.relname) as object, f.rank, 0 as place, f.line
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  cross join lateral (
    select 0 as rank, ${policyLine} as line
    from pg_policy as p
    where p.polrelid = c.oid
    union all
    select 1, ${triggerLine}
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    join pg_namespace as pn on pn.oid = p.pronamespace
    where t.tgrelid = c.oid and not t.tgisinternal and pn.nspname = any ($1)
  ) as f
  where n.nspname <> all ($1)
    and n.nspname not in ('pg_catalog', 'information_schema', 'graphile_worker')
    and not ${isExtensions('pg_class', 'c.oid')}`

/** The queue is graphile-worker's; what our access.sql gives on it is ours. */
const queue = `
  select '7 0' as part, 'schema graphile_worker (the queue''s)' as object, 0 as rank, 0 as place, g.line
  from pg_namespace as n
  cross join lateral ${byRole('n.nspacl', 'n.nspowner')} as g
  where n.nspname = 'graphile_worker'
  union all
  select '7 0', 'schema graphile_worker (the queue''s)', 1, 0,
    'execute to ' || g.grantee || ': ' || string_agg(distinct p.proname, ', ')
  from pg_proc as p
  cross join lateral (
    select case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee) end as grantee
    from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
    where a.grantee <> p.proowner
  ) as g
  where p.pronamespace = 'graphile_worker'::regnamespace
  group by g.grantee
  union all
  select
    '7 1',
    case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end || ' graphile_worker.' || quote_ident(c.relname),
    f.rank, 0, f.line
  from pg_class as c
  cross join lateral (
    select 0 as rank, 'row level security: ' || case when c.relrowsecurity then 'on' else 'off' end as line
    where c.relkind in ('r', 'p')
    union all
    select 1, ${policyLine} from pg_policy as p where p.polrelid = c.oid
    union all
    select 2, g.line from ${byRole('c.relacl', 'c.relowner')} as g
  ) as f
  where c.relnamespace = 'graphile_worker'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')`

export const supabaseFacts = [roles, database, defaultPrivileges, publication, schemas, supabaseTables, queue]
