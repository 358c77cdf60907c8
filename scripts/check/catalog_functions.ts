import { byPrivilege, isExtensions } from './catalog_sql.ts'

const functions = `
  select
    '5 ' || n.nspname || ' 5' as part,
    case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window function' else 'function' end
      || format(' %I.%I(%s)', n.nspname, p.proname, pg_get_function_arguments(p.oid))
      || coalesce(' returns ' || pg_get_function_result(p.oid), '') as object,
    f.rank,
    0 as place,
    f.line
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  join pg_language as l on l.oid = p.prolang
  cross join lateral (
    select 0 as rank, 'owner ' || pg_get_userbyid(p.proowner) as line
    where p.proowner <> 'postgres'::regrole
    union all
    select 1, concat_ws(
      ', ',
      'language ' || l.lanname,
      case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
      case when p.prosecdef then 'security definer' end,
      case when p.proisstrict then 'strict' end,
      case when p.proleakproof then 'leakproof' end,
      case p.proparallel when 's' then 'parallel safe' when 'r' then 'parallel restricted' end,
      case when p.procost <> 100 then 'cost ' || p.procost end,
      case when p.prorows not in (0, 1000) then 'rows ' || p.prorows end,
      (select string_agg('set ' || config.line, ', ' order by config.line collate "C") from unnest(p.proconfig) as config(line))
    )
    union all
    select 2, coalesce(g.line, 'execute: nobody')
    from (select) as one
    left join lateral ${byPrivilege(`coalesce(p.proacl, acldefault('f', p.proowner))`, 'p.proowner')} as g on true
    union all
    select 3, 'source ' || md5(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc))
  ) as f
  where n.nspname = any ($1)
    and not ${isExtensions('pg_proc', 'p.oid')}`

export const functionFacts = [functions]
