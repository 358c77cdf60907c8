-- The project's conventions, asked of the catalog. Each failing row is named.
begin;
select plan(20);

create temporary view our_functions as
select p.*, n.nspname as schema, format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as signature
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops');

create temporary view our_tables as
select c.*, format('%s.%s', n.nspname, c.relname) as relation
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname in ('public', 'app', 'worker', 'sidecar', 'gate', 'cache', 'ops');

select is_empty('select relation from our_tables where not relrowsecurity', 'RLS is on for every table');
select is_empty(
  'select relation from our_tables where obj_description(oid, ''pg_class'') is null',
  'every table has a comment'
);
select is_empty(
  'select signature from our_functions where obj_description(oid, ''pg_proc'') is null',
  'every function has a comment'
);
select is_empty(
  $$ select signature from our_functions where prokind = 'f' and not coalesce(proconfig, '{}') @> '{"search_path=\"\""}' $$,
  'every function has an empty search_path'
);
-- A procedure that commits cannot have one; it must then be closed to everyone but its owner.
select is_empty(
  $$
    select signature from our_functions
    where prokind <> 'f' and (prosecdef or exists (
      select from aclexplode(proacl) as a where a.grantee <> proowner
    ))
  $$,
  'what has no search_path is invoker, and nobody else''s to call'
);
select is_empty(
  $$
    select signature from our_functions
    where proacl is null or exists (select from aclexplode(proacl) as a where a.grantee = 0)
  $$,
  'nothing is executable by public'
);
select is_empty(
  $$ select signature from our_functions where prosecdef and schema in ('public', 'gate') $$,
  'no security definer function stands in an exposed schema'
);
select is_empty(
  $$
    select signature from our_functions
    where (schema = 'public' or schema = 'gate' and proname <> 'pre_request')
      and (has_function_privilege('anon', oid, 'execute') or has_function_privilege('authenticated', oid, 'execute'))
      and (prolang <> 14 or prosqlbody is null)
  $$,
  'what clients call is one parsed SQL line'
);
select is_empty(
  $$
    select f.signature from our_functions as f
    where f.schema = 'app' and f.prosecdef and f.prorettype <> 'trigger'::regtype
      and not exists (
        select from our_functions as w
        where w.schema in ('public', 'gate') and w.proname = f.proname
      )
  $$,
  'a security definer function in app has its wrapper in public or in the gate'
);
select is_empty(
  $$
    select format('%s (%s)', k.conname, t.relation)
    from pg_constraint as k
    join our_tables as t on t.oid = k.conrelid
    where k.contype = 'f' and not exists (
      select from pg_index as i
      where i.indrelid = k.conrelid and (i.indkey::smallint[])[0:array_length(k.conkey, 1) - 1] @> k.conkey
    )
  $$,
  'every foreign key is indexed'
);
select is_empty(
  $$
    select format('%s on %s', p.policyname, p.tablename) from pg_policies as p
    where p.schemaname in ('public', 'app') and (p.roles = '{public}' or p.cmd = 'ALL'
      or (p.cmd <> 'SELECT' and coalesce(p.with_check, p.qual) = 'true'))
  $$,
  'a policy is for one command, for named roles, and no writing policy is always true'
);
select is_empty(
  $$
    select format('%s on %s', p.policyname, p.tablename) from pg_policies as p
    where p.schemaname in ('public', 'app')
      and replace(concat(p.qual, p.with_check), '( SELECT auth.uid() AS uid)', '') like '%auth.uid()%'
  $$,
  'auth.uid() in a policy is called once, not for each row'
);
select is_empty(
  $$
    select t.tgname || ' on ' || r.relation from pg_trigger as t join our_tables as r on r.oid = t.tgrelid
    where not t.tgisinternal and t.tgname !~ '^_[0-9]{3}_[a-z_]+$'
  $$,
  'a trigger''s name says when it fires'
);
select is_empty(
  $$
    select format('%s %s %s', d.defaclrole::regrole, d.defaclobjtype, a.grantee::regrole)
    from pg_default_acl as d cross join aclexplode(d.defaclacl) as a
    where d.defaclrole = 'postgres'::regrole and a.grantee in (
      select oid from pg_roles where rolname in ('anon', 'authenticated', 'service_role')
      union all select 0
    )
  $$,
  'default privileges expose nothing'
);

-- Who could pass text to set_config('role', …) would be service_role. Comments count as code here, so that nothing hides.
create temporary table definitions as
select signature collate "default" as signature, pg_get_functiondef(oid) as definition from our_functions where prokind in ('f', 'p');
select results_eq(
  $$
    select d.signature, m.found[1]
    from definitions as d
    cross join regexp_matches(d.definition, 'set_config\s*\(\s*(''role''[^)]*)\)', 'gi') as m (found)
  $$,
  $$ values ('gate.pre_request()', '''role'', ''authenticated'', true') $$,
  'the role is set in one place, from anon''s to authenticated and to no other'
);
select is_empty(
  $$
    select signature from definitions
    where definition ~* 'set_config(?!\s*\(\s*''[a-z_.]+''(::text)?\s*,)'
      or definition ~* 'session_authorization|pg_settings'
  $$,
  'every other set_config says in a literal what it sets'
);
select is_empty(
  $$
    select signature from definitions
    where definition ~* '\m(re)?set\s+((local|session)\s+)?(role|session\s+authorization|all)\M|\mdiscard\s+all\M'
  $$,
  'no function sets or resets the role as a statement, or as its own setting'
);
select set_eq(
  $$ select signature from our_functions where prolang <> 14 and prosrc ~* '\mexecute\M' $$,
  array[
    'app.run_schedule(name text)', 'app.call_callback(callback text, job_ids bigint[])',
    'app.call_run_reopened(run_id bigint)'
  ],
  'only these functions build SQL from text, each from a name that postgres alone can write'
);
select is_empty(
  $$
    select f.signature from our_functions as f
    join pg_language as l on l.oid = f.prolang
    where l.lanname not in ('sql', 'plpgsql')
  $$,
  'every function is in SQL or PL/pgSQL, which the rules above can read'
);

select set_eq(
  $$ select signature from our_functions where prosrc ~* '\mwhen\s[^;]*\mothers\M' $$,
  array['app.call_callback(callback text, job_ids bigint[])'],
  'only the call of a product''s callback catches every error'
);

select * from finish();
rollback;
