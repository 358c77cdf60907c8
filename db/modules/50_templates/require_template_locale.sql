-- app.require_template_locale
--
-- Errors      PT404 template_version_not_found, PT422 locale_unknown
create or replace function app.require_template_locale(
  version public.template_versions,
  locale text
)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if require_template_locale.locale not in ('fr', 'en') then
    perform app.fail(
      422,
      'locale_unknown',
      format('Unknown locale "%s".', left(require_template_locale.locale, 100)),
      'Use fr or en.'
    );
  end if;

  -- All texts or none: an incomplete set would produce wrong prompts.
  if exists (
      select
      from public.artifacts as a
      where a.template_version_id = (require_template_locale.version).id
      group by a.kind
      having not bool_or(a.locale is null or a.locale = require_template_locale.locale)
    )
    or exists (
      select
      from public.prompts as p
      where p.template_version_id = (require_template_locale.version).id
      group by p.role
      having not bool_or(p.locale is null or p.locale = require_template_locale.locale)
    )
  then
    perform app.fail(
      404,
      'template_version_not_found',
      format(
        'Version %s has no texts in locale "%s".',
        (require_template_locale.version).semver,
        require_template_locale.locale
      ),
      'Ask for the version''s other locale, or for a version that has this locale.'
    );
  end if;
end
$$;

comment on function app.require_template_locale(public.template_versions, text) is
  'Fails unless the locale is known, and the version has a text of every kind and role in it. '
  'Null passes.';
