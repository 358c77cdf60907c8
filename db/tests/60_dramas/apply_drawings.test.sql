-- The texts of a drama do not wait for portraits; a step per episode starts the images when both
-- are done.
begin;
select plan(11);
select tests.announce_versions();

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant all on users_of to public;

create function tests.uuid(n integer) returns uuid language sql
return format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
grant execute on function tests.uuid(integer) to public;
-- A child that makes the picture of the target with this number.
create function tests.picture(key text, n integer, type text) returns jsonb language sql
return jsonb_build_object(
  'key', key, 'type', type, 'input', jsonb_build_object('target_id', tests.uuid(n))
);
-- Completes a step, and returns the keys of the steps that start then.
create function tests.complete(
  key text, output jsonb, children jsonb default '[]'
) returns text language sql
return tests.hand_in_result(
  key, jsonb_build_object('outcome', 'completed', 'output', output, 'children', children), 100
);
create function tests.job_of(key text) returns bigint language sql
begin atomic
  select j.id from jobs as j where j.key = job_of.key;
end;

-- Given a drama of one episode, and a drama of another user
select tests.sign_in((select ben from users_of));
select save_drama_complete(json_build_object('episodes', json_build_array(json_build_object(
  'id', tests.uuid(31), 'scenes', json_build_array(json_build_object('id', tests.uuid(32)))))));
select tests.sign_in((select ana from users_of));
select generate_drama('A lighthouse', options => '{"episodes": 1, "with_video": true}');
reset role;
select tests.claim_steps();
select tests.complete(
  'outline',
  jsonb_build_object(
    'title', 'T', 'episodes', jsonb_build_array(jsonb_build_object('id', tests.uuid(1)))
  ),
  '[{"key": "cast", "type": "write_cast"}]'
);

-- When the cast is written
select is(
  tests.complete(
    'cast',
    jsonb_build_object('characters', jsonb_build_array(
      jsonb_build_object('id', tests.uuid(11), 'name', 'Mira'),
      jsonb_build_object('id', tests.uuid(12), 'name', 'Tom'))),
    jsonb_build_array(
      tests.picture('portrait-1', 11, 'generate_image'),
      tests.picture('portrait-2', 12, 'generate_image'),
      jsonb_build_object('key', 'script-1', 'type', 'write_script', 'collect', 'children',
        'input', jsonb_build_object('episode_id', tests.uuid(1))),
      '{"key": "drawing-1", "type": "draw_episode",
        "depends_on": ["script-1", "portrait-1", "portrait-2"]}'::jsonb)
  ),
  'portrait-1 portrait-2 script-1',
  'starts the script together with the portraits'
);

-- When the texts of the episode are written
select is(
  tests.complete(
    'script-1',
    jsonb_build_object('script', 'Night.', 'scenes', jsonb_build_array(
      jsonb_build_object('id', tests.uuid(21)), jsonb_build_object('id', tests.uuid(22)))),
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
  'starts the scenes while portraits are open'
);
select tests.complete('scene-1', '{"text": "A", "image_prompt": "I", "video_prompt": "V"}');
select is(
  tests.complete('scene-2', '{"text": "B", "image_prompt": "I", "video_prompt": "V"}'), null,
  'draws no scene while portraits are open'
);
select tests.complete('portrait-1', '{"url": "https://cdn.example.com/1.png"}');
select is(
  tests.hand_in_result(
    'portrait-2',
    '{"outcome": "failed", "is_permanent": true, "error": {"slug": "no", "message": "No."}}', 100
  ),
  'drawing-1',
  'draws the episode when its texts are done and every portrait is done or failed'
);

-- When a person has set the image of the second scene before, and has requested its video
update scenes
set image_url = 'https://cdn.example.com/mine.png', video_job_id = 77
where id = tests.uuid(22);
select is(
  tests.complete('drawing-1', '{}', jsonb_build_array(
    tests.picture('image-1', 21, 'generate_image'),
    tests.picture('video-1', 21, 'generate_video') || '{"depends_on": ["image-1"]}',
    tests.picture('image-2', 22, 'generate_image'),
    tests.picture('image-3', 32, 'generate_image'))),
  'image-1 image-2 image-3',
  'starts the images of the episode'
);
select results_eq(
  'select image_job_id, video_job_id from scenes where id = tests.uuid(21)',
  $$ select tests.job_of('image-1'), tests.job_of('video-1') $$,
  'names the jobs that make image and video of a scene'
);
select is(
  (select image_job_id from scenes where id = tests.uuid(22)), null,
  'names no job where a person has set the image'
);
select is(
  (select video_job_id from scenes where id = tests.uuid(22)), 77::bigint,
  'keeps the job of a video that a person has requested'
);
select is(
  (select image_job_id from scenes where id = tests.uuid(32)), null,
  'names no job in the drama of another user'
);
select is(
  (select error_slug from jobs where key = 'drawing-1'), null, 'marks no step whose output is empty'
);
select tests.complete('image-1', '{"url": "https://cdn.example.com/image.png"}');
select is(
  (select image_url from scenes where id = tests.uuid(21)), 'https://cdn.example.com/image.png',
  'stores the URL of an image'
);

select * from finish();
rollback;
