-- app.get_domain_limit
--
-- Why         a limit stands once, in the check of its domain: docs/adr/0011-limits.md. Not by a
--             regular expression, which would take longer than all the rest
create or replace function app.get_domain_limit(domain regtype)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select
      nullif(split_part(split_part(pg_get_expr(k.conbin, 0), '<= ', 2), ')', 1), '')::integer
    from pg_catalog.pg_constraint as k
    where k.contypid = get_domain_limit.domain and k.contype = 'c'
  );
end
$$;

comment on function app.get_domain_limit(regtype) is
$$Returns the largest length, count or number that a domain allows, which is the number after <= in
its check.

domain: such as 'app.short_text'; it has one check. Null: the check has no such number.$$;
