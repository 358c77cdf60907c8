-- public.deprecate_template_version.
begin;
select plan(5);

-- Given a default version, a newer prerelease and a channel of it
select tests.become('service_role');
select public.publish_template_version(
  'demo', '1.0.0', tests.template_files('1.0.0'), set_default => true
);
select public.publish_template_version('demo', v, tests.template_files(v))
from unnest(array['1.1.0', '2.0.0-rc.1']) as v;
select public.set_template_channel('demo', 'beta', '{"2.0.0-rc.1": 100}');

select throws_ok(
  $$ select public.deprecate_template_version('demo', '1.0.0') $$,
  'PT409', 'Version 1.0.0 is the default version.',
  'refuses to deprecate the default version'
);
select public.deprecate_template_version('demo', '2.0.0-rc.1');
select is(tests.picked_version('latest'), '1.1.0', 'latest skips a deprecated version');
select throws_ok(
  $$ select tests.picked_version('beta') $$,
  'PT404', 'Template "demo" has no version "beta".',
  'a channel ends with its only version'
);
select is(
  tests.picked_version('2.0.0-rc.1'), '2.0.0-rc.1',
  'a deprecated version can still be asked for by its number'
);
select throws_ok(
  $$ select public.deprecate_template_version('demo', '2.0.0-rc.1') $$,
  'PT409', 'Version 2.0.0-rc.1 is deprecated, not stable.',
  'refuses to deprecate a version twice'
);

select * from finish();
rollback;
