-- app.renew_template_upload
--
-- Called by   npm run upload-bundle, before each object and when it gives up; as postgres
-- Writes      template_uploads
create or replace function app.renew_template_upload(
  version text,
  artifacts jsonb,
  prompts jsonb,
  upload_id uuid
)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_renewed integer;
begin
  update app.template_uploads as u
  set started_at = app.now()
  where u.upload_id = renew_template_upload.upload_id and u.claimed_at is null;
  get diagnostics v_renewed = row_count;
  if v_renewed =
    jsonb_array_length(renew_template_upload.artifacts || renew_template_upload.prompts)
  then
    return true;
  end if;

  -- The upload expired, and the sweep may have forgotten its rows. Objects written since need rows,
  -- to be swept; without file_count no publication can use them.
  insert into app.template_uploads as u (storage_path, upload_id, sha256, started_at)
  select f.storage_path, renew_template_upload.upload_id, f.sha256, app.now()
  from unnest(
    app.parse_template_files(
      renew_template_upload.version, renew_template_upload.artifacts, renew_template_upload.prompts
    )
  ) as f
  order by f.storage_path
  on conflict on constraint template_uploads_pkey do update
  set started_at = excluded.started_at
  where u.claimed_at is not null;

  return false;
end
$$;

comment on function app.renew_template_upload(text, jsonb, jsonb, uuid) is
$$Renews an upload for an hour.

Returns false if the upload has expired or another upload has replaced it. After false, the caller
must write no more objects. The objects that it has written are announced to the sweep.$$;
