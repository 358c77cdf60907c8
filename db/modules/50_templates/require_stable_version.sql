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
  where v.template_id = (require_stable_version.template).id
    and v.semver = require_stable_version.version;
  if not found then
    perform app.fail(
      404,
      'template_version_not_found',
      format(
        'Template "%s" has no version "%s".',
        (require_stable_version.template).name,
        left(require_stable_version.version, 100)
      ),
      'Name a stable version, such as 1.2.0.'
    );
  end if;

  if v_version.status <> 'stable' then
    perform app.fail(
      409,
      'template_version_not_stable',
      format('Version %s is %s, not stable.', v_version.semver, v_version.status),
      'Name a stable version.'
    );
  end if;

  return v_version.id;
end
$$;

comment on function app.require_stable_version(public.templates, text) is
  'Returns the id of the version with this semver, and fails if it is missing or not stable.';
