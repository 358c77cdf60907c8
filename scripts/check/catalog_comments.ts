/** A line for each comment in our schemas: `on column public.users.credits: "…"`. */
const comments = `
  select '8' as part, 'comments' as object, 0 as rank, 0 as place, format('on %s: %s', c.what, to_json(c.text)) as line
  from (
    select 'schema ' || quote_ident(n.nspname) as what, d.description as text, n.nspname as schema
    from pg_description as d
    join pg_namespace as n on d.classoid = 'pg_namespace'::regclass and n.oid = d.objoid
    union all
    select
      case when a.attname is not null then 'column ' when c.relkind in ('i', 'I') then 'index ' when c.relkind = 'v' then 'view ' else 'table ' end
        || format('%I.%I', n.nspname, c.relname) || coalesce('.' || quote_ident(a.attname), ''),
      d.description,
      n.nspname
    from pg_description as d
    join pg_class as c on d.classoid = 'pg_class'::regclass and c.oid = d.objoid
    join pg_namespace as n on n.oid = c.relnamespace
    left join pg_attribute as a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
    union all
    select 'function ' || p.oid::regprocedure, d.description, p.pronamespace::regnamespace::text
    from pg_description as d
    join pg_proc as p on d.classoid = 'pg_proc'::regclass and p.oid = d.objoid
    union all
    select 'type ' || t.oid::regtype, d.description, t.typnamespace::regnamespace::text
    from pg_description as d
    join pg_type as t on d.classoid = 'pg_type'::regclass and t.oid = d.objoid
    union all
    select
      'constraint ' || quote_ident(k.conname) || coalesce(' on ' || nullif(k.conrelid, 0)::regclass, ' on ' || k.contypid::regtype),
      d.description,
      k.connamespace::regnamespace::text
    from pg_description as d
    join pg_constraint as k on d.classoid = 'pg_constraint'::regclass and k.oid = d.objoid
    union all
    select 'trigger ' || quote_ident(t.tgname) || ' on ' || c.oid::regclass, d.description, c.relnamespace::regnamespace::text
    from pg_description as d
    join pg_trigger as t on d.classoid = 'pg_trigger'::regclass and t.oid = d.objoid
    join pg_class as c on c.oid = t.tgrelid
    union all
    select 'policy ' || quote_ident(p.polname) || ' on ' || c.oid::regclass, d.description, c.relnamespace::regnamespace::text
    from pg_description as d
    join pg_policy as p on d.classoid = 'pg_policy'::regclass and p.oid = d.objoid
    join pg_class as c on c.oid = p.polrelid
  ) as c
  where c.schema = any ($1)`

export const commentFacts = [comments]
