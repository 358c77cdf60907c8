-- app.tg__leave_template_objects
--
-- Writes      template_uploads
create or replace function app.tg__leave_template_objects()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  insert into app.template_uploads (storage_path, upload_id, sha256, started_at)
  select g.storage_path, gen_random_uuid(), g.sha256, app.now()
  from gone as g
  order by g.storage_path
  on conflict on constraint template_uploads_pkey do nothing;

  return null;
end
$$;

comment on function app.tg__leave_template_objects() is
  'Announces the objects of files that were removed from a draft to the sweep, which deletes '
  'these objects an hour later.';
