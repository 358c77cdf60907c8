-- app.check_publication
--
-- Called by   npm run upload-bundle -- --dry-run; as postgres
-- Errors      PT409 template_version_taken, template_version_not_stable, storage_path_taken, PT422
--             template_invalid
create or replace function app.check_publication(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb,
  created_by uuid default null,
  set_default boolean default false
)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  perform app.require_publishable(
    check_publication.name,
    check_publication.version,
    app.parse_template_files(
      check_publication.version, check_publication.artifacts, check_publication.prompts
    ),
    check_publication.created_by,
    check_publication.set_default
  );

  return app.is_published(check_publication.name, check_publication.version);
end
$$;

comment on function app.check_publication(text, text, jsonb, jsonb, uuid, boolean) is
$$Returns whether this version is already published with the same files, and changes nothing.

Fails if publishing would fail. set_default: also fails if the version cannot become the default
version.$$;
