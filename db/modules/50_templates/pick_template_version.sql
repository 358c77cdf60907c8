-- app.pick_template_version
--
-- Errors      PT404 template_not_found, template_version_not_found
create or replace function app.pick_template_version(name text, version text, key text)
  returns public.template_versions
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_template public.templates;
  v_version public.template_versions;
  v_drawn_id uuid;
begin
  select * into v_template
  from public.templates as t
  where t.name = pick_template_version.name and t.enabled;
  if not found then
    perform app.fail(
      404,
      'template_not_found',
      format('Template "%s" not found.', left(pick_template_version.name, 100)),
      'Use the name of a template in templates.'
    );
  end if;

  if pick_template_version.version ~ '^[0-9]' then
    select * into v_version
    from public.template_versions as v
    where v.template_id = v_template.id
      and v.semver = pick_template_version.version
      and v.status <> 'draft';
  elsif pick_template_version.version in ('latest', 'stable') then
    select * into v_version
    from public.template_versions as v
    where v.template_id = v_template.id
      and v.status = 'stable'
      and (pick_template_version.version = 'latest' or strpos(v.semver, '-') = 0)
    order by v.precedence desc
    limit 1;
  elsif pick_template_version.version = 'default' and not exists (
    select
    from app.template_channels as c
    where c.template_id = v_template.id and c.channel = 'default'
  ) then
    -- Most requests end here: no canary, so no hashing.
    select * into v_version
    from public.template_versions as v
    where v.id = v_template.default_version_id;
  else
    v_drawn_id := app.draw_channel_version(
      v_template, pick_template_version.version, pick_template_version.key
    );
    select * into v_version
    from public.template_versions as v
    where v.id = v_drawn_id;
  end if;

  if v_version.id is null then
    perform app.fail(
      404,
      'template_version_not_found',
      format(
        'Template "%s" has no version "%s".',
        v_template.name,
        left(pick_template_version.version, 100)
      ),
      'Ask for a published version, default, latest, stable, or a channel.'
    );
  end if;

  return v_version;
end
$$;

comment on function app.pick_template_version(text, text, text) is
$$Returns the version of an enabled template for a request.

version: a semver, default, latest, stable, or a channel. key: the caller's key for the weights
of a channel.$$;
