-- app.set_default_version, public.set_default_version
--
-- Called by   npm run templates:rollback; service_role
-- Writes      templates, template_channels
-- Errors      PT404 template_not_found, template_version_not_found, PT409
--             template_version_not_stable
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

  -- A canary of the default would keep some percent of the callers on another version, after a
  -- rollback as well.
  delete from app.template_channels as c
  where c.template_id = v_template.id and c.channel = 'default';

  return json_build_object(
    'template', v_template.name,
    'version', set_default_version.version,
    'previous', (
      select v.semver from public.template_versions as v where v.id = v_template.default_version_id
    )
  );
end
$$;

comment on function app.set_default_version(text, text) is
  'Sets the default version of a template. Documented at public.set_default_version.';

create or replace function public.set_default_version(name text, version text)
  returns json
  language sql
  volatile
  set search_path = ''
return app.set_default_version(name, version);

comment on function public.set_default_version(text, text) is
$$Sets the default version of a template: callers that ask for no version get it from now on.

version: the semver of a stable version. To roll back, send an older version. Deletes the weights of
channel "default", so the version reaches all callers.
Returns { template, version, previous }; previous is null if there was no default version.
404 template_not_found, template_version_not_found. 409 template_version_not_stable. For
service_role only. Origin 001.$$;

grant execute on function app.set_default_version(text, text) to service_role;
grant execute on function public.set_default_version(text, text) to service_role;
