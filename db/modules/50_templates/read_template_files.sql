-- app.read_template_files
--
-- Errors      PT422 template_invalid
-- Why         artifacts and prompts as one list: what they share is checked and compared once
create or replace function app.read_template_files(version text, artifacts jsonb, prompts jsonb)
  returns table (
    kind text, role text, locale text, storage_path text, sha256 text, size_bytes integer, content_type text
  )
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_fault text;
  v_folder text := split_part(read_template_files.artifacts -> 0 ->> 'storage_path', '/', 1);
begin
  if jsonb_typeof(read_template_files.artifacts) is distinct from 'array'
    or jsonb_typeof(read_template_files.prompts) is distinct from 'array'
  then
    perform app.fail(422, 'template_invalid', 'artifacts and prompts are lists.', 'Send [] where there are none.');
  end if;

  if jsonb_array_length(read_template_files.artifacts) not between 1 and 100
    or jsonb_array_length(read_template_files.prompts) > 100
  then
    perform app.fail(422, 'template_invalid', 'A version has 1 to 100 artifacts and up to 100 prompts.', 'Send as many.');
  end if;

  select case
    when jsonb_typeof(f.file) <> 'object' then 'is no object'
    when exists (
      select
      from unnest(array['kind', 'role', 'storage_path', 'sha256', 'content_type', 'locale']) as k (key)
      where jsonb_typeof(f.file -> k.key) not in ('string', 'null')
    ) then 'has something else than text where text belongs'
    when coalesce(f.file ->> 'size_bytes', '1') !~ '^[0-9]{1,9}$' then 'has a size_bytes that is no number of bytes'
    when f.file ->> 'storage_path' is null
      or not starts_with(f.file ->> 'storage_path', format('%s/v%s/', v_folder, read_template_files.version))
    then format('has a storage_path that is not <folder>/v%s/<file>, in one folder for all', read_template_files.version)
    -- As the constraints of the tables have it: what they would refuse is refused before an object is written.
    when f.file ->> 'storage_path' !~ '^[a-z0-9][a-z0-9_-]*/v[0-9A-Za-z.-]+/[A-Za-z0-9][A-Za-z0-9._-]*$'
      or octet_length(f.file ->> 'storage_path') > 300
    then 'has a storage_path that is not plain: a-z, 0-9, _ and - in the folder, letters, digits, ., _ and - in the file'
    when coalesce(f.file ->> 'sha256', '') !~ '^[0-9a-f]{64}$' then 'has a sha256 that is none'
    when f.file ->> 'locale' not in ('fr', 'en') then 'has a locale that is not fr, en or null'
    when f.n > jsonb_array_length(read_template_files.artifacts) then case
      when coalesce(f.file ->> 'role', '') not in ('system', 'manager', 'user')
      then 'has a role that is not system, manager or user'
    end
    when coalesce(f.file ->> 'kind', '') !~ '^[a-z][a-z0-9_]{0,62}$' then 'has a kind that is not plain: a-z, 0-9 and _'
    when coalesce((f.file ->> 'size_bytes')::integer, 0) not between 1 and 1048576
    then 'has a size_bytes that is not from 1 to 1048576'
    when coalesce(f.file ->> 'content_type', '') !~ '^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}$'
    then 'has a content_type that is not like text/markdown, without parameters'
  end
  into v_fault
  from jsonb_array_elements(read_template_files.artifacts || read_template_files.prompts) with ordinality as f (file, n)
  order by 1, f.n
  limit 1;
  if v_fault is not null then
    perform app.fail(422, 'template_invalid', format('A file %s.', v_fault), 'See publish_template_version.');
  end if;

  with files as (
    select
      'kind ' || (f.file ->> 'kind') as kind,
      f.file ->> 'locale' as locale,
      f.file ->> 'storage_path' as storage_path
    from jsonb_array_elements(read_template_files.artifacts) as f (file)
    union all
    select 'role ' || (f.file ->> 'role'), f.file ->> 'locale', f.file ->> 'storage_path'
    from jsonb_array_elements(read_template_files.prompts) as f (file)
  ),
  languages as (
    select distinct f.locale from files as f where f.locale is not null
  ),
  faults (fault) as (
    select format('%s is there twice: a file serves one kind or role', f.storage_path)
    from files as f
    group by f.storage_path
    having count(*) > 1
    union all
    select format('There are two files of %s in %s', f.kind, coalesce(f.locale, 'every language'))
    from files as f
    group by f.kind, f.locale
    having count(*) > 1
    union all
    select format('There is no file of %s in %s, and none for every language', f.kind, l.locale)
    from files as f
    cross join languages as l
    group by f.kind, l.locale
    having not bool_or(f.locale is null or f.locale = l.locale)
  )
  select f.fault into v_fault from faults as f order by 1 limit 1;
  if v_fault is not null then
    perform app.fail(
      422, 'template_invalid', v_fault || '.', 'Send of each kind and role one file for all, or one in each language.'
    );
  end if;

  return query
  select
    f.file ->> 'kind',
    null::text,
    f.file ->> 'locale',
    f.file ->> 'storage_path',
    f.file ->> 'sha256',
    (f.file ->> 'size_bytes')::integer,
    f.file ->> 'content_type'
  from jsonb_array_elements(read_template_files.artifacts) as f (file)
  union all
  select null, f.file ->> 'role', f.file ->> 'locale', f.file ->> 'storage_path', f.file ->> 'sha256', null, null
  from jsonb_array_elements(read_template_files.prompts) as f (file);
end
$$;

comment on function app.read_template_files(text, jsonb, jsonb) is
  'The files of a version as rows: artifacts, which have a kind, and prompts, which have a role.';
