-- A connection keeps its plans, so a plan that was made on empty tables must use the indexes, too.
begin;
select plan(3);

-- Given a user whose dramas are saved while no scene has details
create temporary table known as select tests.create_user('ana@example.com') as ana;
grant select on known to public;
create function pg_temp.document(scenes integer) returns json language sql
return json_build_object('episodes', json_build_array(json_build_object(
  'script', 'S',
  'scenes', array_to_json(array_fill(json '{"image_prompt": "I"}', array[document.scenes]))
)));
grant execute on function pg_temp.document(integer) to public;
create temporary table saved (drama json);
grant insert, select on saved to public;
select tests.sign_in((select ana from known));
select count(save_drama_complete('{"episodes": [{"scenes": [{}]}]}')) from generate_series(1, 7);

-- When scenes have details
insert into saved
select save_drama_complete(pg_temp.document(20))::json;
select is(
  json_array_length(save_drama_complete(pg_temp.document(500))::json #> '{episodes,0,scenes}'),
  500,
  'saves a drama of 500 scenes'
);
select lives_ok(
  $$
    select regenerate_asset((s.drama #>> '{episodes,0,scenes,0,id}')::uuid, 'image')
    from saved as s
  $$,
  'requests an image of a scene'
);

-- Then
reset role;
select is(
  (
    select sum(t.seq_tup_read)::integer
    from pg_stat_xact_user_tables as t
    where t.relid in ('app.episode_details'::regclass, 'app.scene_details'::regclass)
  ),
  0,
  'reads details by their index alone'
);

select * from finish();
rollback;
