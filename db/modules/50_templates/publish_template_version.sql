-- app.publish_template_version, public.publish_template_version
--
-- Called by   service_role; npm run upload-bundle for a version that is already published, and by
--             earlier releases
-- Writes      templates, template_versions, artifacts, prompts, template_uploads
-- Errors      PT422 template_invalid, and those of app.publish_template_files
-- Idempotent  an identical published version stays as it is
-- Locks       the template, then the folder (advisory), then the upload's rows
create or replace function app.publish_template_version(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb,
  changelog text,
  status text,
  set_default boolean,
  created_by uuid,
  upload_id uuid
)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return app.publish_template_files(
    publish_template_version.name,
    publish_template_version.version,
    app.parse_template_files(
      publish_template_version.version,
      publish_template_version.artifacts,
      publish_template_version.prompts
    ),
    publish_template_version.changelog,
    publish_template_version.status,
    publish_template_version.set_default,
    publish_template_version.created_by,
    publish_template_version.upload_id
  );
end
$$;

comment on function app.publish_template_version(
  text, text, jsonb, jsonb, text, text, boolean, uuid, uuid
) is
  'Registers a version whose files are in the bucket. Documented at '
  'public.publish_template_version.';

create or replace function public.publish_template_version(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb default '[]',
  changelog text default null,
  status text default 'stable',
  set_default boolean default false,
  created_by uuid default null,
  upload_id uuid default null
)
  returns json
  language sql
  volatile
  set statement_timeout = '10s'
  set search_path = ''
return app.publish_template_version(
  name, version, artifacts, prompts, changelog, status, set_default, created_by, upload_id
);

comment on function public.publish_template_version(
  text, text, jsonb, jsonb, text, text, boolean, uuid, uuid
) is
$$Registers a version of a template. Its files must be in bucket template-artifacts already.

name: a-z, 0-9 and single hyphens, at most 63 bytes; a new name creates the template. version:
SemVer 2.0.0 without build metadata, at most 64 bytes. artifacts: 1 to 100 of { kind, locale,
storage_path, sha256, size_bytes, content_type }; prompts: at most 100 of { role, locale,
storage_path, sha256 }. kind: a-z, 0-9 and _, at most 63. role: system, manager or user. locale: fr,
en or null. storage_path: <folder>/v<version>/<file>, at most 300 bytes; a folder belongs to one
template. sha256: of the bytes, in lowercase hex. size_bytes: 1 to 1048576. content_type:
type/subtype without parameters. Every kind and role has one file for all languages (locale null),
or one file in each language of the version.
changelog: at most 10000 bytes. status: stable, or draft, which can be published again until it is
stable. set_default: makes the version the default. created_by: the id of the user who publishes.
upload_id: from app.reserve_template_upload, which npm run upload-bundle calls; leave it out if you
uploaded the files yourself.
Returns { template, version, version_id, status, is_new, is_default }. Publishing the same files
again changes nothing and returns is_new false.
409 template_version_taken: published with other files; storage_path_taken; template_upload_busy:
somebody uploads or deletes these objects; template_upload_expired; template_version_not_stable:
a draft cannot be the default. 422 template_invalid, template_status_unknown. 400: a name,
version or changelog that its table refuses. For service_role only. Origin 001.$$;

grant execute on function app.publish_template_version(
  text, text, jsonb, jsonb, text, text, boolean, uuid, uuid
) to service_role;
grant execute on function public.publish_template_version(
  text, text, jsonb, jsonb, text, text, boolean, uuid, uuid
) to service_role;
