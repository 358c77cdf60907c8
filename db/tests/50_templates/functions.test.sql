-- Publishing, choosing and reading versions, as those who may and those who may not.
begin;
select plan(81);

create function tests.files(version text, hash text default 'a', folder text default 'demo') returns jsonb language sql as $$
  select jsonb_agg(jsonb_build_object(
    'kind', k, 'locale', l, 'storage_path', format('%s/v%s/%s.%s.md', folder, version, k, coalesce(l, 'all')),
    'sha256', repeat(hash, 64), 'size_bytes', 10, 'content_type', 'text/markdown'
  ))
  from (values ('main', 'fr'), ('main', 'en'), ('config', null), ('mixed', 'fr'), ('mixed', null)) as f (k, l)
$$;
create function tests.prompts(version text) returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object(
    'role', 'system', 'locale', null, 'storage_path', format('demo/v%s/system.md', version), 'sha256', repeat('b', 64)
  ))
$$;
create function tests.picked(version text, key text default null) returns text language sql as $$
  select public.template_manifest('demo', version, null, key) ->> 'version'
$$;
grant execute on all functions in schema tests to public;

-- When it is published by service_role
select tests.become('service_role');
select is(
  public.publish_template_version('demo', '1.0.0', tests.files('1.0.0'), tests.prompts('1.0.0'), set_default => true)::jsonb
    - 'version_id',
  '{"template": "demo", "version": "1.0.0", "status": "stable", "is_new": true, "is_default": true}'::jsonb,
  'publishes a version and makes it the default'
);
select is(
  public.publish_template_version('demo', '1.0.0', tests.files('1.0.0'), tests.prompts('1.0.0'))::jsonb -> 'is_new',
  'false'::jsonb, 'the same once more changes nothing'
);
select throws_ok(
  $$ select public.publish_template_version('demo', '1.0.0', tests.files('1.0.0', 'c'), tests.prompts('1.0.0')) $$,
  'PT409', 'Version 1.0.0 is published, with other files.', 'other bytes under the same version are refused'
);
select throws_ok(
  $$ select public.publish_template_version('demo', '1.0.0', tests.files('1.0.0')) $$,
  'PT409', null, 'and so are fewer files'
);
select throws_ok(
  $$ select public.publish_template_version('another', '8.0.0', tests.files('8.0.0')) $$,
  'PT409', 'The folder of these files belongs to template "demo".', 'a folder belongs to one template'
);
select throws_ok(
  format('select public.publish_template_version(''bad'', ''1.0.0'', %L::jsonb)', files), code, null, 'refuses ' || left(files, 80) || right(files, 60)
)
from (values
  ('{}', 'PT422'), ('[]', 'PT422'), ('null', 'PT422'), ('[1]', 'PT422'), ('[{}]', 'PT422'), ('[[]]', 'PT422'),
  ('[{"storage_path": 1}]', 'PT422'), ('[{"storage_path": "bad/v2.0.0/x"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "size_bytes": "1e9"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": {"a": 1}}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/../x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "xyz", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 2000000, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "locale": "de", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/markdown; charset=utf-8"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "K", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 0, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": null, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "Bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/' || repeat('x', 300) || '", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}, {"storage_path": "bad/v1.0.0/x", "kind": "other", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}, {"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('b', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}, {"storage_path": "bad/v1.0.0/y", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain", "locale": "en"}, {"storage_path": "bad/v1.0.0/y", "kind": "l", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain", "locale": "fr"}]', 'PT422'),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain", "locale": "en"}, {"storage_path": "bad/v1.0.0/y", "kind": "k", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain", "locale": "fr"}, {"storage_path": "bad/v1.0.0/z", "kind": "l", "sha256": "' || repeat('a', 64) || '", "size_bytes": 1, "content_type": "text/plain", "locale": "fr"}]', 'PT422')
) as bad (files, code);
select throws_ok(
  $$ select public.publish_template_version('bad', '1.0.0', tests.files('1.0.0', 'a', 'bad'), created_by => gen_random_uuid()) $$,
  'PT422', null, 'refuses a publisher who is nobody'
);
select throws_ok(
  $$ select public.publish_template_version('bad', '1.0.0', tests.files('1.0.0', 'a', 'bad'),
    jsonb_build_array(tests.prompts('1.0.0') -> 0 || '{"storage_path": "bad/v1.0.0/x", "role": "god"}')) $$,
  'PT422', null, 'refuses an unknown role'
);
select throws_ok(
  $$ select public.publish_template_version('bad', '1.0.0', tests.files('1.0.0', 'a', 'bad'),
    jsonb_build_array(tests.prompts('1.0.0') -> 0 || '{"storage_path": "bad/v1.0.0/main.en.md"}')) $$,
  'PT422', 'bad/v1.0.0/main.en.md is there twice: a file serves one kind or role.', 'refuses a file for a kind and a role'
);
select throws_ok(
  $$ select public.publish_template_version('bad', '1.0.0', tests.files('1.0.0', 'a', 'bad'),
    jsonb_build_array(tests.prompts('1.0.0') -> 0 || '{"storage_path": "bad/v1.0.0/s.md", "locale": "en"}')) $$,
  'PT422', 'There is no file of role system in fr, and none for every language.', 'refuses a role that lacks a language'
);
select throws_ok(
  $$ select public.publish_template_version('bad', '1.0.0', tests.files('1.0.0', 'a', 'bad'), status => 'deprecated') $$,
  'PT422', null, 'refuses to begin as deprecated'
);
select throws_ok(
  $$ select public.publish_template_version('Bad Name', '1.0.0', tests.files('1.0.0', 'a', 'bad')) $$,
  '23514', null, 'refuses a name that is no path'
);
select throws_ok(
  $$ select public.publish_template_version('bad', '1.0', tests.files('1.0', 'a', 'bad')) $$,
  '23514', null, 'refuses a version that is none'
);
select is_empty($$ select 1 from public.templates where name = 'bad' $$, 'what is refused leaves nothing');

select public.publish_template_version('demo', v, tests.files(v), tests.prompts(v))
from unnest(array['1.1.0', '2.0.0-rc.1']) as v;
select public.publish_template_version('demo', '3.0.0', tests.files('3.0.0'), status => 'draft');

-- Aliases
select is(tests.picked('default'), '1.0.0', 'default is the default version');
select is(tests.picked('latest'), '2.0.0-rc.1', 'latest is the highest, prereleases included');
select is(tests.picked('stable'), '1.1.0', 'stable is the highest that is no prerelease');
select is(tests.picked('2.0.0-rc.1'), '2.0.0-rc.1', 'a number is that version');
select throws_ok($$ select tests.picked('3.0.0') $$, 'PT404', null, 'a draft is nobody''s version');
select throws_ok($$ select tests.picked('9.9.9') $$, 'PT404', null, 'nor is what is not there');
select throws_ok($$ select tests.picked('beta') $$, 'PT404', null, 'nor is an unknown channel');
select throws_ok($$ select public.template_manifest('nowhere') $$, 'PT404', null, 'an unknown template is a 404');
select throws_ok(
  $$ select public.template_manifest('demo', 'default', 'de') $$, 'PT422', null, 'an unknown locale is refused'
);
select results_eq(
  $$ select a ->> 'kind', a ->> 'locale' from jsonb_array_elements(public.template_manifest('demo', 'default', 'fr')::jsonb -> 'artifacts') as a order by 1 $$,
  $$ values ('config', null), ('main', 'fr'), ('mixed', 'fr') $$,
  'in French: of each kind the French file, or the one for all'
);
select results_eq(
  $$ select a ->> 'kind', a ->> 'locale' from jsonb_array_elements(public.template_manifest('demo', 'default', 'en')::jsonb -> 'artifacts') as a order by 1 $$,
  $$ values ('config', null), ('main', 'en'), ('mixed', null) $$,
  'in English likewise'
);
select is(
  jsonb_array_length(public.template_manifest('demo')::jsonb -> 'artifacts'), 5, 'without a locale: everything'
);
select is(
  public.template_manifest('demo', '1.0.0', 'en')::jsonb -> 'prompts',
  tests.prompts('1.0.0'), 'and the prompts'
);

-- Default and rollback
select is(
  public.set_default_version('demo', '1.1.0')::jsonb, '{"template": "demo", "version": "1.1.0", "previous": "1.0.0"}'::jsonb,
  'another version becomes the default'
);
select public.set_default_version('demo', '1.0.0');
select is(tests.picked('default'), '1.0.0', 'and the older one again');
select throws_ok($$ select public.set_default_version('demo', '3.0.0') $$, 'PT409', null, 'a draft does not');
select throws_ok($$ select public.set_default_version('demo', '9.9.9') $$, 'PT404', null, 'what is not there does not');
select throws_ok($$ select public.set_default_version('nowhere', '1.0.0') $$, 'PT404', null, 'of no template');

-- Channels
select public.set_template_channel('demo', 'beta', '{"2.0.0-rc.1": 100}');
select is(tests.picked('beta'), '2.0.0-rc.1', 'a channel is an operator''s own alias');
select throws_ok(
  format('select public.set_template_channel(''demo'', %L, %L)', channel, weights), code, null,
  format('refuses channel %s with %s', channel, weights)
)
from (values
  ('latest', '{}', 'PT422'), ('stable', '{}', 'PT422'), ('1.0.0', '{}', 'PT422'), ('a b', '{}', 'PT422'), ('beta', '[]', 'PT422'),
  ('beta', '{"1.0.0": 0}', 'PT422'), ('beta', '{"1.0.0": 101}', 'PT422'), ('beta', '{"1.0.0": "5"}', 'PT422'),
  ('beta', '{"1.0.0": 60, "1.1.0": 41}', 'PT422'), ('beta', '{"1.0.0": 1.5}', 'PT422'), ('beta', '{"9.9.9": 5}', 'PT404'),
  ('beta', '{"3.0.0": 5}', 'PT409')
) as bad (channel, weights, code);
select is(tests.picked('beta'), '2.0.0-rc.1', 'and leaves it as it was');

-- Canary: a tenth, then a fifth
select public.set_template_channel('demo', 'default', '{"1.1.0": 10}');
reset role;
create temporary table tenth as select k, tests.picked('default', 'user-' || k) as version from generate_series(1, 3000) as k;
select ok(
  (select count(*) filter (where t.version = '1.1.0') between 240 and 360 and count(distinct t.version) = 2 from tenth as t),
  'a tenth of the callers gets the new version'
);
select is_empty(
  $$ select k from tenth where version <> tests.picked('default', 'user-' || k) and k <= 300 $$,
  'the same caller always gets the same'
);
select is(tests.picked('default'), '1.0.0', 'who has no key gets what most have');
select public.set_template_channel('demo', 'default', '{"1.1.0": 20}');
create temporary table fifth as select k, tests.picked('default', 'user-' || k) as version from generate_series(1, 3000) as k;
select is_empty(
  $$ select k from tenth join fifth using (k) where tenth.version = '1.1.0' and fifth.version <> '1.1.0' $$,
  'more weight moves nobody back'
);
select ok(
  (select count(*) filter (where f.version = '1.1.0') between 500 and 700 from fifth as f), 'and some more come to it'
);
select public.set_default_version('demo', '1.0.0');
select is_empty(
  $$ select k from generate_series(1, 200) as k where tests.picked('default', 'user-' || k) <> '1.0.0' $$,
  'a rollback ends the canary: everybody gets the older version'
);

-- Out of use
select throws_ok(
  $$ select public.deprecate_template_version('demo', '1.0.0') $$, 'PT409', null, 'the default is not taken out of use'
);
select public.deprecate_template_version('demo', '2.0.0-rc.1');
select is(tests.picked('latest'), '1.1.0', 'latest passes over what is deprecated');
select throws_ok($$ select tests.picked('beta') $$, 'PT404', null, 'its channel has ended');
select is(tests.picked('2.0.0-rc.1'), '2.0.0-rc.1', 'by its number it can still be had');

select * from finish();
rollback;
