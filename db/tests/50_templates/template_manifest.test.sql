-- public.template_manifest: the version that a name means, and the files of it in a locale.
begin;
select plan(14);

create function tests.kinds(locale text) returns table (kind text, locale text) language sql as $$
  select a ->> 'kind', a ->> 'locale'
  from jsonb_array_elements(
    public.template_manifest('demo', 'default', kinds.locale)::jsonb -> 'artifacts'
  ) as a
  order by 1
$$;
grant execute on all functions in schema tests to public;

-- Given stable versions, one of them the default, a prerelease and a draft
select tests.become('service_role');
select public.publish_template_version(
  'demo', '1.0.0', tests.template_files('1.0.0'), tests.template_prompts('1.0.0'),
  set_default => true
);
select public.publish_template_version(
  'demo', v, tests.template_files(v), tests.template_prompts(v)
)
from unnest(array['1.1.0', '2.0.0-rc.1']) as v;
select public.publish_template_version(
  'demo', '3.0.0', tests.template_files('3.0.0'), status => 'draft'
);

-- When a version is asked for
select is(tests.picked_version('default'), '1.0.0', 'default means the default version');
select is(
  tests.picked_version('latest'), '2.0.0-rc.1',
  'latest means the highest stable version, prereleases included'
);
select is(
  tests.picked_version('stable'), '1.1.0',
  'stable means the highest stable version that is not a prerelease'
);
select is(tests.picked_version('2.0.0-rc.1'), '2.0.0-rc.1', 'a semver means this version');
select throws_ok(
  $$ select tests.picked_version('3.0.0') $$,
  'PT404', 'Template "demo" has no version "3.0.0".',
  'returns 404 for a draft'
);
select throws_ok(
  $$ select tests.picked_version('9.9.9') $$,
  'PT404', 'Template "demo" has no version "9.9.9".',
  'returns 404 for a version that does not exist'
);
select throws_ok(
  $$ select tests.picked_version('beta') $$,
  'PT404', 'Template "demo" has no version "beta".',
  'returns 404 for a channel that does not exist'
);
select throws_ok(
  $$ select public.template_manifest('nowhere') $$,
  'PT404', 'Template "nowhere" not found.',
  'returns 404 for a template that does not exist'
);

-- When a locale is asked for
select throws_ok(
  $$ select public.template_manifest('demo', 'default', 'de') $$,
  'PT422', 'Unknown locale "de".',
  'refuses an unknown locale'
);
select results_eq(
  $$ select * from tests.kinds('fr') $$,
  $$ values ('config', null), ('main', 'fr'), ('mixed', 'fr') $$,
  'returns for every kind the French file, or else the file for all languages'
);
select results_eq(
  $$ select * from tests.kinds('en') $$,
  $$ values ('config', null), ('main', 'en'), ('mixed', null) $$,
  'returns for every kind the English file, or else the file for all languages'
);
select is(
  jsonb_array_length(public.template_manifest('demo')::jsonb -> 'artifacts'), 5,
  'returns all artifacts without a locale'
);
select is(
  public.template_manifest('demo', '1.0.0', 'en')::jsonb -> 'prompts',
  tests.template_prompts('1.0.0'),
  'returns the prompts'
);

-- Given a version that has only one language
select public.publish_template_version(
  'demo', '1.2.0', jsonb_build_array(tests.template_files('1.2.0') -> 0)
);
select throws_ok(
  $$ select public.template_manifest('demo', '1.2.0', 'en') $$,
  'PT404', 'Version 1.2.0 has no texts in locale "en".',
  'returns 404 for a locale in which the version lacks a text'
);

select * from finish();
rollback;
