-- app.find_limit_fault
create or replace function app.find_limit_fault(drama json)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select format('%s"%s" must be %s', p.path, e.key, app.describe_form(f.form))
    from app.list_drama_parts(find_limit_fault.drama) as p
    cross join lateral json_each(
      case json_typeof(p.part) when 'object' then p.part else '{}' end
    ) as e (key, value)
    join app.list_drama_fields() as f on f.kind = p.kind and f.key = e.key
    where not app.has_form(e.value, f.form)
    limit 1
  );
end
$$;

comment on function app.find_limit_fault(json) is
  'Returns what is wrong with a field of a drama; app.find_drama_fault calls it to find the field.';
