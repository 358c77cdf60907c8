-- app.set_default_version, public.set_default_version
--
-- Called by   npm run templates:rollback, app.publish_template_version; service_role
-- Writes      templates, template_channels
-- Errors      PT404 template_not_found, template_version_not_found, PT409 template_version_not_stable
-- Idempotent  yes
-- Locks       the template
create or replace function app.set_default_version(name text, version text)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_template public.templates := app.lock_template(set_default_version.name);
  v_version_id uuid := app.require_stable_version(v_template, set_default_version.version);
begin
  update public.templates as t
  set default_version_id = v_version_id
  where t.id = v_template.id and t.default_version_id is distinct from v_version_id;

  -- Everybody means everybody: a rollback must not leave a tenth of the callers where they were.
  delete from app.template_channels as c
  where c.template_id = v_template.id and c.channel = 'default';

  return json_build_object(
    'template', v_template.name,
    'version', set_default_version.version,
    'previous', (select v.semver from public.template_versions as v where v.id = v_template.default_version_id)
  );
end
$$;

comment on function app.set_default_version(text, text) is
  'Makes a version the one that everybody gets; see public.set_default_version.';

create or replace function public.set_default_version(name text, version text)
  returns json
  language sql
  volatile
  set search_path = ''
return app.set_default_version(name, version);

comment on function public.set_default_version(text, text) is
$$Makes a version the one that everybody gets who asks for none. A rollback is the same call with an older version.

version: the semver of a stable version. Weights of channel "default" end with it.
Returns { template, version, previous }.
404 template_not_found, template_version_not_found. 409 template_version_not_stable. For service_role only. Seed 001.$$;

grant execute on function app.set_default_version(text, text) to service_role;
grant execute on function public.set_default_version(text, text) to service_role;
