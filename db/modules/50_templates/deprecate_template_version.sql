-- app.deprecate_template_version, public.deprecate_template_version
--
-- Called by   service_role
-- Writes      template_versions, template_channels
-- Errors      PT404 template_not_found, template_version_not_found, PT409
--             template_version_is_default, template_version_not_stable
-- Locks       the template
create or replace function app.deprecate_template_version(name text, version text)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_template public.templates := app.lock_template(deprecate_template_version.name);
  v_version_id uuid := app.require_stable_version(v_template, deprecate_template_version.version);
begin
  if v_version_id = v_template.default_version_id then
    perform app.fail(
      409,
      'template_version_is_default',
      format('Version %s is the default version.', deprecate_template_version.version),
      'Make another version the default first, with set_default_version.'
    );
  end if;

  delete from app.template_channels as c
  where c.template_id = v_template.id and c.template_version_id = v_version_id;

  update public.template_versions as v
  set status = 'deprecated'
  where v.id = v_version_id;
end
$$;

comment on function app.deprecate_template_version(text, text) is
  'Deprecates a stable version. Documented at public.deprecate_template_version.';

create or replace function public.deprecate_template_version(name text, version text)
  returns void
  language sql
  volatile
  set search_path = ''
return app.deprecate_template_version(name, version);

comment on function public.deprecate_template_version(text, text) is
$$Deprecates a stable version of a template.

latest and stable skip a deprecated version, and channels lose it; a channel without another version
ends. Requests for its number still get it. A deprecated version cannot become stable again.
404 template_not_found, template_version_not_found. 409 template_version_is_default,
template_version_not_stable. For service_role only. Origin 001.$$;

grant execute on function app.deprecate_template_version(text, text) to service_role;
grant execute on function public.deprecate_template_version(text, text) to service_role;
