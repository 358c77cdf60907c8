-- app.find_template_file_fault
--
-- Why         repeats the constraints of artifacts and prompts: a file that the tables would refuse
--             must be refused before its object is written. One statement for the whole list,
--             because a function call for each file took longer than its checks.
create or replace function app.find_template_file_fault(
  files jsonb,
  type text,
  prefix text
)
  returns text
  language sql
  immutable
  set search_path = ''
begin atomic
  with faults as (
    select
      f.n,
      case
        when jsonb_typeof(f.file) <> 'object' then 'it must be an object'
        when exists (
          select
          from unnest(
            array['kind', 'role', 'storage_path', 'sha256', 'content_type', 'locale']
          ) as k (key)
          where jsonb_typeof(f.file -> k.key) not in ('string', 'null')
        ) then 'kind, role, storage_path, sha256, content_type and locale must be strings or null'
        when coalesce(f.file ->> 'size_bytes', '1') !~ '^[0-9]{1,9}$'
        then 'size_bytes must be a number of bytes'
        when f.file ->> 'storage_path' is null
          or not starts_with(f.file ->> 'storage_path', find_template_file_fault.prefix)
        then format(
          'storage_path must begin with %s, like every file of this version',
          find_template_file_fault.prefix
        )
        when f.file ->> 'storage_path'
            !~ '^[a-z0-9][a-z0-9_-]*/v[0-9A-Za-z.-]+/[A-Za-z0-9][A-Za-z0-9._-]*$'
          or octet_length(f.file ->> 'storage_path') > 300
        then 'storage_path may have a-z, 0-9, _ and - in the folder, letters, digits, ., _ and - '
          'in the file name, and at most 300 bytes'
        when coalesce(f.file ->> 'sha256', '') !~ '^[0-9a-f]{64}$'
        then 'sha256 must be 64 lowercase hexadecimal digits'
        when f.file ->> 'locale' not in ('fr', 'en') then 'locale must be fr, en or null'
        when find_template_file_fault.type = 'prompt' then case
          when coalesce(f.file ->> 'role', '') not in ('system', 'manager', 'user')
          then 'role must be system, manager or user'
        end
        when coalesce(f.file ->> 'kind', '') !~ '^[a-z][a-z0-9_]{0,62}$'
        then 'kind must be 1 to 63 characters of a-z, 0-9 and _, and begin with a letter'
        when coalesce((f.file ->> 'size_bytes')::integer, 0) not between 1 and 1048576
        then 'size_bytes must be from 1 to 1048576'
        when coalesce(f.file ->> 'content_type', '') !~ '^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}$'
        then 'content_type must be like text/markdown, without parameters'
      end as fault
    from jsonb_array_elements(find_template_file_fault.files) with ordinality as f (file, n)
  )
  select format('Invalid %ss[%s]: %s.', find_template_file_fault.type, f.n - 1, f.fault)
  from faults as f
  where f.fault is not null
  order by f.n
  limit 1;
end;

comment on function app.find_template_file_fault(jsonb, text, text) is
  'Says what is wrong with the first invalid file of a list. type: artifact or prompt; prefix: how '
  'every path must begin. Null if all files are valid.';
