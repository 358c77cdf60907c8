-- app.template_manifest, public.template_manifest, worker.template_manifest
--
-- Called by   clients; the worker's resolver (worker/templates/manifest_source.ts)
-- Errors      PT404 template_not_found, template_version_not_found, PT422 locale_unknown
create or replace function app.build_template_manifest(name text, version public.template_versions, locale text)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if build_template_manifest.locale not in ('fr', 'en') then
    perform app.fail(
      422, 'locale_unknown', format('There is no locale "%s".', left(build_template_manifest.locale, 100)), 'Use fr or en.'
    );
  end if;

  -- A part of the texts would be worse than none.
  if exists (
      select
      from public.artifacts as a
      where a.template_version_id = (build_template_manifest.version).id
      group by a.kind
      having not bool_or(a.locale is null or a.locale = build_template_manifest.locale)
    )
    or exists (
      select
      from public.prompts as p
      where p.template_version_id = (build_template_manifest.version).id
      group by p.role
      having not bool_or(p.locale is null or p.locale = build_template_manifest.locale)
    )
  then
    perform app.fail(
      404,
      'template_version_not_found',
      format(
        'Version %s is not there in "%s".', (build_template_manifest.version).semver, build_template_manifest.locale
      ),
      'Ask for its other language, or for a version that has this one.'
    );
  end if;

  return json_build_object(
    'template', build_template_manifest.name,
    'version', (build_template_manifest.version).semver,
    'version_id', (build_template_manifest.version).id,
    'status', (build_template_manifest.version).status,
    'changelog', (build_template_manifest.version).changelog,
    'artifacts', coalesce((
      select json_agg(
        json_build_object(
          'kind', a.kind,
          'locale', a.locale,
          'storage_path', a.storage_path,
          'sha256', a.sha256,
          'size_bytes', a.size_bytes,
          'content_type', a.content_type
        )
        order by a.kind, a.locale
      )
      from public.artifacts as a
      where a.template_version_id = (build_template_manifest.version).id
        and (build_template_manifest.locale is null
          or a.locale = build_template_manifest.locale
          or a.locale is null and not exists (
            select
            from public.artifacts as o
            where o.template_version_id = a.template_version_id
              and o.kind = a.kind
              and o.locale = build_template_manifest.locale
          ))
    ), '[]'),
    'prompts', coalesce((
      select json_agg(
        json_build_object('role', p.role, 'locale', p.locale, 'storage_path', p.storage_path, 'sha256', p.sha256)
        order by p.role, p.locale
      )
      from public.prompts as p
      where p.template_version_id = (build_template_manifest.version).id
        and (build_template_manifest.locale is null
          or p.locale = build_template_manifest.locale
          or p.locale is null and not exists (
            select
            from public.prompts as o
            where o.template_version_id = p.template_version_id
              and o.role = p.role
              and o.locale = build_template_manifest.locale
          ))
    ), '[]')
  );
end
$$;

comment on function app.build_template_manifest(text, public.template_versions, text) is
  'What a version consists of: of each kind the file in this locale, or the one for all; without a locale everything.';

create or replace function app.template_manifest(name text, version text, locale text, key text)
  returns json
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  return app.build_template_manifest(
    template_manifest.name,
    app.pick_template_version(
      template_manifest.name, template_manifest.version, coalesce(template_manifest.key, auth.uid()::text)
    ),
    template_manifest.locale
  );
end
$$;

comment on function app.template_manifest(text, text, text, text) is
  'What a version of a template consists of; see public.template_manifest.';

create or replace function public.template_manifest(
  name text,
  version text default 'default',
  locale text default null,
  key text default null
)
  returns json
  language sql
  stable
  set search_path = ''
return app.template_manifest(name, version, locale, key);

comment on function public.template_manifest(text, text, text, text) is
$$What a version of a template consists of.

version: a semver such as 1.2.0; default; latest (the highest stable version, prereleases included); stable (the highest that
is no prerelease); or a channel that an operator has made. locale: fr or en gives of each kind and role the file in it, or the
one for all; without it everything. key: under canary weights the same key always gets the same version; the signed-in user by
default.
Returns { template, version, version_id, status, changelog, artifacts: [{ kind, locale, storage_path, sha256, size_bytes,
content_type }], prompts: [{ role, locale, storage_path, sha256 }] }; the files are in bucket template-artifacts.
404 template_not_found, template_version_not_found (nor is a version there in a language in which it lacks a text). 422
locale_unknown. Seed 001.$$;

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
  -- No error: a worker whose templates were never published would fill Postgres' log with it.
  if not exists (select from public.templates as t where t.name = template_manifest.name and t.enabled) then
    return null;
  end if;

  v_version := app.pick_template_version(template_manifest.name, template_manifest.version, template_manifest.key);
  -- A published version does not change, so who has its manifest needs to be told no more than that.
  if v_version.id = template_manifest.known_version_id then
    return json_build_object('version_id', v_version.id);
  end if;

  return app.build_template_manifest(template_manifest.name, v_version, template_manifest.locale);
end
$$;

comment on function worker.template_manifest(text, text, text, text, uuid) is
  'What a version of a template consists of, as public.template_manifest; of the version whose manifest is known, only '
  '{ version_id }; null where there is no such template, or it is disabled. What a job then really uses, record_template_use notes.';

grant execute on function app.template_manifest(text, text, text, text) to authenticated, service_role;
grant execute on function public.template_manifest(text, text, text, text) to authenticated, service_role;
grant execute on function worker.template_manifest(text, text, text, text, uuid) to worker;
