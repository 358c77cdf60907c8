-- app.find_template_file_fault
--
-- Why         repeats the constraints of artifacts and prompts: a file that the tables would refuse
--             must be refused before its object is written
create or replace function app.find_template_file_fault(
  file jsonb,
  type text,
  version text,
  folder text
)
  returns text
  language sql
  immutable
  set search_path = ''
return case
  when jsonb_typeof(file) <> 'object' then 'it must be an object'
  when exists (
    select
    from unnest(
      array['kind', 'role', 'storage_path', 'sha256', 'content_type', 'locale']
    ) as k (key)
    where jsonb_typeof(file -> k.key) not in ('string', 'null')
  ) then 'kind, role, storage_path, sha256, content_type and locale must be strings or null'
  when coalesce(file ->> 'size_bytes', '1') !~ '^[0-9]{1,9}$'
  then 'size_bytes must be a number of bytes'
  when file ->> 'storage_path' is null
    or not starts_with(file ->> 'storage_path', format('%s/v%s/', folder, version))
  then format(
    'storage_path must be <folder>/v%s/<file>, with the same folder for all files', version
  )
  when file ->> 'storage_path' !~ '^[a-z0-9][a-z0-9_-]*/v[0-9A-Za-z.-]+/[A-Za-z0-9][A-Za-z0-9._-]*$'
    or octet_length(file ->> 'storage_path') > 300
  then 'storage_path may have a-z, 0-9, _ and - in the folder, letters, digits, ., _ and - in the '
    'file name, and at most 300 bytes'
  when coalesce(file ->> 'sha256', '') !~ '^[0-9a-f]{64}$'
  then 'sha256 must be 64 lowercase hexadecimal digits'
  when file ->> 'locale' not in ('fr', 'en') then 'locale must be fr, en or null'
  when type = 'prompt' then case
    when coalesce(file ->> 'role', '') not in ('system', 'manager', 'user')
    then 'role must be system, manager or user'
  end
  when coalesce(file ->> 'kind', '') !~ '^[a-z][a-z0-9_]{0,62}$'
  then 'kind must be 1 to 63 characters of a-z, 0-9 and _, and begin with a letter'
  when coalesce((file ->> 'size_bytes')::integer, 0) not between 1 and 1048576
  then 'size_bytes must be from 1 to 1048576'
  when coalesce(file ->> 'content_type', '') !~ '^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}$'
  then 'content_type must be like text/markdown, without parameters'
end;

comment on function app.find_template_file_fault(jsonb, text, text, text) is
  'Says what is wrong with one file of a version (type: artifact or prompt); null for a good one.';
