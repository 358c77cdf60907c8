-- app.lock_template_folder
--
-- Locks       the bucket folder of these files until commit (advisory)
-- Why         two templates that publish into a new folder at the same time must not both find it
--             free
create or replace function app.lock_template_folder(files app.template_file[])
  returns void
  language sql
  volatile
  set search_path = ''
begin atomic
  select pg_advisory_xact_lock(
    hashtextextended(
      'template folder ' || split_part(lock_template_folder.files[1].storage_path, '/', 1), 0
    )
  );
end;

comment on function app.lock_template_folder(app.template_file[]) is
  'Locks the bucket folder of these files until commit, so that publications into it run one '
  'after the other.';
