-- app.find_template_set_fault
create or replace function app.find_template_set_fault(files app.template_file[])
  returns text
  language sql
  immutable
  set search_path = ''
begin atomic
  with named as (
    select coalesce('kind ' || f.kind, 'role ' || f.role) as name, f.locale, f.storage_path
    from unnest(find_template_set_fault.files) as f
  ),
  languages as (
    select distinct n.locale from named as n where n.locale is not null
  ),
  faults (fault) as (
    select format('%s is listed twice: a file can serve only one kind or role.', n.storage_path)
    from named as n
    group by n.storage_path
    having count(*) > 1
    union all
    select format('%s has two files %s.', n.name, coalesce('in ' || n.locale, 'for all languages'))
    from named as n
    group by n.name, n.locale
    having count(*) > 1
    union all
    select format('%s has no file in %s, and none for all languages.', n.name, l.locale)
    from named as n
    cross join languages as l
    group by n.name, l.locale
    having not bool_or(n.locale is null or n.locale = l.locale)
  )
  select f.fault from faults as f order by f.fault limit 1;
end;

comment on function app.find_template_set_fault(app.template_file[]) is
  'Says what is wrong with the files of a version as a whole: a path, kind or role twice, or a '
  'language without a text. Null if nothing is wrong.';
