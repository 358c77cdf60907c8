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
  v_fault := app.find_template_list_fault(
    parse_template_files.version, parse_template_files.artifacts, parse_template_files.prompts
  );
  if v_fault is not null then
    perform app.fail(
      422,
      'template_invalid',
      v_fault,
      'Correct the list. The description of publish_template_version has the format.'
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
