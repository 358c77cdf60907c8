-- process_image and analyze_face check photos, parameters, tools, keys and limits.
begin;
select plan(86);
select tests.prepare_studio();
create temporary table known (ana uuid, ben uuid, photo text, id uuid, answer jsonb);
insert into known (ana, ben)
values (tests.create_user('ana@example.com'), tests.create_user('ben@example.com'));
update known set photo = tests.upload_photo(ana);
select tests.grant_credits(ana, 1000, 'pack'), tests.grant_credits(ben, 1000, 'pack') from known;
update app.settings set generations_open = 1000;
grant select, update on known to public;
create function pg_temp.slug(command text) returns text language sql as
  'select tests.refusal_of(command) ->> ''slug''';
grant execute on function pg_temp.slug(text) to public;
create function pg_temp.paint_slug(parameters text, path text default null)
  returns text language sql as $$
  select tests.refusal_of(
    format('select tests.paint(%L, %L)', coalesce(path, (select photo from known)), parameters)
  ) ->> 'slug'
$$;
grant execute on function pg_temp.paint_slug(text, text) to public;

-- When a path names no photo of the caller
select tests.upload_photo(ben, 'ben.jpg') from known;
select tests.upload_photo(ana, 'a/b.jpg', '"e2"') from known;
select tests.upload_photo(ana, '../' || ben || '/ben.jpg') from known;
select tests.upload_photo(ana, 'x/../y.jpg') from known;
select tests.upload_photo(ana, '/slash.jpg') from known;
select tests.upload_photo(ana, './dot.jpg') from known;
select tests.upload_photo(ana, E'caf\u00e9.jpg') from known;
select tests.upload_photo(ana, 'no_etag.jpg', '') from known;
insert into storage.objects (bucket_id, name)
select 'user_uploads', ana || '/no_metadata.jpg' from known;
insert into storage.buckets (id, name) values ('elsewhere', 'elsewhere');
insert into storage.objects (bucket_id, name, metadata)
select 'elsewhere', ana || '/elsewhere.jpg', '{"eTag": "\"e\"", "size": 1, "mimetype": "image/png"}'
from known;
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of(format('select tests.paint(%L)', path)) - 'hint',
  '{"code": "PT404", "slug": "original_not_found", "message": "Photo not found."}',
  format('refuses %s as every other path', what)
)
from known
cross join lateral (
  values
    ('the photo of another user', ben || '/ben.jpg'),
    ('a photo that is missing', ana || '/missing.jpg'),
    ('a path through another folder', ana || '/../' || ben || '/ben.jpg'),
    ('a path with ..', ana || '/x/../y.jpg'),
    ('a path with //', ana || '//slash.jpg'),
    ('a path with .', ana || '/./dot.jpg'),
    ('the folder itself', ana || '/'),
    ('the folder without a slash', ana::text),
    ('a path with a slash at its end', ana || '/photo.jpg/'),
    ('a path with a slash at its beginning', '/' || ana || '/photo.jpg'),
    ('the name of the bucket twice', 'user_uploads/user_uploads/' || ana || '/photo.jpg'),
    ('another bucket', 'generations/' || ana || '/photo.jpg'),
    ('an object of another bucket', ana || '/elsewhere.jpg'),
    ('an empty path', ''),
    ('no path', null),
    ('a path of a megabyte', ana || '/' || repeat('x', 1000000)),
    ('a pattern', ana || '/%'),
    ('a path in capitals', upper(ana::text) || '/photo.jpg'),
    ('a path in another normal form', ana || E'/cafe\u0301.jpg'),
    ('an object without an ETag', ana || '/no_etag.jpg'),
    ('an upload that has not ended', ana || '/no_metadata.jpg'),
    ('an escaped path', ana || '/%2e%2e/' || ben || '/ben.jpg')
) as w (what, path);
select is(
  tests.paint('user_uploads/' || photo) ->> 'status', 'pending',
  'accepts a path with the name of the bucket'
)
from known;
select is(
  tests.paint(ana || '/a/b.jpg') ->> 'status', 'pending',
  'accepts a photo in a folder of the caller'
)
from known;
select is(
  tests.paint(ana || E'/caf\u00e9.jpg') ->> 'status', 'pending', 'accepts the name as it is stored'
)
from known;
select is(
  (select count(*) from generations), 2::bigint,
  'copies of a photo with the same ETag and size are one request'
);
reset role;

-- When the studio cannot read the object
select tests.upload_photo(ana, 'large.jpg', '"l"', 20971521),
  tests.upload_photo(ana, 'empty.jpg', '"l"', 0),
  tests.upload_photo(ana, 'page.html', '"l"', 10, 'text/html'),
  tests.upload_photo(ana, 'vector.svg', '"l"', 10, 'image/svg+xml'),
  tests.upload_photo(ana, 'none', '"l"', 10, null),
  tests.upload_photo(ana, 'photo.heic', '"l"', 10, 'image/heic')
from known;
select tests.sign_in((select ana from known));
select is(
  pg_temp.paint_slug('{"color": "x"}', ana || '/' || name), slug, format('%s: %s', name, slug)
)
from known
cross join (
  values
    ('large.jpg', 'original_too_large'),
    ('empty.jpg', 'original_too_large'),
    ('page.html', 'original_type_unsupported'),
    ('vector.svg', 'original_type_unsupported'),
    ('none', 'original_type_unsupported'),
    ('photo.heic', null)
) as f (name, slug);

-- When parameters do not follow the schema
select is(
  pg_temp.paint_slug(parameters), 'parameters_invalid',
  format('refuses parameters %s', left(parameters, 60))
)
from unnest(
  array[
    '{}', 'null', '[]', '1', '"red"', '{"color": null}', '{"color": 1}', '{"color": ["red"]}',
    '{"color": {"a": 1}}', '{"color": "red", "size": 1}', '{"color": "red", "strength": "1"}',
    '{"color": "red", "strength": 10.0000001}', '{"color": "red", "strength": 1e400}',
    '{"color": "red", "strength": -1e-400}', '{"color": "red", "strength": null}',
    '{"color": "red", "is_bold": "true"}', '{"color": "red", "is_bold": 1}',
    '{"color": "red", "layers": 1.5}', '{"color": "red", "layers": 4}',
    '{"color": "red", "layers": true}', '{"Color": "red"}',
    '{"color": "red", "strength": 0.' || repeat('1', 16382) || '}',
    jsonb_build_object('color', repeat('x', 41))::text
  ]
) as p (parameters);
select is(
  tests.refusal_of(format('select tests.paint(%L, %L)', photo, parameters)) - 'code' - 'slug',
  jsonb_build_object('message', message, 'hint', hint),
  format('says what is allowed: %s', hint)
)
from known
cross join (
  values
    (
      '{"color": "red", "strength": 11}',
      'Parameter "strength" has a value that the tool does not allow.',
      'Send "strength" as a number from 0 to 10, with at most 40 characters.'
    ),
    ('{}', 'Parameter "color" is missing.', 'Send "color" as a string of at most 40 characters.'),
    (
      '{"color": "' || repeat('x', 70000) || '"}', 'tool_parameters has more than 64 KiB.',
      'Send only the parameters of the tool.'
    ),
    (
      '{"color": "red", "layers": 9}',
      'Parameter "layers" has a value that the tool does not allow.',
      'Send "layers" as one of: 1, 2, 3.'
    ),
    (
      '{"color": "red", "z": 1}', 'The tool has no parameter "z".',
      'Send only: color, is_bold, layers, strength.'
    )
) as p (parameters, message, hint);
select throws_ok(
  format($$ select tests.paint(%L, '{"color": "a\u0000b"}') $$, photo), '22P05', null,
  'Postgres refuses a parameter with \u0000'
)
from known;

-- When two requests mean the same
select is(
  count(distinct tests.paint(photo, parameters) ->> 'generation_id'), 1::bigint,
  'the spelling of numbers and the order of keys make no difference'
)
from known
cross join unnest(
  array[
    '{"color": "gold", "strength": 0.1, "layers": 2}',
    '{"layers": 2.00, "strength": 0.10, "color": "gold"}',
    '{"color": "gold", "strength": 1e-1, "layers": 2}'
  ]::jsonb[]
) as p (parameters);
select is(
  tests.paint(photo, '{"color": "pink", "strength": 0.5}') ->> 'generation_id',
  tests.paint(photo, '{"color": "pink"}') ->> 'generation_id',
  'a default that is left out makes no difference'
)
from known;
select is(
  tests.paint(photo, ('{"color": "pink", "strength": 0.5' || repeat('0', 16000) || '}')::jsonb)
    ->> 'generation_id',
  tests.paint(photo, '{"color": "pink"}') ->> 'generation_id',
  'zeros at the end of a number are not limited, because they are removed'
)
from known;
select isnt(
  tests.paint(photo, E'{"color": "caf\u00e9"}') ->> 'generation_id',
  tests.paint(photo, E'{"color": "cafe\u0301"}') ->> 'generation_id',
  'texts with different Unicode normal forms are different requests'
)
from known;

-- When a value looks like a variable of the prompt
update known set id = (
  tests.paint(photo, '{"color": "{{strength}} }} {{ {{color}}", "strength": 3}') ->> 'generation_id'
)::uuid;
reset role;
select is(
  (select prompt from app.generation_details where generation_id = known.id),
  'Paint it {{strength}} }} {{ {{color}}, strength 3, again {{strength}} }} {{ {{color}}.',
  'a value that contains {{name}} stays text'
)
from known;

-- When tool and function do not fit
select tests.sign_in((select ana from known));
select is(pg_temp.slug(format(command, photo)), slug, format('%s: %s', what, slug))
from known
cross join (
  values
    (
      'an unknown tool', 'tool_not_found',
      $$select process_image('00000000-0000-4000-8000-000000000000', %L)$$
    ),
    ('no tool', 'tool_not_found', 'select process_image(null, %L)'),
    (
      'a disabled tool', 'tool_disabled',
      $$select process_image('70000000-0000-4000-8000-000000000003', %L)$$
    ),
    (
      'an analysis as an image', 'tool_kind_wrong',
      $$select process_image('70000000-0000-4000-8000-000000000002', %L)$$
    ),
    (
      'an image as an analysis', 'tool_kind_wrong',
      $$select analyze_face('70000000-0000-4000-8000-000000000001', %L)$$
    )
) as w (what, slug, command);

-- When a key is sent again
update known set answer = tests.paint(photo, '{"color": "keyed"}', 'k1');
select is(
  tests.paint(photo, '{"color": "keyed"}', 'k1'), answer, 'the same key gets the same answer'
)
from known;
select is(
  pg_temp.slug(format('select tests.paint(%L, %L, %L)', photo, '{"color": "other"}', 'k1')),
  'idempotency_key_taken',
  'refuses a key that belongs to another request'
)
from known;
select is(
  pg_temp.slug(format('select tests.measure(%L, %L)', photo, 'k1')), 'idempotency_key_taken',
  'refuses a key that was used with the other function'
)
from known;
select is(
  pg_temp.slug(format('select tests.paint(%L, %L, %L)', photo, '{"color": "x"}', key)),
  'idempotency_key_invalid',
  format('refuses a key of %s characters', length(key))
)
from known
cross join unnest(array['', repeat('x', 201)]) as k (key);
update known set answer = tests.paint(photo, '{"color": "keyed"}', 'k2');
select is(
  (select count(*) from generations where tool_parameters ->> 'color' = 'keyed'), 1::bigint,
  'another key joins the pending generation'
);
select cancel_generation((select (answer ->> 'generation_id')::uuid from known));
select is(
  tests.paint(photo, '{"color": "keyed"}', 'k2') ->> 'status', 'cancelled',
  'a key gets its generation as it is now, for every request that joined it'
)
from known;
select is(
  tests.paint(photo, '{"color": "keyed"}') ->> 'status', 'pending',
  'without a key, a request after a cancellation starts a new generation'
)
from known;
reset role;

-- When a user has as many pending generations as allowed
update app.settings
set generations_open = (select count(*) from generations where status = 'pending');
select tests.sign_in((select ana from known));
select is(
  pg_temp.paint_slug('{"color": "one more"}'), 'generations_open', 'limits pending generations'
);
select is(
  tests.paint(photo, '{"color": "keyed"}') ->> 'status', 'pending',
  'a request that gets a pending generation ignores the limit of pending generations'
)
from known;
reset role;
update app.settings set generations_open = 1000, generations_per_day = 1;
select tests.sign_in((select ana from known));
select alike(
  pg_temp.paint_slug('{"color": "one more"}'), '%"status" : 429%Retry-After%',
  'limits generations per day'
);
select is(
  tests.paint(photo, '{"color": "keyed"}') ->> 'status', 'pending',
  'a request that gets a pending generation does not count as a new generation'
)
from known;
reset role;

-- When the tool is deleted after the request has read it
create temporary table gone as
select t as tool from public.tools as t where t.key = 'paint';
delete from app.rate_limits;
update app.settings set generations_open = 100;
delete from public.tools where key = 'paint';
select is(
  tests.refusal_of(
    format(
      $$
        select app.start_generation(%L, g.tool, '{"color": "red"}', 'k', %L, 'e', 1, null, null)
        from gone as g
      $$,
      ana, photo
    )
  ) ->> 'slug',
  'tool_not_found',
  'a tool that is deleted during the request is not found'
)
from known;
select is(
  (select count(*) from public.generations where tool_id is not null), 0::bigint,
  'the generations of a deleted tool stay'
);
select is_empty('select * from ops.credit_faults', 'the books are right');
select * from finish();
rollback;
