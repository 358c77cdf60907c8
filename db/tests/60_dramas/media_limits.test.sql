-- Runs reserve the images and videos that they may make in their owner's day, and give back what
-- they never began.
begin;
select plan(49);

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table runs_of (run text, id bigint);
grant all on users_of, runs_of to public;
create function tests.uuid(n integer) returns uuid language sql
return format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
grant execute on function tests.uuid(integer) to public;
-- The reservations of today, of ana and of all users: "images videos | images videos".
create function tests.reserved() returns text language sql
begin atomic
  select format('%s %s | %s %s', o.images, o.videos, a.images, a.videos)
  from users_of as u
  cross join lateral app.count_media(u.ana, app.utc_day()) as o
  cross join lateral app.count_media(null, app.utc_day()) as a;
end;
-- As ana, generates a drama of two scenes and one character with videos: three images, two videos.
create function tests.generate(run text, options text default '{}')
  returns void language plpgsql as $$
begin
  insert into runs_of
  select generate.run, d.run_id
  from generate_drama(
    'A lighthouse',
    options => '{"episodes": 1, "scenes_per_episode": 2, "characters": 1, "with_video": true}'
      || generate.options::jsonb
  ) as d;
  -- As at the commit of each request.
  set constraints all immediate;
  set constraints all deferred;
end
$$;
grant execute on function tests.generate(text, text) to public;
create function tests.run(run text) returns bigint language sql
begin atomic
  select r.id from runs_of as r where r.run = run.run;
end;
grant execute on function tests.run(text) to public;
create function tests.media_children(n integer) returns jsonb language sql
return jsonb_build_object('outcome', 'completed', 'output', '{}'::jsonb, 'children', (
  select jsonb_agg(jsonb_build_object('key', k.key || n, 'type', k.type, 'input', '{}'::jsonb))
  from (values ('image', 'generate_image'), ('video', 'generate_video')) as k (key, type)
));
update plans set images_per_day = 10, videos_per_day = 5 where id = 'free';

-- Given a user who has generated nothing
select tests.sign_in((select ana from users_of));
select is(
  (select row_to_json(l)::jsonb - 'day_ends_at' from get_media_limits() as l),
  '{"images_per_day": 10, "images_reserved": 0, "images_left": 10, "videos_per_day": 5,
    "videos_reserved": 0, "videos_left": 5, "bytes_stored": 1073741824, "bytes_used": 0,
    "bytes_left": 1073741824, "dramas_per_day": 20, "dramas_started": 0, "dramas_left": 20}',
  'shows the limits of the plan to a user who has generated nothing'
);
select is(
  (select day_ends_at from get_media_limits()),
  ((now() at time zone 'UTC')::date + 1)::timestamp at time zone 'UTC',
  'says when the day ends'
);

-- When the user generates a drama
select tests.generate('first');
select is(
  (select images_left from get_media_limits()), 7,
  'counts portraits and images of scenes when a run starts'
);
select is(
  (select videos_left from get_media_limits()), 3, 'counts the videos of scenes when a run starts'
);
reset role;
select is(tests.reserved(), '3 2 | 3 2', 'counts a reservation for the owner and for all users');

-- When others ask for the limits of the user
select tests.sign_in((select ben from users_of));
select is((select videos_reserved from get_media_limits()), 0, 'shows a user only their own day');
select matches(
  tests.refusal_of(format('select get_media_limits(%L)', (select ana from users_of))) ->> 'slug',
  'owner_not_found',
  'refuses the day of another user'
);
select tests.become('service_role');
select is(
  (select videos_reserved from get_media_limits((select ana from users_of))), 2,
  'shows service_role the day of a user'
);
select matches(
  tests.refusal_of(format(
    $$ insert into dramas (owner_id, premise, options) values (%L, 'x', '{"with_video": true}') $$,
    (select ana from users_of)
  )) ->> 'message',
  'media_limit_reached', 'spends the day of the owner for service_role, too'
);
reset role;

-- When a request needs more than is left
select tests.sign_in((select ana from users_of));
select matches(
  tests.refusal_of($$ select tests.generate('large', '{"scenes_per_episode": 4}') $$) ->> 'message',
  'The plan allows 5 videos a day .UTC.: 2 are reserved, and this request needs 4\.',
  'refuses too many videos'
);
select matches(
  tests.refusal_of($$
    select tests.generate('large', '{"characters": 8, "with_video": false}')
  $$) ->> 'message',
  'The plan allows 10 images a day .UTC.: 3 are reserved, and this request needs 10\.',
  'refuses too many images'
);
select matches(
  tests.refusal_of($$
    insert into dramas (premise, options) values ('x', '{"with_video": true}')
  $$) ->> 'message',
  'media_limit_reached', 'refuses an insert that needs too many videos'
);
select matches(
  tests.refusal_of($$ select tests.generate('never', '{"scenes_per_episode": 6}') $$) ->> 'message',
  'the plan never allows so many',
  'says that waiting does not help, if the plan never allows so many'
);
reset role;
select is((select count(*) from dramas), 1::bigint, 'stores no drama for a refused request');
select is(tests.reserved(), '3 2 | 3 2', 'reserves nothing for a refused request');

-- When the run is cancelled before it begins
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('first'));
reset role;
select is(tests.reserved(), '0 0 | 0 0', 'gives everything back if nothing was begun');
select app.end_drama_runs(array[tests.run('first')]);
select is(
  tests.reserved(), '0 0 | 0 0', 'gives back once, also if the end of the run is processed twice'
);
select tests.sign_in((select ana from users_of));
select retry_job(tests.run('first'));
set constraints all immediate;
set constraints all deferred;
reset role;
select is(tests.reserved(), '3 2 | 3 2', 'reserves again when the run is retried');
select is_empty(
  'select from app.media_returns', 'adds up the returned media at the next reservation'
);

-- When one scene has its image and its video, claimed but not seen running yet, and the run is
-- cancelled
select tests.claim_steps();
select tests.hand_in_result('outline', tests.media_children(1), 10);
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('first'));
reset role;
select is(tests.reserved(), '1 1 | 1 1', 'counts a step that a worker had claimed as bought');

-- When the run is retried, and its video saves the name of an operation
select tests.sign_in((select ana from users_of));
select retry_job(tests.run('first'));
set constraints all immediate;
set constraints all deferred;
reset role;
select is(
  tests.reserved(), '4 3 | 4 3', 'reserves a begun step again that has not saved its state'
);
select tests.claim_steps();
select tests.hand_in_result('video1', '{"outcome": "rescheduled", "state": {"operation": "o"}}');
select tests.hand_in_result('image1');
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('first'));
reset role;
select is(tests.reserved(), '2 2 | 2 2', 'counts a step that saved its state as bought');
select tests.sign_in((select ana from users_of));
select retry_job(tests.run('first'));
set constraints all immediate;
set constraints all deferred;
reset role;
select is(
  tests.reserved(), '4 3 | 4 3',
  'reserves nothing for a step with saved state: its operation is paid'
);
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('first'));
reset role;
select is(
  tests.reserved(), '2 2 | 2 2',
  'gives back nothing for a step with saved state that has not run again'
);

-- When the plan allows no more
update plans set videos_per_day = 2 where id = 'free';
select tests.sign_in((select ana from users_of));
select matches(
  tests.refusal_of(format('select retry_job(%s)', tests.run('first'))) ->> 'message',
  'media_limit_reached',
  'refuses to retry a run that needs more than is left'
);
select is(
  (select status from jobs where id = tests.run('first')), 'cancelled',
  'leaves a run as it was if its retry is refused'
);
select is(
  (select videos_left from get_media_limits()), 0, 'leaves nothing if an operator lowers the plan'
);
reset role;
update users set plan_id = 'pro' where id = (select ana from users_of);
select tests.sign_in((select ana from users_of));
select lives_ok(
  format('select retry_job(%s)', tests.run('first')),
  'applies a new plan at once, and keeps the reservations of the day'
);
set constraints all immediate;
set constraints all deferred;
reset role;
select is(tests.reserved(), '4 3 | 4 3', 'keeps the day of a user who changes the plan');

-- When the drama is deleted
select tests.sign_in((select ana from users_of));
select delete_drama((select d.id from dramas as d where d.run_id = tests.run('first')));
reset role;
select is(
  tests.reserved(), '2 2 | 2 2',
  'gives back only the media that were not begun when a drama is deleted'
);

-- When single media are generated again
select tests.sign_in((select ana from users_of));
select save_drama_complete(json_build_object(
  'characters', json_build_array(json_build_object('id', tests.uuid(1), 'name', 'A')),
  'episodes', json_build_array(json_build_object('scenes', json_build_array(
    json_build_object('id', tests.uuid(2), 'image_prompt', 'I', 'video_prompt', 'V')
  )))
));
insert into runs_of
values ('portrait', regenerate_asset(tests.uuid(1), 'portrait', idempotency_key => 'k'));
insert into runs_of
values ('again', regenerate_asset(tests.uuid(1), 'portrait', idempotency_key => 'k'));
insert into runs_of values ('video', regenerate_asset(tests.uuid(2), 'video'));
set constraints all immediate;
set constraints all deferred;
reset role;
select is(
  tests.reserved(), '3 3 | 3 3',
  'reserves one image or video per regenerate_asset, and once per idempotency key'
);
delete from app.runs where id = tests.run('portrait');
select is(tests.reserved(), '2 3 | 2 3', 'gives back the media of an open run that is deleted');

-- When all users together reach the ceiling
update app.settings set all_videos_per_day = 4;
select tests.sign_in((select ben from users_of));
select matches(
  tests.refusal_of($$ select tests.generate('ceiling') $$) ->> 'message', 'media_ceiling_reached',
  'refuses more than the ceiling of all users'
);
select lives_ok($$
  select tests.generate('images', '{"with_video": false}')
$$, 'does not count images against the ceiling of videos');
reset role;
-- A reservation that was committed after the look of app.require_media.
select throws_ok(
  format(
    $$
      insert into app.media_reservations values (1, %L, app.utc_day(), 0, 2);
      set constraints all immediate
    $$,
    (select ben from users_of)
  ),
  'PGRST', null, 'counts the ceiling again at commit'
);

-- When an operator stops buying
update app.settings set all_videos_per_day = 1000, buying_is_stopped = true;
select tests.sign_in((select ben from users_of));
select matches(
  tests.refusal_of($$ select tests.generate('stopped', '{"with_video": false}') $$) ->> 'message',
  'buying_stopped',
  'starts no run while buying is stopped'
);
reset role;
select tests.sign_in((select ben from users_of));
select cancel_job(tests.run('images'));
select matches(
  tests.refusal_of(format('select retry_job(%s)', tests.run('images'))) ->> 'message',
  'buying_stopped',
  'retries no run while buying is stopped'
);
reset role;
update app.settings set buying_is_stopped = false;

-- When of two videos one has saved its state, the run is retried, and only the other one begins
select tests.sign_in((select ana from users_of));
select tests.generate('two');
reset role;
select tests.claim_steps();
select tests.hand_in_result(
  'outline',
  jsonb_set(
    tests.media_children(7), '{children}',
    (tests.media_children(7) -> 'children') || (tests.media_children(8) -> 'children')
  ),
  10
);
select tests.hand_in_result('video7', '{"outcome": "rescheduled", "state": {"operation": "o"}}');
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('two'));
reset role;
create temporary table day as
select c.videos
from users_of as u, app.count_media(u.ana, app.utc_day()) as c;
select tests.sign_in((select ana from users_of));
select retry_job(tests.run('two'));
reset role;
update app.job_queue as q
set run_at = 'infinity'
from jobs as j
where j.id = q.job_id and j.key = 'video7';
select tests.claim_steps();
select is(
  tests.statuses_of('video7', 'video8'), 'queued running', 'has begun one of the two videos'
);
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('two'));
reset role;
select is(
  (select c.videos from users_of as u, app.count_media(u.ana, app.utc_day()) as c),
  (select videos + 1 from day),
  'does not take a video with saved state for one that was never begun'
);

-- When a portrait of a generated drama is generated again, and its run is cancelled after it began
insert into drama_characters (id, drama_id, owner_id, position, name)
select tests.uuid(5), d.id, d.owner_id, 1, 'A' from dramas as d where d.run_id = tests.run('two');
truncate day;
insert into day select c.images from users_of as u, app.count_media(u.ana, app.utc_day()) as c;
select tests.sign_in((select ana from users_of));
insert into runs_of values ('one', regenerate_asset(tests.uuid(5), 'portrait'));
reset role;
select tests.claim_steps();
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('one'));
reset role;
select is(
  (select c.images from users_of as u, app.count_media(u.ana, app.utc_day()) as c),
  (select videos + 1 from day),
  'does not give back a portrait for other images of its drama that were never begun'
);

-- When a run has more images and videos than it reserved, and ends before it begins them
truncate day;
insert into day select c.videos from users_of as u, app.count_media(u.ana, app.utc_day()) as c;
create temporary table images as
select c.images
from users_of as u, app.count_media(u.ana, app.utc_day()) as c;
select tests.sign_in((select ana from users_of));
select tests.generate('more', '{"scenes_per_episode": 1}');
reset role;
select tests.claim_steps();
select tests.hand_in_result('outline', jsonb_set(tests.media_children(1), '{children}', (
  select jsonb_agg(c)
  from generate_series(11, 13) as n,
    jsonb_array_elements(tests.media_children(n) -> 'children') as c
)));
select tests.sign_in((select ana from users_of));
select cancel_job(tests.run('more'));
reset role;
select is(
  (select c.videos from users_of as u, app.count_media(u.ana, app.utc_day()) as c),
  (select videos from day),
  'gives back no more videos than the run reserved'
);
select is(
  (select c.images from users_of as u, app.count_media(u.ana, app.utc_day()) as c),
  (select images from images),
  'gives back no more images than the run reserved'
);

-- When the run of another product, which makes an image, is retried
select tests.become('service_role');
insert into runs_of
select
  'other', submit_run('{"key": "image", "type": "generate_image"}', (select ana from users_of));
select cancel_job(tests.run('other'));
select retry_job(tests.run('other'));
reset role;
select is(
  (select c.images from users_of as u, app.count_media(u.ana, app.utc_day()) as c),
  (select images from images),
  'reserves nothing for a run that belongs to no drama'
);
select app.cancel_runs(array[tests.run('other')]);

-- When days pass
select tests.sign_in((select ana from users_of));
select tests.generate('late');
reset role;
select tests.travel('1 day');
select tests.sign_in((select ana from users_of));
select is((select videos_left from get_media_limits()), 200, 'begins a new day at midnight UTC');

-- When a run of yesterday ends after another run has reserved media of today
select tests.generate('next');
select cancel_job(tests.run('late'));
select tests.generate('last');
select is(
  (select videos_reserved from get_media_limits()), 4,
  'gives media back to the day that they were reserved in'
);
reset role;
select tests.travel('4 days');
select isnt(app.delete_spent_media_days(), 0, 'deletes the days that are over');
select is_empty('select from app.media_days', 'keeps no day that is over');

-- When the user is deleted
select tests.travel('0 days');
select tests.sign_in((select ana from users_of));
select regenerate_asset(tests.uuid(1), 'portrait');
set constraints all immediate;
set constraints all deferred;
reset role;
delete from auth.users where id = (select ana from users_of);
select is_empty(
  $$
    select from app.media_days where owner_id = (select ana from users_of)
    union all select from app.media_returns where owner_id = (select ana from users_of)
    union all select from app.media_reservations where owner_id = (select ana from users_of)
  $$,
  'keeps nothing of a deleted user'
);
select is(
  (select images from app.count_media(null, app.utc_day())), 0,
  'gives the media of a deleted user back to all users'
);

select finish();
rollback;
