-- app.parse_template_files
--
-- Errors      PT422 template_invalid
-- Why         artifacts and prompts become one list, because both are checked and compared in the
--             same way
create or replace function app.parse_template_files(version text, artifacts jsonb, prompts jsonb)
  returns app.template_file[]
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_fault text;
  v_files app.template_file[];
begin
  if jsonb_typeof(parse_template_files.artifacts) is distinct from 'array'
    or jsonb_typeof(parse_template_files.prompts) is distinct from 'array'
  then
    perform app.fail(
      422,
      'template_invalid',
      'artifacts and prompts must be arrays.',
      'Send [] for prompts if there are none.'
    );
  end if;

  if jsonb_array_length(parse_template_files.artifacts) not between 1 and 100
    or jsonb_array_length(parse_template_files.prompts) > 100
  then
    perform app.fail(
      422,
      'template_invalid',
      'A version needs 1 to 100 artifacts and has at most 100 prompts.',
      'Add an artifact, or publish the files as several templates.'
    );
  end if;

  with files as (
    select 'artifact' as type, a.file, a.n
    from jsonb_array_elements(parse_template_files.artifacts) with ordinality as a (file, n)
    union all
    select 'prompt', p.file, p.n
    from jsonb_array_elements(parse_template_files.prompts) with ordinality as p (file, n)
  ),
  faults as (
    select
      f.type,
      f.n,
      app.find_template_file_fault(
        f.file,
        f.type,
        parse_template_files.version,
        split_part(parse_template_files.artifacts -> 0 ->> 'storage_path', '/', 1)
      ) as fault
    from files as f
  )
  select format('Invalid %ss[%s]: %s.', f.type, f.n - 1, f.fault) into v_fault
  from faults as f
  where f.fault is not null
  order by f.type, f.n
  limit 1;
  if v_fault is not null then
    perform app.fail(
      422,
      'template_invalid',
      v_fault,
      'Correct this file. The description of publish_template_version has the format.'
    );
  end if;

  v_files := array(
    select (
      a.file ->> 'kind',
      null,
      a.file ->> 'locale',
      a.file ->> 'storage_path',
      a.file ->> 'sha256',
      (a.file ->> 'size_bytes')::integer,
      a.file ->> 'content_type'
    )::app.template_file
    from jsonb_array_elements(parse_template_files.artifacts) as a (file)
  ) || array(
    select (
      null,
      p.file ->> 'role',
      p.file ->> 'locale',
      p.file ->> 'storage_path',
      p.file ->> 'sha256',
      null,
      null
    )::app.template_file
    from jsonb_array_elements(parse_template_files.prompts) as p (file)
  );

  v_fault := app.find_template_set_fault(v_files);
  if v_fault is not null then
    perform app.fail(
      422,
      'template_invalid',
      v_fault,
      'Send for every kind and role one file for all languages (locale null), or one in each.'
    );
  end if;

  return v_files;
end
$$;

comment on function app.parse_template_files(text, jsonb, jsonb) is
$$Parses and checks the files of a version: artifacts have a kind, prompts have a role.

The result needs no further check: every file has its own path below <folder>/v<version>/, and no
language lacks a text.$$;
