-- public.publish_template_version, as service_role calls it. Files that it refuses:
-- parse_template_files.test.sql.
begin;
select plan(14);

select tests.become('service_role');

-- When a version is published
select is(
  public.publish_template_version(
    'demo', '1.0.0', tests.template_files('1.0.0'), tests.template_prompts('1.0.0'),
    set_default => true
  )::jsonb - 'version_id',
  '{"template": "demo", "version": "1.0.0", "status": "stable", "is_new": true,
    "is_default": true}'::jsonb,
  'publishes a new version as stable and makes it the default'
);
select is(
  public.publish_template_version(
    'demo', '1.0.0', tests.template_files('1.0.0'), tests.template_prompts('1.0.0')
  )::jsonb -> 'is_new',
  'false'::jsonb,
  'returns is_new false when the same files are published again'
);

-- When a publication contradicts a published version
select throws_ok(
  $$ select public.publish_template_version(
    'demo', '1.0.0', tests.template_files('1.0.0', 'c'), tests.template_prompts('1.0.0')
  ) $$,
  'PT409', 'Version 1.0.0 is already published with other files.',
  'refuses other bytes under a published version'
);
select throws_ok(
  $$ select public.publish_template_version('demo', '1.0.0', tests.template_files('1.0.0')) $$,
  'PT409', 'Version 1.0.0 is already published with other files.',
  'refuses a published version without its prompt'
);
select throws_ok(
  $$ select public.publish_template_version(
    'demo', '1.0.0', tests.template_files('1.0.0') - 2, tests.template_prompts('1.0.0')
  ) $$,
  'PT409', 'Version 1.0.0 is already published with other files.',
  'refuses a published version without one of its artifacts'
);
select throws_ok(
  $$ select public.publish_template_version('another', '8.0.0', tests.template_files('8.0.0')) $$,
  'PT409', 'The folder of these files belongs to template "demo".',
  'refuses files in the folder of another template'
);

-- When the request is invalid
select throws_ok(
  $$ select public.publish_template_version(
    'bad', '1.0.0', tests.template_files('1.0.0', 'a', 'bad'), created_by => gen_random_uuid()
  ) $$,
  'PT422', 'created_by is not the id of a user.',
  'refuses a publisher that is not a user'
);
select throws_ok(
  $$ select public.publish_template_version(
    'bad', '1.0.0', tests.template_files('1.0.0', 'a', 'bad'), status => 'deprecated'
  ) $$,
  'PT422', 'Unknown status "deprecated".',
  'refuses to publish a version as deprecated'
);
select throws_ok(
  $$
    select public.publish_template_version(
      'Bad Name', '1.0.0', tests.template_files('1.0.0', 'a', 'bad')
    )
  $$,
  '23514', null,
  'refuses a template name with capitals and a space'
);
select throws_ok(
  $$
    select public.publish_template_version('bad', '1.0', tests.template_files('1.0', 'a', 'bad'))
  $$,
  '23514', null,
  'refuses a version that is not SemVer'
);
select is_empty(
  $$ select 1 from public.templates where name = 'bad' $$,
  'creates no template when the publication is refused'
);

-- Given a draft
select public.publish_template_version(
  'demo', '2.0.0', tests.template_files('2.0.0'), status => 'draft'
);
select is(
  public.publish_template_version(
    'demo', '2.0.0', tests.template_files('2.0.0', 'c'), tests.template_prompts('2.0.0'),
    status => 'draft'
  )::jsonb ->> 'is_new',
  'true',
  'replaces the files of a draft'
);
select throws_ok(
  $$ select public.publish_template_version(
    'demo', '2.0.0', tests.template_files('2.0.0'), status => 'draft', set_default => true
  ) $$,
  'PT409', 'Version 2.0.0 is draft, not stable.',
  'refuses a draft as the default version'
);
select results_eq(
  $$ select a.sha256 from public.artifacts as a
     join public.template_versions as v on v.id = a.template_version_id
     where v.semver = '2.0.0'
     group by a.sha256 $$,
  $$ values (repeat('c', 64)) $$,
  'keeps the draft''s files when a later publication of it is refused'
);

select * from finish();
rollback;
