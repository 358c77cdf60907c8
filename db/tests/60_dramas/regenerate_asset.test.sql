-- regenerate_asset starts a run for one picture; of several for the same target, the last request
-- counts.
begin;
select plan(11);

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table runs_of (run text, id bigint);
grant all on users_of, runs_of to public;
create function tests.uuid(n integer) returns uuid language sql
return format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid;
grant execute on function tests.uuid(integer) to public;
create function tests.image_url() returns text language sql
begin atomic
  select s.image_url from scenes as s;
end;

-- Given a drama with a scene
select tests.sign_in((select ana from users_of));
select save_drama_complete(json_build_object('episodes', json_build_array(json_build_object(
  'scenes', json_build_array(json_build_object('id', tests.uuid(21), 'image_prompt', 'I'))))));

-- Then
select throws_ok(
  $$ select regenerate_asset(tests.uuid(98), 'image') $$, 'PT404', 'Scene not found.',
  'refuses an unknown scene'
);
select throws_ok(
  $$ select regenerate_asset(tests.uuid(21), 'portrait') $$, 'PT404', 'Character not found.',
  'refuses the portrait of a scene'
);
select throws_ok(
  $$ select regenerate_asset(tests.uuid(21), 'song') $$, 'PT422', 'Unknown kind "song".',
  'refuses an unknown kind'
);
select tests.sign_in((select ben from users_of));
select throws_ok(
  $$ select regenerate_asset(tests.uuid(21), 'image') $$, 'PT404', 'Scene not found.',
  'refuses a scene of another user'
);

-- When two images are requested
select tests.sign_in((select ana from users_of));
insert into runs_of
values ('first', regenerate_asset(tests.uuid(21), 'image', idempotency_key => 'k')),
  ('last', regenerate_asset(tests.uuid(21), 'image', 'Rain', 'l'));

-- Then
select is(
  regenerate_asset(tests.uuid(21), 'image', idempotency_key => 'k'),
  (select id from runs_of where run = 'first'),
  'returns the first run for the same idempotency key'
);
reset role;
select is(
  (select image_job_id from scenes), (select id from runs_of where run = 'last'),
  'names the job of the last request'
);
select results_eq(
  $$
    select r.run, j.input ->> 'prompt'
    from runs_of as r
    join jobs as j on j.id = r.id
    order by r.run
  $$,
  $$ values ('first', 'I'), ('last', 'Rain') $$,
  'draws what the scene shows, or the prompt of the request'
);
select is(
  (
    select j.input -> 'references'
    from jobs as j
    where j.id = (select id from runs_of where run = 'first')
  ),
  '[]',
  'refers to no portrait in a scene without characters'
);

-- When both are made, the last request first
select tests.claim_steps();
update tests.claims as c set key = r.run from runs_of as r where r.id = c.id;
select tests.hand_in_result(
  'last', '{"outcome": "completed", "output": {"url": "https://cdn.example.com/last.png"}}'
);
select is(
  tests.image_url(), 'https://cdn.example.com/last.png', 'stores the image of the last request'
);
select tests.hand_in_result(
  'first', '{"outcome": "completed", "output": {"url": "https://cdn.example.com/first.png"}}'
);

-- Then
select is(
  tests.image_url(), 'https://cdn.example.com/last.png', 'ignores the image of an earlier request'
);
select is(
  (select j.error_slug from jobs as j where j.id = (select id from runs_of where run = 'first')),
  'output_not_taken',
  'marks the job of the earlier request'
);

select * from finish();
rollback;
