-- A drama grows while its steps complete, through the worker's door; unusable outputs are left out.
begin;
select plan(34);
select tests.announce_versions();

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table made (like dramas);
create temporary table other_drama (drama json);
grant all on users_of, made, other_drama to public;

create function tests.uuid(n integer) returns uuid language sql
return format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
grant execute on function tests.uuid(integer) to public;
-- A child that makes the picture of the target with this number.
create function tests.picture(key text, n integer, kind text) returns jsonb language sql
return jsonb_build_object(
  'key', key,
  'type', case kind when 'video' then 'generate_video' else 'generate_image' end,
  'input', jsonb_build_object('target_id', tests.uuid(n), 'kind', kind)
);
-- Completes a step, and returns the keys of the steps that start then.
create function tests.complete(
  key text, output jsonb, children jsonb default '[]'
) returns text language sql
return tests.hand_in_result(
  key, jsonb_build_object('outcome', 'completed', 'output', output, 'children', children), 100
);
-- A value of the drama's document.
create function tests.shown(path text) returns jsonb language sql
begin atomic
  select app.build_drama(d.id)::jsonb #> path::text[]
  from dramas as d
  where d.premise = 'A lighthouse';
end;
create function tests.job_of(key text) returns bigint language sql
begin atomic
  select j.id from jobs as j where j.key = job_of.key;
end;

-- Given a new drama
select tests.sign_in((select ana from users_of));
insert into made
select *
from generate_drama('A lighthouse', options => '{"episodes": 1, "with_video": true}');
select results_eq(
  'select title, jsonb_typeof(options) from made', $$ values ('', 'object') $$,
  'inserts an empty drama with its options'
);
reset role;

-- When its outline is written
select is(tests.claim_steps(), 'outline', 'starts with the outline');
select is(
  (tests.claimed_step('outline') -> 'input') - 'drama_id',
  '{"premise": "A lighthouse", "model": "gemini-3-pro-preview",
    "image_model": "gemini-3-pro-image-preview", "video_model": "veo-3.1-generate-preview",
    "episodes": 1, "scenes_per_episode": 4, "characters": 4, "with_video": true,
    "language": "English", "style": ""}',
  'gives the outline premise, models and options'
);
create temporary table before as select updated_at from dramas;
select is(
  tests.complete(
    'outline',
    jsonb_build_object(
      'title', 'The last light', 'logline', 'L', 'genre', 'mystery', 'episodes',
      jsonb_build_array(
        jsonb_build_object('id', tests.uuid(1), 'title', 'One', 'summary', 'S'), '"x"',
        jsonb_build_object('id', 'x'), jsonb_build_object('id', tests.uuid(1))
      )
    ),
    jsonb_build_array(
      '{"key": "cast", "type": "write_cast", "collect": "children"}'::jsonb,
      jsonb_build_object('key', 'script-1', 'type', 'write_script', 'depends_on', '["cast"]'::jsonb,
        'input', jsonb_build_object('episode_id', tests.uuid(1))))
  ),
  'cast',
  'starts the cast after the outline'
);
select is(tests.shown('{title}'), '"The last light"', 'stores the title with the outline');
select is(tests.shown('{genre}'), '"mystery"', 'stores the genre with the outline');
select is(tests.shown('{episodes,0,title}'), '"One"', 'stores the episodes with the outline');
select is(
  jsonb_array_length(tests.shown('{episodes}')), 1, 'leaves out episodes without an id of their own'
);
select ok(
  (select d.updated_at > b.updated_at from dramas as d, before as b),
  'raises updated_at with an output'
);

-- When its cast is written
select is(
  tests.complete(
    'cast',
    jsonb_build_object('characters', jsonb_build_array(
      jsonb_build_object(
        'id', tests.uuid(11), 'name', 'Mira', 'role', 'keeper', 'appearance', 'Grey oilskin'
      ),
      jsonb_build_object('id', tests.uuid(12), 'name', repeat('x', 501)))),
    jsonb_build_array(
      tests.picture('portrait-1', 11, 'portrait'), tests.picture('portrait-2', 12, 'portrait')
    )
  ),
  'portrait-1 portrait-2',
  'starts the portraits after the cast'
);
select is(tests.shown('{characters,0,name}'), '"Mira"', 'stores the characters with the cast');
select is(
  length(tests.shown('{characters,1,name}') #>> '{}'), 500, 'clips a name that is too long'
);
select is(
  tests.shown('{characters,0,portrait_job_id}')::bigint, tests.job_of('portrait-1'),
  'names the job that makes a portrait'
);

-- When one portrait is a URL, and the other one is not
select tests.complete('portrait-1', '{"url": "https://cdn.example.com/1.png"}');
select is(
  tests.complete('portrait-2', '{"url": "javascript:alert(1)"}'), 'script-1',
  'starts the script after all portraits'
);
select is(
  tests.shown('{characters,0,portrait_url}'), '"https://cdn.example.com/1.png"',
  'stores the URL of a portrait'
);
select is(
  tests.shown('{characters,1,portrait_url}'), 'null', 'leaves out a URL that is not http(s)'
);
select is(
  (select j.error_slug from jobs as j where j.key = 'portrait-2'), 'output_not_taken',
  'marks the job whose URL was left out'
);

-- When the script is written
select is(
  tests.complete(
    'script-1',
    jsonb_build_object('script', 'Night.', 'scenes', jsonb_build_array(
      jsonb_build_object('id', tests.uuid(21), 'title', 'A',
        'character_ids', jsonb_build_array(tests.uuid(12), tests.uuid(99), 7)),
      jsonb_build_object('id', tests.uuid(22), 'title', 'B', 'character_ids', 'x'))),
    jsonb_build_array(
      jsonb_build_object(
        'key', 'scene-1', 'type', 'write_scene', 'input',
        jsonb_build_object('scene_id', tests.uuid(21))
      ),
      jsonb_build_object(
        'key', 'scene-2', 'type', 'write_scene', 'input',
        jsonb_build_object('scene_id', tests.uuid(22))
      )
    )
  ),
  'scene-1 scene-2',
  'starts the scenes after the script'
);
select is(tests.shown('{episodes,0,script}'), '"Night."', 'stores the script');
select is(
  tests.shown('{episodes,0,scenes,0,character_ids}'), jsonb_build_array(tests.uuid(12)),
  'stores those characters of a scene that belong to the drama'
);
select is(tests.shown('{episodes,0,scenes,1,title}'), '"B"', 'stores scenes in their order');

-- When a scene is written
select is(
  tests.complete(
    'scene-1', '{"text": "T", "image_prompt": "I", "video_prompt": "V"}',
    jsonb_build_array(
      tests.picture('image', 21, 'image'),
      tests.picture('video', 21, 'video') || '{"depends_on": ["image"]}'
    )
  ),
  'image',
  'starts the image after its scene'
);
select is(tests.shown('{episodes,0,scenes,0,text}'), '"T"', 'stores the text of a scene');
select results_eq(
  $$
    select
      tests.shown('{episodes,0,scenes,0,image_job_id}')::bigint,
      tests.shown('{episodes,0,scenes,0,video_job_id}')::bigint
  $$,
  $$ select tests.job_of('image'), tests.job_of('video') $$,
  'names the jobs that make image and video of a scene'
);
select tests.complete('image', '{"url": "https://cdn.example.com/image.png"}');
select is(
  tests.shown('{episodes,0,scenes,0,image_url}'), '"https://cdn.example.com/image.png"',
  'stores the URL of an image'
);

-- When a worker names a scene of another user's drama
select tests.sign_in((select ben from users_of));
insert into other_drama
select save_drama_complete(json_build_object('episodes', json_build_array(json_build_object(
  'id', tests.uuid(31),
  'scenes', json_build_array(json_build_object('id', tests.uuid(32), 'text', 'Mine'))
))))::json;
reset role;
update jobs set input = jsonb_build_object('scene_id', tests.uuid(32)) where key = 'scene-2';
select is(
  tests.complete('scene-2', '{"text": "Stolen"}'), null,
  'completes a step that names a scene of another drama'
);
select is(
  (select s.text from scenes as s where s.id = tests.uuid(32)), 'Mine',
  'writes nothing to the drama of another user'
);
select is(
  (select j.error_slug from jobs as j where j.key = 'scene-2'), 'output_not_taken',
  'marks the job that named a scene of another drama'
);

-- When the last output is not an object
select is(tests.complete('video', '[["no", 1], null]'), null, 'starts nothing after the last step');

-- Then the run is over
select is(
  (select status from jobs where id = (select run_id from made)), 'completed', 'completes the run'
);
select ok(
  (
    select p.updated_at = d.updated_at
    from app.drama_packages as p
    join dramas as d on d.id = p.drama_id
    where d.id = (select id from made)
  ),
  'stores a current package at the end of the run'
);
select is(
  (select package::text from app.drama_packages where drama_id = (select id from made)),
  (select app.build_drama(id)::text from made),
  'stores in the package what the rows have'
);
select is(
  tests.shown('{episodes,0,scenes,0,video_url}'), 'null', 'leaves out a video without a URL'
);
select results_eq(
  'select count(*)::integer from app.job_queue', array[0], 'leaves nothing in the queue'
);

select * from finish();
rollback;
