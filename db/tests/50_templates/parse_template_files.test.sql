-- Which files publish_template_version accepts.
begin;
select plan(34);

create function tests.file(changes jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object(
    'storage_path', 'bad/v1.0.0/x', 'kind', 'k', 'sha256', repeat('a', 64), 'size_bytes', 1,
    'content_type', 'text/plain'
  ) || changes
$$;
create function tests.publish(prompt_changes jsonb) returns json language sql as $$
  select public.publish_template_version(
    'bad', '1.0.0', tests.template_files('1.0.0', 'a', 'bad'),
    jsonb_build_array(tests.template_prompts('1.0.0') -> 0 || prompt_changes)
  )
$$;
grant execute on all functions in schema tests to public;
select tests.become('service_role');

-- When the list or a file of it is malformed
select throws_ok(
  format('select public.publish_template_version(''bad'', ''1.0.0'', %L::jsonb)', files),
  'PT422', message, description
)
from (values
  ('{}', 'artifacts and prompts must be arrays.', 'refuses an object instead of a list'),
  (
    '[]', 'A version needs 1 to 100 artifacts and has at most 100 prompts.', 'refuses an empty list'
  ),
  ('null', 'artifacts and prompts must be arrays.', 'refuses null instead of a list'),
  ('[1]', 'Invalid artifacts[0]: it must be an object.', 'refuses a number instead of a file'),
  ('[[]]', 'Invalid artifacts[0]: it must be an object.', 'refuses a list instead of a file'),
  ('[{}]', null, 'refuses a file without properties'),
  ('[{"storage_path": 1}]', null, 'refuses a number as storage_path'),
  ('[{"storage_path": "bad/v2.0.0/x"}]', null, 'refuses the path of another version'),
  (
    '[{"storage_path": "bad/v1.0.0/x", "size_bytes": "1e9"}]', null,
    'refuses a size in scientific notation'
  ),
  ('[{"storage_path": "bad/v1.0.0/x", "kind": {"a": 1}}]', null, 'refuses an object as kind'),
  ('[{"storage_path": "bad/v1.0.0/x"}]', null, 'refuses a file with only a path')
) as bad (files, message, description);
select throws_ok(
  format(
    'select public.publish_template_version(''bad'', ''1.0.0'', jsonb_build_array(%L::jsonb))',
    tests.file(changes)
  ),
  'PT422', 'Invalid artifacts[0]: ' || fault || '.', description
)
from (values
  ('{"storage_path": "bad/v1.0.0/../x"}'::jsonb,
    'storage_path may have a-z, 0-9, _ and - in the folder, letters, digits, ., _ and - in the '
    'file name, and at most 300 bytes',
    'refuses a path that leaves the folder'),
  ('{"storage_path": "Bad/v1.0.0/x"}',
    'storage_path may have a-z, 0-9, _ and - in the folder, letters, digits, ., _ and - in the '
    'file name, and at most 300 bytes',
    'refuses a folder with capitals'),
  (jsonb_build_object('storage_path', 'bad/v1.0.0/' || repeat('x', 300)),
    'storage_path may have a-z, 0-9, _ and - in the folder, letters, digits, ., _ and - in the '
    'file name, and at most 300 bytes',
    'refuses a path of more than 300 bytes'),
  (
    '{"sha256": "xyz"}', 'sha256 must be 64 lowercase hexadecimal digits',
    'refuses a hash that is not hexadecimal'
  ),
  (
    '{"size_bytes": 2000000}', 'size_bytes must be from 1 to 1048576',
    'refuses a file of more than 1 MiB'
  ),
  ('{"size_bytes": 0}', 'size_bytes must be from 1 to 1048576', 'refuses an empty file'),
  ('{"size_bytes": null}', 'size_bytes must be from 1 to 1048576', 'refuses a file without a size'),
  ('{"locale": "de"}', 'locale must be fr, en or null', 'refuses an unknown locale'),
  (
    '{"content_type": "text/markdown; charset=utf-8"}',
    'content_type must be like text/markdown, without parameters',
    'refuses a content type with parameters'
  ),
  ('{"kind": "K"}', 'kind must be 1 to 63 characters of a-z, 0-9 and _, and begin with a letter',
    'refuses a kind with capitals')
) as bad (changes, fault, description);
select throws_ok(
  $$ select public.publish_template_version(
    'bad', '1.0.0',
    jsonb_build_array(tests.file(), tests.file('{"storage_path": "bad/v1.0.0/y", "sha256": "A"}'))
  ) $$,
  'PT422', 'Invalid artifacts[1]: sha256 must be 64 lowercase hexadecimal digits.',
  'names the file that is invalid by its index'
);
select throws_ok(
  $$ select public.publish_template_version(
    'bad', '1.0.0',
    jsonb_build_array(tests.file(), tests.file('{"storage_path": "worse/v1.0.0/y", "kind": "l"}'))
  ) $$,
  'PT422',
  'Invalid artifacts[1]: storage_path must begin with bad/v1.0.0/, like every file of this '
  'version.',
  'refuses files in two folders'
);
select throws_ok(
  $$ select public.publish_template_version(
    'bad', '1.0.0', (select jsonb_agg(tests.file()) from generate_series(1, 101))
  ) $$,
  'PT422', 'A version needs 1 to 100 artifacts and has at most 100 prompts.',
  'refuses more than 100 artifacts'
);

-- When files do not fit together
select throws_ok(
  format(
    'select public.publish_template_version(''bad'', ''1.0.0'', %L::jsonb)',
    (
      select jsonb_agg(tests.file(f) order by n)
      from jsonb_array_elements(changes) with ordinality as c (f, n)
    )
  ),
  'PT422', message, description
)
from (values
  ('[{}, {"kind": "other"}]'::jsonb,
    'bad/v1.0.0/x is listed twice: a file can serve only one kind or role.',
    'refuses one file for two kinds'),
  ('[{}, {"sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}]',
    'bad/v1.0.0/x is listed twice: a file can serve only one kind or role.',
    'refuses one path with two hashes'),
  ('[{}, {"storage_path": "bad/v1.0.0/y"}]',
    'kind k has two files for all languages.',
    'refuses two files of one kind for all languages'),
  ('[{"locale": "en"}, {"storage_path": "bad/v1.0.0/y", "kind": "l", "locale": "fr"}]',
    'kind k has no file in fr, and none for all languages.',
    'refuses kinds that share no language'),
  ('[{"locale": "en"}, {"storage_path": "bad/v1.0.0/y", "locale": "fr"},
     {"storage_path": "bad/v1.0.0/z", "kind": "l", "locale": "fr"}]',
    'kind l has no file in en, and none for all languages.',
    'refuses a kind without one of the languages')
) as bad (changes, message, description);

-- When a prompt is invalid
select throws_ok(
  $$ select tests.publish('{"storage_path": "bad/v1.0.0/x", "role": "god"}') $$,
  'PT422', 'Invalid prompts[0]: role must be system, manager or user.',
  'refuses an unknown role'
);
select throws_ok(
  $$ select tests.publish('{"storage_path": "bad/v1.0.0/main.en.md"}') $$,
  'PT422', 'bad/v1.0.0/main.en.md is listed twice: a file can serve only one kind or role.',
  'refuses one file for a kind and a role'
);
select throws_ok(
  $$ select tests.publish('{"storage_path": "bad/v1.0.0/s.md", "locale": "en"}') $$,
  'PT422', 'role system has no file in fr, and none for all languages.',
  'refuses a role without one of the languages'
);
select is_empty(
  $$ select 1 from public.templates where name = 'bad' $$,
  'creates no template for refused files'
);
select lives_ok(
  $$ select tests.publish('{"storage_path": "bad/v1.0.0/s.md"}') $$,
  'accepts a prompt for all languages'
);

select * from finish();
rollback;
