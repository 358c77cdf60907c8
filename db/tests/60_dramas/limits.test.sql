-- A limit stands once in SQL: functions and tables follow the check of its domain, whatever it
-- says.
begin;
select plan(26);
select tests.announce_versions();

-- Replaces the check of a domain for the rest of the transaction.
create function tests.set_limit(domain text, "check" text) returns void language plpgsql as $$
begin
  execute format('alter domain app.%I drop constraint %I', domain, domain || '_fits');
  execute format(
    'alter domain app.%I add constraint %I check (%s)', domain, domain || '_fits', "check"
  );
  -- Plans of this session know the old check.
  discard plans;
end
$$;
-- Whether a statement violates a check.
create function tests.violates_check(statement text) returns boolean language plpgsql as $$
begin
  execute statement;
  return false;
exception
  when check_violation then
    return true;
end
$$;
create function tests.uuid(n integer) returns uuid language sql
return format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
-- A drama whose only field, or the only field of its only part, is this one.
create function tests.drama_with(kind text, key text, value json) returns json language sql
return case kind
  when 'drama' then json_build_object(key, value)
  when 'character' then json_build_object(
    'characters', json_build_array(json_build_object(key, value))
  )
  when 'episode' then json_build_object('episodes', json_build_array(json_build_object(key, value)))
  else json_build_object('episodes', json_build_array(json_build_object(
    'scenes', json_build_array(json_build_object(key, value)))))
end;

-- Given every kind of value for every field, at the limits that a release has
select is_empty(
  $$
    select f.kind, f.key, left(v.value::text, 50)
    from app.list_drama_fields() as f
    cross join (
      values
        (json '1'), (json 'null'), (json 'true'), (json '"x"'), (json '""'), (json '[]'),
        (json '{}'), (json '[1]'),
        (json '["00000000-0000-4000-8000-000000000001"]'),
        (json '"00000000-0000-4000-8000-000000000001"'),
        (json '"2026-01-31T10:00:00Z"'), (json '"2026-02-31T10:00:00Z"'),
        (json '"https://example.com"'),
        (json '"javascript:1"'), (json '[{}]'), (json '["x"]'),
        (to_json(repeat('x', 100))), (to_json(repeat('x', 101))), (to_json(repeat('x', 200))),
        (to_json(repeat('x', 201))),
        (to_json(repeat('é', 500))), (to_json(repeat('é', 501))), (to_json(repeat('x', 2001))),
        (to_json(repeat('x', 10001))), (to_json(repeat('x', 100001))),
        (json_build_object('a', repeat('x', 262144))),
        (to_json(array_fill(tests.uuid(1), array[201]))),
        (json ('[{}' || repeat(', {}', 199) || ']')), (json ('[{}' || repeat(', {}', 200) || ']')),
        (json ('[{}' || repeat(', {}', 500) || ']'))
    ) as v (value)
    -- Without lists of texts and numbers: their elements have faults of their own.
    where not (f.form like '%\_list' and v.value::text ~ '^\[[^{\]]')
      and (app.find_drama_fault(tests.drama_with(f.kind, f.key, v.value)) is null)
        is distinct from app.has_form(v.value, f.form)
  $$,
  'finds a fault in a field exactly if its value does not have the form of the field'
);

-- Given a drama with a character, an episode and a scene, and a run that may write to it
insert into dramas (id, owner_id) values (tests.uuid(1), tests.create_user('ana@example.com'));
insert into drama_characters (id, drama_id, owner_id, position, portrait_url)
select tests.uuid(10 + n), d.id, d.owner_id, n, 'https://example.com/' || n
from dramas as d, generate_series(1, 2) as n;
insert into episodes (id, drama_id, owner_id, position)
select tests.uuid(2), d.id, d.owner_id, 1
from dramas as d;
insert into scenes (id, drama_id, episode_id, owner_id, position, character_ids)
select tests.uuid(3), d.id, tests.uuid(2), d.owner_id, 1, array[tests.uuid(11), tests.uuid(12)]
from dramas as d;
insert into app.episode_details (episode_id) values (tests.uuid(2));
insert into app.scene_details (scene_id) values (tests.uuid(3));
create temporary table run as
select app.submit_run(
  jsonb_build_object('key', 'root', 'type', 'group', 'steps', jsonb_build_array(
    '{"key": "outline", "type": "write_outline"}'::jsonb,
    '{"key": "cast", "type": "write_cast"}'::jsonb,
    jsonb_build_object(
      'key', 'script', 'type', 'write_script', 'input',
      jsonb_build_object('episode_id', tests.uuid(2))
    ),
    jsonb_build_object(
      'key', 'scene', 'type', 'write_scene', 'input', jsonb_build_object('scene_id', tests.uuid(3))
    ),
    jsonb_build_object(
      'key', 'image', 'type', 'generate_image', 'input',
      jsonb_build_object('target_id', tests.uuid(3))
    ))),
  d.owner_id, null
) as id
from dramas as d;
insert into app.drama_runs (run_id, drama_id) select r.id, tests.uuid(1) from run as r;
update scenes set image_job_id = (select j.id from jobs as j where j.key = 'image');
create function tests.step(key text) returns bigint[] language sql
return array(select j.id from public.jobs as j where j.key = step.key);

-- When each limit of a text is three characters
select tests.set_limit(domain || '_text', 'char_length(value) <= 3')
from unnest('{tiny,label,short,medium,long,huge}'::text[]) as domain;

-- Then
select is(app.get_domain_limit('app.short_text'), 3, 'reads a limit from the check of its domain');
select is_empty(
  $$
    select f.kind, f.key, app.find_drama_fault(tests.drama_with(f.kind, f.key, '"xxxx"'))
    from app.list_drama_fields() as f
    where f.form like '%\_text'
      and app.find_drama_fault(tests.drama_with(f.kind, f.key, '"xxxx"'))
        not like '%"' || f.key || '" must be a text of up to 3 characters'
  $$,
  'refuses a longer text in every field of a text, and names field and limit'
);
select is_empty(
  $$
    select f.kind, f.key
    from app.list_drama_fields() as f
    where f.form like '%\_text'
      and app.find_drama_fault(tests.drama_with(f.kind, f.key, '"xxx"')) is not null
  $$,
  'accepts a text of three characters in every field of a text'
);
select is_empty(
  $$
    select f.kind, f.key
    from app.list_drama_fields() as f
    where f.form like '%\_text'
      and not tests.violates_check(format(
        'update %s set %I = %L',
        case
          when f.kind = 'character' then 'public.drama_characters'
          when f.key = 'script' then 'app.episode_details'
          when f.key like '%\_prompt' then 'app.scene_details'
          else 'public.' || f.kind || 's'
        end,
        f.key,
        'xxxx'
      ))
  $$,
  'has a table check that refuses a longer text in every column of a text'
);
select throws_ok(
  $$ select app.start_drama_run(jsonb_populate_record(null::dramas, '{"premise": "xxxx"}')) $$,
  'PT422', 'A premise has 1 to 3 characters.', 'refuses a longer premise'
);
select throws_ok(
  $$ select app.parse_drama_options('{"style": "xxxx"}') $$,
  'PT422', 'Option "style" must be a text of up to 3 characters.', 'refuses a longer option'
);

-- When steps hand in longer texts
update jobs
set output = jsonb_build_object(
  'title', 'xxxx', 'logline', 'xxxx', 'genre', 'xxxx', 'episodes',
  jsonb_build_array(jsonb_build_object('id', tests.uuid(4), 'title', 'xxxx', 'summary', 'xxxx'))
)
where key = 'outline';
update jobs
set output = jsonb_build_object('characters', jsonb_build_array(jsonb_build_object(
  'id', tests.uuid(5), 'name', 'xxxx', 'role', 'xxxx', 'description', 'xxxx', 'appearance', 'xxxx'
)))
where key = 'cast';
update jobs
set output = jsonb_build_object(
  'script', 'xxxx', 'scenes',
  jsonb_build_array(jsonb_build_object('id', tests.uuid(6), 'title', 'xxxx', 'summary', 'xxxx'))
)
where key = 'script';
update jobs
set output = '{"text": "xxxx", "image_prompt": "xxxx", "video_prompt": "xxxx"}'
where key = 'scene';
select app.apply_outlines(tests.step('outline')), app.apply_casts(tests.step('cast')),
  app.apply_scripts(tests.step('script')), app.apply_scenes(tests.step('scene'));

-- Then
select results_eq(
  'select title, logline, genre from dramas', $$ values ('xxx', 'xxx', 'xxx') $$, 'clips an outline'
);
select results_eq(
  'select title, summary from episodes where id = tests.uuid(4)', $$ values ('xxx', 'xxx') $$,
  'clips an episode'
);
select results_eq(
  'select name, role, description, appearance from drama_characters where id = tests.uuid(5)',
  $$ values ('xxx', 'xxx', 'xxx', 'xxx') $$, 'clips a character'
);
select is(
  (select script from app.episode_details where episode_id = tests.uuid(2)), 'xxx', 'clips a script'
);
select results_eq(
  'select title, summary from scenes where id = tests.uuid(6)', $$ values ('xxx', 'xxx') $$,
  'clips a new scene'
);
select results_eq(
  $$
    select s.text, x.image_prompt, x.video_prompt
    from scenes as s
    join app.scene_details as x on x.scene_id = s.id
    where s.id = tests.uuid(3)
  $$,
  $$ values ('xxx', 'xxx', 'xxx') $$,
  'clips the text and the prompts of a scene'
);
select throws_ok(
  $$ select app.build_media_input(d, tests.uuid(3), 'image', 'xxxx') from dramas as d $$,
  'PT422', 'A prompt has at most 3 characters.', 'refuses a longer prompt of an image'
);

-- When lists may have fewer elements
select tests.set_limit('character_list', 'json_array_length(value) <= 3'),
  tests.set_limit('episode_list', 'json_array_length(value) <= 2'),
  tests.set_limit('scene_list', 'json_array_length(value) <= 2'),
  tests.set_limit('scene_total', 'value <= 2'),
  tests.set_limit('character_ids', 'cardinality(value) <= 1'),
  tests.set_limit('reference_list', 'jsonb_array_length(value) <= 1');
update jobs
set output = jsonb_set(output, '{episodes,0,id}', to_jsonb(tests.uuid(7)))
where key = 'outline';
update jobs
set output = jsonb_set(output, '{characters,0,id}', to_jsonb(tests.uuid(8)))
where key = 'cast';
update jobs
set output = jsonb_set(output, '{scenes,0,id}', to_jsonb(tests.uuid(9)))
where key = 'script';
select
  app.apply_outlines(tests.step('outline')), app.apply_casts(tests.step('cast')),
  app.apply_scripts(tests.step('script'));

-- Then
select is(
  (select count(*) from episodes), 2::bigint, 'stores no episode beyond the limit of a drama'
);
select is(
  (select count(*) from drama_characters), 3::bigint,
  'stores no character beyond the limit of a drama'
);
select is(
  (select count(*) from scenes), 2::bigint, 'stores no scene beyond the limits of episode and drama'
);
select is_empty(
  $$
    select l.key, app.find_drama_fault(tests.drama_with(l.kind, l.key, l.value))
    from (
      values
        ('drama', 'characters', json '[{}, {}, {}, {}]', 'a list of up to 3'),
        ('drama', 'episodes', json '[{}, {}, {}]', 'a list of up to 2'),
        ('episode', 'scenes', json '[{}, {}, {}]', 'a list of up to 2'),
        (
          'scene', 'character_ids', to_json(array_fill(tests.uuid(1), array[2])),
          'a list of up to 1 UUIDs'
        )
    ) as l (kind, key, value, said)
    where app.find_drama_fault(
      tests.drama_with(l.kind, l.key, l.value)
    ) not like '%"' || l.key || '" must be ' || l.said
  $$,
  'refuses longer lists in a document'
);
select is(
  app.find_drama_conflict('{"episodes": [{"scenes": [{}, {}]}, {"scenes": [{}]}]}'),
  'more than 2 scenes',
  'refuses more scenes in all episodes together'
);
select ok(
  tests.violates_check(
    'update public.scenes set character_ids = array[tests.uuid(11), tests.uuid(12)] where id = '
    'tests.uuid(6)'
  ),
  'has a table check that refuses more characters in a scene'
);
select is(
  jsonb_array_length(app.build_media_input(d, tests.uuid(3), 'image', null) -> 'references'), 1,
  'refers to no more portraits than a step may have'
) from dramas as d;

-- When other limits change
select
  tests.set_limit('wanted_episodes', 'value between 1 and 2'),
  tests.set_limit('drama_document', 'octet_length(value::text) <= 2000'),
  tests.set_limit('external_id', 'octet_length(value) between 1 and 2'),
  tests.set_limit('extra', 'octet_length(value::text) <= 10'),
  tests.set_limit('http_url', $$ value ~ '^https://' and octet_length(value) <= 20 $$);

-- Then
select throws_ok(
  $$ select app.parse_drama_options('{"episodes": 3}') $$,
  'PT422', 'Option "episodes" must be a whole number from 1 to 2.',
  'refuses an option beyond its limit'
);
select throws_ok(
  $$ select app.require_drama_fits(json_build_object('extra', repeat('x', 2300))) $$,
  'PT413', null, 'refuses a document beyond its limit'
);
select is(
  app.pick_fitting_outputs(tests.step('scene')), '{}',
  'picks no output for a drama beyond its limit'
);
select results_eq(
  $$
    select app.find_drama_fault(f.drama)
    from (
      values
        (json '{"external_id": "abc"}'), (json '{"extra": {"a": "xxxxxxxxxx"}}'),
        (json '{"cover_url": "http://example.com"}'),
        (json '{"cover_url": "https://example.com/long"}')
    ) as f (drama)
  $$,
  $$
    values
      ('"external_id" must be a text of 1 to 2 bytes, or null'),
      ('"extra" must be an object of up to 10 bytes'),
      ('"cover_url" must be an http(s) URL of up to 20 bytes, or null'),
      ('"cover_url" must be an http(s) URL of up to 20 bytes, or null')
  $$,
  'refuses an external_id, an extra and a URL beyond their limits'
);
update jobs set output = '{"url": "http://example.com"}' where key = 'image';
select app.apply_drama_media(tests.step('image'));
select is(
  (select image_url from scenes where id = tests.uuid(3)), null,
  'stores no URL that does not have the form of one'
);

select * from finish();
rollback;
