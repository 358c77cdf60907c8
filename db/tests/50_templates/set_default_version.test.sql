-- public.set_default_version: the version of callers that ask for none; also the rollback.
begin;
select plan(8);

-- Given two stable versions and a draft
select tests.become('service_role');
select public.publish_template_version(
  'demo', '1.0.0', tests.template_files('1.0.0'), set_default => true
);
select public.publish_template_version('demo', '1.1.0', tests.template_files('1.1.0'));
select public.publish_template_version(
  'demo', '3.0.0', tests.template_files('3.0.0'), status => 'draft'
);

select is(
  public.set_default_version('demo', '1.1.0')::jsonb,
  '{"template": "demo", "version": "1.1.0", "previous": "1.0.0"}'::jsonb,
  'makes another version the default'
);
select is(
  tests.picked_version('default'), '1.1.0',
  'callers that ask for no version get the new default version'
);
select public.set_default_version('demo', '1.0.0');
select is(tests.picked_version('default'), '1.0.0', 'rolls back to an older version');
select is(
  public.set_default_version('demo', '1.0.0')::jsonb,
  '{"template": "demo", "version": "1.0.0", "previous": "1.0.0"}'::jsonb,
  'changes nothing when the version is the default already'
);

-- When the version cannot be the default
select throws_ok(
  $$ select public.set_default_version('demo', '3.0.0') $$,
  'PT409', 'Version 3.0.0 is draft, not stable.',
  'refuses a draft'
);
select throws_ok(
  $$ select public.set_default_version('demo', '9.9.9') $$,
  'PT404', 'Template "demo" has no version "9.9.9".',
  'returns 404 for a version that does not exist'
);
select throws_ok(
  $$ select public.set_default_version('nowhere', '1.0.0') $$,
  'PT404', 'Template "nowhere" not found.',
  'returns 404 for a template that does not exist'
);

-- Given a canary of the default
select public.set_template_channel('demo', 'default', '{"1.1.0": 20}');
select public.set_default_version('demo', '1.0.0');
select is_empty(
  $$
    select k
    from generate_series(1, 200) as k
    where tests.picked_version('default', 'user-' || k) <> '1.0.0'
  $$,
  'ends a canary: a rollback reaches every caller'
);

select * from finish();
rollback;
