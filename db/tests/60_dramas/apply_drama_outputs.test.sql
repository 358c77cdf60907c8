-- A drama grows as its steps are completed, through the worker's door; what is malformed is left out, and stops nobody.
begin;
select plan(44);

create temporary table me as select '7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11'::uuid as worker;
create temporary table users_of as select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table held (key text, id bigint, fence bigint, type text, input jsonb);
create temporary table made (like dramas);
create temporary table anew (first bigint, last bigint);
create temporary table others (drama json);
grant all on users_of, made, anew, others to public;

create function tests.take() returns text language plpgsql as $$
begin
  insert into held
  select s ->> 'key', (s ->> 'id')::bigint, (s ->> 'fence')::bigint, s ->> 'type', s -> 'input'
  from jsonb_array_elements(worker.exchange_steps((select worker from me), '[]', 100) -> 'steps') as s;
  return (select string_agg(key, ' ' order by key) from held);
end
$$;
-- Hands in an output, and takes what comes next; a second later by the rules' clock.
create function tests.hand_in(key text, output jsonb, children jsonb default '[]') returns text language plpgsql as $$
declare
  v_held held;
begin
  delete from held as h where h.key = hand_in.key returning h.* into strict v_held;
  perform worker.exchange_steps((select worker from me), jsonb_build_array(jsonb_build_object(
    'id', v_held.id, 'fence', v_held.fence, 'outcome', 'completed', 'output', hand_in.output, 'children', hand_in.children
  )), 0);
  return tests.take();
end
$$;
create function tests.uuid(n integer) returns uuid language sql as $$ select format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid $$;
grant execute on function tests.uuid(integer) to public;
create function tests.image(key text, n integer, kind text) returns jsonb language sql as $$
  select jsonb_build_object('key', key, 'type', case kind when 'video' then 'generate_video' else 'generate_image' end,
    'input', jsonb_build_object('target_id', tests.uuid(n), 'kind', kind))
$$;
create function tests.shown(path text) returns jsonb language sql as $$
  select app.build_drama(d.id)::jsonb #> path::text[] from dramas as d where d.premise = 'A lighthouse' order by d.created_at limit 1
$$;

-- Given a drama that is asked for
select tests.sign_in((select ana from users_of));
insert into made select * from generate_drama('A lighthouse', options => '{"episodes": 1, "with_video": true}');
select results_eq('select title, jsonb_typeof(options) from made', $$ values ('', 'object') $$, 'it is there, and empty');
reset role;

-- When its outline is written
select is(tests.take(), 'outline', 'its outline comes first');
select is(
  (select input - 'drama_id' from held),
  '{"premise": "A lighthouse", "model": "gemini-3-pro-preview", "image_model": "gemini-3-pro-image-preview",
    "video_model": "veo-3.1-generate-preview", "episodes": 1, "scenes_per_episode": 4, "characters": 4, "with_video": true,
    "language": "English", "style": ""}',
  'with all that it has to know'
);
create temporary table before as select updated_at from dramas;
select is(
  tests.hand_in(
    'outline',
    jsonb_build_object('title', 'The last light', 'logline', 'L', 'genre', 'mystery', 'episodes', jsonb_build_array(
      jsonb_build_object('id', tests.uuid(1), 'title', 'One', 'summary', 'S'), '"x"', jsonb_build_object('id', 'x'), jsonb_build_object('id', tests.uuid(1)))),
    jsonb_build_array(
      '{"key": "cast", "type": "write_cast", "collect": "children"}'::jsonb,
      jsonb_build_object('key', 'script-1', 'type', 'write_script', 'depends_on', '["cast"]'::jsonb, 'input', jsonb_build_object('episode_id', tests.uuid(1))))
  ),
  'cast',
  'then the cast'
);
select is(tests.shown('{title}'), '"The last light"', 'the title is there as soon as the outline is');
select is(tests.shown('{genre}'), '"mystery"', 'and what else it says');
select is(tests.shown('{episodes,0,title}'), '"One"', 'and the episodes');
select is(jsonb_array_length(tests.shown('{episodes}')), 1, 'those that are ones');
select ok((select d.updated_at > b.updated_at from dramas as d, before as b), 'whoever has it open can see that it has changed');

-- When its cast is written
select is(
  tests.hand_in(
    'cast',
    jsonb_build_object('characters', jsonb_build_array(
      jsonb_build_object('id', tests.uuid(11), 'name', 'Mira', 'role', 'keeper', 'appearance', 'Grey oilskin'),
      jsonb_build_object('id', tests.uuid(12), 'name', repeat('x', 501)))),
    jsonb_build_array(tests.image('portrait-1', 11, 'portrait'), tests.image('portrait-2', 12, 'portrait'))
  ),
  'portrait-1 portrait-2',
  'then portraits'
);
select is(tests.shown('{characters,0,name}'), '"Mira"', 'the characters are there');
select is(length(tests.shown('{characters,1,name}') #>> '{}'), 500, 'what is too long is cut');
select is(
  tests.shown('{characters,0,portrait_job_id}')::bigint,
  (select id from held where key = 'portrait-1'),
  'each knows the job that makes its portrait'
);

-- When portraits are made: one well, one as it must not be
select tests.hand_in('portrait-1', '{"url": "https://cdn.example.com/1.png"}');
select is(tests.hand_in('portrait-2', '{"url": "javascript:alert(1)"}'), 'script-1', 'the script waits for the whole cast');
select is(tests.shown('{characters,0,portrait_url}'), '"https://cdn.example.com/1.png"', 'a portrait is there');
select is(tests.shown('{characters,1,portrait_url}'), 'null', 'what is no URL is left out');
select is(
  (select j.error_slug from jobs as j where j.key = 'portrait-2'), 'output_not_taken', 'and the job says so'
);

-- When the script is written
select is(
  tests.hand_in(
    'script-1',
    jsonb_build_object('script', 'Night.', 'scenes', jsonb_build_array(
      jsonb_build_object('id', tests.uuid(21), 'title', 'A', 'character_ids', jsonb_build_array(tests.uuid(12), tests.uuid(99), 7)),
      jsonb_build_object('id', tests.uuid(22), 'title', 'B', 'character_ids', 'x'))),
    jsonb_build_array(
      jsonb_build_object('key', 'scene-1', 'type', 'write_scene', 'input', jsonb_build_object('scene_id', tests.uuid(21))),
      jsonb_build_object('key', 'scene-2', 'type', 'write_scene', 'input', jsonb_build_object('scene_id', tests.uuid(22))))
  ),
  'scene-1 scene-2',
  'then its scenes'
);
select is(tests.shown('{episodes,0,script}'), '"Night."', 'the script is there');
select is(tests.shown('{episodes,0,scenes,0,character_ids}'), jsonb_build_array(tests.uuid(12)), 'of who is in a scene, those who are');
select is(tests.shown('{episodes,0,scenes,1,title}'), '"B"', 'scenes come in their order');

-- When a scene is written, and its image and video are made
select is(
  tests.hand_in('scene-1', '{"text": "T", "image_prompt": "I", "video_prompt": "V"}', jsonb_build_array(
    tests.image('image', 21, 'image'), tests.image('video', 21, 'video') || '{"depends_on": ["image"]}')),
  'image scene-2',
  'then its image'
);
select is(tests.shown('{episodes,0,scenes,0,text}'), '"T"', 'its text is there');
select ok((tests.shown('{episodes,0,scenes,0,video_job_id}')::bigint > tests.shown('{episodes,0,scenes,0,image_job_id}')::bigint), 'and the jobs of both');

-- And somebody asks for another image meanwhile, twice
select tests.sign_in((select ana from users_of));
select throws_ok($$ select regenerate_asset(tests.uuid(98), 'image') $$, 'PT404', null, 'what is not there is not made anew');
select throws_ok($$ select regenerate_asset(tests.uuid(21), 'portrait') $$, 'PT404', null, 'a scene has no portrait');
select throws_ok($$ select regenerate_asset(tests.uuid(21), 'song') $$, 'PT422', null, 'and there are no songs');
insert into anew
select regenerate_asset(tests.uuid(21), 'image', idempotency_key => 'k') as first, regenerate_asset(tests.uuid(21), 'image', 'Rain', 'l') as last;
select is(regenerate_asset(tests.uuid(21), 'image', idempotency_key => 'k'), (select first from anew), 'the same key gives the first run');
select tests.sign_in((select ben from users_of));
select throws_ok($$ select regenerate_asset(tests.uuid(21), 'image') $$, 'PT404', null, 'nobody else asks for one');
reset role;
select is(tests.shown('{episodes,0,scenes,0,image_job_id}')::bigint, (select last from anew), 'the last one counts');
select is((select input ->> 'prompt' from jobs where id = (select last from anew)), 'Rain', 'with its prompt');
select is(
  (select input #>> '{references}' from jobs where id = (select first from anew)), '[]', 'portraits that are not there are no references'
);
select tests.take();
update held set key = 'first' where id = (select first from anew);
update held set key = 'last' where id = (select last from anew);
select tests.hand_in('last', '{"url": "https://cdn.example.com/last.png"}');
select tests.hand_in('first', '{"url": "https://cdn.example.com/first.png"}');
select tests.hand_in('image', '{"url": "https://cdn.example.com/image.png"}');
select is(tests.shown('{episodes,0,scenes,0,image_url}'), '"https://cdn.example.com/last.png"', 'in whatever order they are done');

-- What a worker says of other dramas, or does not say at all
select tests.sign_in((select ben from users_of));
insert into others
select (save_drama_complete(json_build_object('episodes', json_build_array(json_build_object(
  'id', tests.uuid(31), 'scenes', json_build_array(json_build_object('id', tests.uuid(32), 'text', 'Mine'))))))::json) as drama;
reset role;
update jobs set input = jsonb_build_object('scene_id', tests.uuid(32)) where key = 'scene-2';
select is(tests.hand_in('scene-2', '{"text": "Stolen"}'), 'video', 'what names another drama''s scene');
select is((select s.text from scenes as s where s.id = tests.uuid(32)), 'Mine', 'changes nothing there');
select is((select error_slug from jobs where key = 'scene-2'), 'output_not_taken', 'and says so');
select is(tests.hand_in('video', '[["no", 1], null]'), null, 'and what is nothing at all ends the run');

-- Then the run is over
select is((select status from jobs where id = (select run_id from made)), 'completed', 'the run is completed');
select ok(
  (select p.updated_at = d.updated_at from app.drama_packages as p join dramas as d on d.id = p.drama_id where d.id = (select id from made)),
  'and what it has become is kept as one document'
);
select is(
  (select package::text from app.drama_packages where drama_id = (select id from made)),
  (select app.build_drama(id)::text from made),
  'as its rows have it'
);
select results_eq(
  $$ select count(*)::integer from app.job_queue $$, array[0], 'and nothing is left to do'
);

-- What Realtime sends, and to whom
select set_eq(
  $$ select tablename::text from pg_publication_tables where pubname = 'supabase_realtime' $$,
  array['jobs', 'dramas', 'episodes', 'scenes'],
  'dramas, episodes and scenes are published, beside jobs'
);
select is_empty(
  $$
    select p.tablename, a.name from pg_publication_tables as p cross join unnest(p.attnames) as a (name)
    where p.pubname = 'supabase_realtime'
      and not has_column_privilege('authenticated', format('public.%I', p.tablename)::regclass, a.name, 'select')
  $$,
  'with columns that their owners may read, and no other'
);
select is_empty(
  $$
    select c.relname, p.polname from pg_class as c left join pg_policy as p on p.polrelid = c.oid and p.polcmd = 'r'
    where c.relname in ('dramas', 'drama_characters', 'episodes', 'scenes') and c.relnamespace = 'public'::regnamespace
      and pg_get_expr(p.polqual, p.polrelid) is distinct from '(owner_id = ( SELECT auth.uid() AS uid))'
  $$,
  'to their owner alone'
);

select * from finish();
rollback;
