-- app.pick_template_version
--
-- Errors      PT404 template_not_found, template_version_not_found
-- Why         under weights each version draws a lot from the caller's key, of exponential distribution with its weight as
--             rate, and the smallest wins: the shares come out as the weights, and a weight that rises takes callers
--             from all others, and one that falls, such as what is left for the default, loses callers to all others
--             (weighted rendezvous hashing)
create or replace function app.pick_template_version(name text, version text, key text)
  returns public.template_versions
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_template public.templates;
  v_version public.template_versions;
begin
  select * into v_template
  from public.templates as t
  where t.name = pick_template_version.name and t.enabled;
  if not found then
    perform app.fail(
      404,
      'template_not_found',
      format('There is no template "%s".', left(pick_template_version.name, 100)),
      'Select the names of templates.'
    );
  end if;

  if pick_template_version.version ~ '^[0-9]' then
    select * into v_version
    from public.template_versions as v
    where v.template_id = v_template.id and v.semver = pick_template_version.version and v.status <> 'draft';
  elsif pick_template_version.version in ('latest', 'stable') then
    select * into v_version
    from public.template_versions as v
    where v.template_id = v_template.id
      and v.status = 'stable'
      and (pick_template_version.version = 'latest' or strpos(v.semver, '-') = 0)
    order by v.precedence desc
    limit 1;
  elsif pick_template_version.version = 'default' and not exists (
    select from app.template_channels as c where c.template_id = v_template.id and c.channel = 'default'
  ) then
    -- The one that nearly everybody asks for.
    select * into v_version
    from public.template_versions as v
    where v.id = v_template.default_version_id;
  else
    with listed as (
      select c.template_version_id as id, c.weight
      from app.template_channels as c
      where c.template_id = v_template.id and c.channel = pick_template_version.version
    ),
    shares as (
      select all_shares.id, sum(all_shares.weight) as weight
      from (
        select l.id, l.weight from listed as l
        union all
        select v_template.default_version_id, 100 - (select sum(l.weight) from listed as l)
      ) as all_shares (id, weight)
      where all_shares.id is not null and all_shares.weight > 0
      group by all_shares.id
    )
    select v.* into v_version
    from shares as s
    join public.template_versions as v on v.id = s.id
    order by
      case when pick_template_version.key is null then -s.weight end,
      -- 48 bits of a hash that is the same in every version of Postgres, as a number between 0 and 1.
      -ln(
        (
          ('x' || left(encode(sha256(convert_to(s.id || ' ' || pick_template_version.key, 'UTF8')), 'hex'), 12))
            ::bit(48)::bigint + 0.5
        )::double precision / 281474976710656
      ) / s.weight::double precision,
      s.id
    limit 1;
  end if;

  if v_version.id is null then
    perform app.fail(
      404,
      'template_version_not_found',
      format(
        'Template "%s" has no version "%s".', v_template.name, left(pick_template_version.version, 100)
      ),
      'Ask for a published version, default, latest, stable, or a channel.'
    );
  end if;

  return v_version;
end
$$;

comment on function app.pick_template_version(text, text, text) is
  'The version of an enabled template that a semver, "default", "latest", "stable" or a channel means for this key.';
