-- app.read_template_files
--
-- Called by   app.publish_template_version, app.reserve_template_upload
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
  end
  into v_fault
  from jsonb_array_elements(read_template_files.artifacts || read_template_files.prompts) with ordinality as f (file, n)
  order by 1, f.n
  limit 1;
  if v_fault is not null then
    perform app.fail(422, 'template_invalid', format('A file %s.', v_fault), 'See publish_template_version.');
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

revoke execute on function app.read_template_files(text, jsonb, jsonb) from public;
