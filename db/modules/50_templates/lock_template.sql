-- app.lock_template
--
-- Errors      PT404 template_not_found
-- Locks       the template: these follow one another
create or replace function app.lock_template(name text)
  returns public.templates
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_template public.templates;
begin
  perform app.require_read_committed();

  select * into v_template
  from public.templates as t
  where t.name = lock_template.name
  -- Jobs refer to its key, and note what they used while somebody publishes.
  for no key update;
  if not found then
    perform app.fail(
      404,
      'template_not_found',
      format('There is no template "%s".', left(lock_template.name, 100)),
      'Select the names of templates.'
    );
  end if;

  return v_template;
end
$$;

comment on function app.lock_template(text) is 'The template of this name, locked.';

-- app.require_stable_version
--
-- Errors      PT404 template_version_not_found, PT409 template_version_not_stable
create or replace function app.require_stable_version(template public.templates, version text)
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_version public.template_versions;
begin
  select * into v_version
  from public.template_versions as v
  where v.template_id = (require_stable_version.template).id and v.semver = require_stable_version.version;
  if not found then
    perform app.fail(
      404,
      'template_version_not_found',
      format(
        'Template "%s" has no version "%s".',
        (require_stable_version.template).name,
        left(require_stable_version.version, 100)
      ),
      'Name a version such as 1.2.0.'
    );
  end if;

  if v_version.status <> 'stable' then
    perform app.fail(
      409,
      'template_version_not_stable',
      format('Version %s is %s.', v_version.semver, v_version.status),
      'Name a stable version.'
    );
  end if;

  return v_version.id;
end
$$;

comment on function app.require_stable_version(public.templates, text) is 'The id of a stable version, by its semver.';

-- app.lock_template_folder
--
-- Locks       the folder that the files lie in, to the transaction's end (advisory): of two who want it, one comes second
create or replace function app.lock_template_folder(artifacts jsonb)
  returns void
  language sql
  volatile
  set search_path = ''
begin atomic
  select pg_advisory_xact_lock(
    hashtextextended('template folder ' || split_part(lock_template_folder.artifacts -> 0 ->> 'storage_path', '/', 1), 0)
  );
end;

comment on function app.lock_template_folder(jsonb) is 'Has publications into one folder of the bucket follow one another.';
