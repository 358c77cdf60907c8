// Parts of the catalog's queries.

/** The roles of our clients and services. Privileges of other roles on Supabase's objects are not ours to check. */
const callers = `('anon', 'authenticated', 'service_role', 'authenticator', 'worker', 'sidecar')`

/** The grantees and privileges of an access list, without the owner, postgres and superusers. */
const grants = (acl: string, owner: string) => `(
  select
    case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee) end as grantee,
    lower(a.privilege_type) || case when a.is_grantable then ' with grant option' else '' end as privilege
  from aclexplode(${acl}) as a
  left join pg_roles as r on r.oid = a.grantee
  where a.grantee <> ${owner}
    and r.rolname is distinct from 'postgres'
    and r.rolsuper is not true
    and a.privilege_type <> 'MAINTAIN' -- since Postgres 17
)`

/** A line for each privilege, with its grantees: `execute: anon, authenticated`. */
export const byPrivilege = (acl: string, owner: string) => `(
  select g.privilege || ': ' || string_agg(g.grantee, ', ' order by g.grantee collate "C") as line
  from ${grants(acl, owner)} as g
  group by g.privilege
)`

/** A line for each role, with its privileges: `to worker: select, update`. */
export const byRole = (acl: string, owner: string) => `(
  select 'to ' || g.grantee || ': ' || string_agg(g.privilege, ', ' order by g.privilege collate "C") as line
  from ${grants(acl, owner)} as g
  group by g.grantee
)`

/** Like {@link byRole}, for objects that Supabase owns: our callers and public only. */
export const byCaller = (acl: string, owner: string) => `(
  select 'to ' || g.grantee || ': ' || string_agg(g.privilege, ', ' order by g.privilege collate "C") as line
  from ${grants(acl, owner)} as g
  where g.grantee = 'public' or g.grantee in ${callers}
  group by g.grantee
)`

/** Whether an object belongs to an extension. */
export const isExtensions = (catalog: string, oid: string) => `exists (
  select from pg_depend as e where e.classid = '${catalog}'::regclass and e.objid = ${oid} and e.deptype = 'e'
)`

/** The line of a policy `p` on relation `c`. */
export const policyLine = `
  'policy ' || quote_ident(p.polname)
  || case when p.polpermissive then '' else ' restrictive' end
  || ' for ' || case p.polcmd
    when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
  end
  || ' to ' || (
    select string_agg(r.name, ', ' order by r.name collate "C")
    from unnest(p.polroles) as ids(id)
    cross join lateral (select case ids.id when 0 then 'public' else pg_get_userbyid(ids.id) end) as r(name)
  )
  || coalesce(' using (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
  || coalesce(' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')`

/** The line of a trigger `t`. */
export const triggerLine = `
  'trigger ' || regexp_replace(pg_get_triggerdef(t.oid), '^CREATE (CONSTRAINT )?TRIGGER ', '\\1')
  || case t.tgenabled when 'O' then '' when 'D' then ' (disabled)' else ' (enabled ' || t.tgenabled::text || ')' end`
