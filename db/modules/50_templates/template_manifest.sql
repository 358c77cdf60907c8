-- app.template_manifest, public.template_manifest, worker.template_manifest
--
-- Called by   clients; the worker's resolver (worker/templates/manifest_source.ts)
-- Errors      PT401 not_signed_in, PT404 template_not_found, template_version_not_found,
--             PT422 locale_unknown
create or replace function app.template_manifest(name text, version text, locale text, key text)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  perform app.require_caller();
  return app.send_document(app.build_template_manifest(
    template_manifest.name,
    app.pick_template_version(
      template_manifest.name,
      template_manifest.version,
      coalesce(template_manifest.key, auth.uid()::text)
    ),
    template_manifest.locale
  ));
end
$$;

comment on function app.template_manifest(text, text, text, text) is
  'Returns the manifest of a version of a template. Documented at public.template_manifest.';

-- Drops the function of earlier releases, which returned json.
drop function if exists public.template_manifest(text, text, text, text);

create or replace function public.template_manifest(
  name text,
  version text default 'default',
  locale text default null,
  key text default null
)
  returns public."*/*"
  language sql
  stable
  set search_path = ''
return app.template_manifest(name, version, locale, key);

comment on function public.template_manifest(text, text, text, text) is
$$Returns the manifest of a version of a template: its files, with their paths and hashes.

version: a semver such as 1.2.0; default; latest (the highest stable version, prereleases included);
stable (the highest stable version that is not a prerelease); or a channel that an operator has
made. locale: fr or en selects for every kind and role the file in this locale, or else the file for
all languages; null selects all files. key: under canary weights the same key always gets the same
version; default: the id of the signed-in user.
Returns { template, version, version_id, status, changelog, artifacts: [{ kind, locale,
storage_path, sha256, size_bytes, content_type }], prompts: [{ role, locale, storage_path, sha256 }]
}. The files are in bucket template-artifacts.
404 template_not_found: unknown or disabled; template_version_not_found: unknown, a draft, or
without a text in this locale.
422 locale_unknown. Origin 001.$$;

create or replace function worker.template_manifest(
  name text,
  version text,
  locale text,
  key text,
  known_version_id uuid default null
)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_version public.template_versions;
begin
  -- Null, not an error: workers ask for templates that were never published, and errors would fill
  -- Postgres's log.
  if not exists (
    select from public.templates as t where t.name = template_manifest.name and t.enabled
  ) then
    return null;
  end if;

  v_version := app.pick_template_version(
    template_manifest.name, template_manifest.version, template_manifest.key
  );
  -- A published version never changes, so a worker that knows its manifest needs only the id.
  if v_version.id = template_manifest.known_version_id then
    return json_build_object('version_id', v_version.id);
  end if;

  return app.build_template_manifest(template_manifest.name, v_version, template_manifest.locale);
end
$$;

comment on function worker.template_manifest(text, text, text, text, uuid) is
$$Returns the manifest of a version of a template, as public.template_manifest does, to the worker.

known_version_id: the version whose manifest the worker has; if it is still the right version,
returns only { version_id }.
Returns null if the template is unknown or disabled. The worker reports the version that a job
really used with record_template_use.$$;

grant execute on function app.template_manifest(text, text, text, text)
  to anon, authenticated, service_role;
grant execute on function public.template_manifest(text, text, text, text)
  to anon, authenticated, service_role;
grant execute on function worker.template_manifest(text, text, text, text, uuid) to worker;
