-- The life of a generation: requested, in flight, completed, answered from the cache, failed,
-- cancelled.
begin;
select plan(47);
select tests.prepare_studio();
create temporary table known (ana uuid, photo text);
insert into known (ana) values (tests.create_user('ana@example.com'));
update known set photo = tests.upload_photo(ana);
select tests.grant_credits(ana, 10, 'pack') from known;
create temporary table answers (n integer generated always as identity, answer jsonb);
grant select, insert on known, answers to public;
create function pg_temp.ask(parameters jsonb default '{"color": "red"}') returns jsonb
  language plpgsql as $$
declare
  v_answer jsonb;
begin
  perform tests.sign_in((select ana from known));
  v_answer := tests.paint((select photo from known), parameters);
  reset role;
  insert into answers (answer) values (v_answer);
  return v_answer;
end
$$;
create function pg_temp.last_id() returns uuid language sql as
  'select (answer ->> ''generation_id'')::uuid from answers order by n desc limit 1';

grant execute on function pg_temp.last_id() to public;

-- When a user asks for a new image
select is(
  pg_temp.ask() - 'generation_id',
  '{"status": "pending", "cached": false, "url": null, "result": null, "credits": 8}',
  'a new request is pending and holds its cost'
);
select is(tests.balance_of(ana), '10 2 0', 'the cost is held, not charged') from known;
select results_eq(
  $$
    select user_id, tool_key, kind, status, tool_parameters, url, credits, is_favourite
    from generations
  $$,
  $$
    select
      ana, 'paint', 'image', 'pending', '{"color": "red", "strength": 0.5}'::jsonb, null::text, 2,
      false
    from known
  $$,
  'the generation has the parameters with their defaults'
);
select is(
  (select (j.owner_id, j.type, j.status)::text from jobs as j),
  (select format('(%s,process_image,queued)', ana) from known),
  'a run works on the generation'
);

-- When the same user asks for the same image again
select is(
  pg_temp.ask('{"strength": 0.50, "color": "red"}'),
  (select answer from answers where n = 1),
  'an identical request gets the pending generation'
);
select is(tests.balance_of(ana), '10 2 0', 'an identical request costs nothing') from known;
select is((select count(*) from jobs), 1::bigint, 'an identical request starts no run');

-- When a worker reads it
select tests.claim_steps();
create temporary table doors as select tests.read_generation(pg_temp.last_id()) as door;
select is(
  (select door - 'target' from doors),
  (
    select jsonb_build_object(
      'generation_id', pg_temp.last_id(),
      'kind', 'image',
      'model', 'm',
      'prompt', 'Paint it red, strength 0.5, again red.',
      'result_schema', null,
      'original', jsonb_build_object('path', photo, 'etag', '"e1"', 'size', 1000)
    )
    from known
  ),
  'the worker reads the prompt with its values and the photo'
);
select matches(
  (select door ->> 'target' from doors), (select '^' || ana || '/[0-9a-f-]{36}$' from known),
  'the target is in the folder of the user'
);
select isnt(
  tests.read_generation(pg_temp.last_id()) ->> 'target', (select door ->> 'target' from doors),
  'each attempt has a target of its own'
);

-- When the worker has stored the image of each attempt
insert into storage.buckets (id, name) values ('generations', 'generations') on conflict do nothing;
insert into storage.objects (bucket_id, name)
select 'generations', f.user_id || '/' || f.file_id || '.png' from app.generation_files as f;
create function pg_temp.seen_files() returns text language plpgsql as $$
declare
  v_seen text;
begin
  perform tests.sign_in((select ana from known));
  select string_agg(o.name, ' ') into v_seen
  from storage.objects as o
  where o.bucket_id = 'generations';
  reset role;
  return concat_ws(
    '; ',
    v_seen,
    (
      select string_agg(f ->> 'file_id', ' ')
      from known, app.export_generations(known.ana) as e, json_array_elements(e -> 'files') as f
    )
  );
end
$$;
select is(pg_temp.seen_files(), '', 'hides an image that is not paid for from its user');

-- When the worker completes it
select tests.hand_in_generation(
  pg_temp.last_id(),
  jsonb_build_object(
    'outcome', 'completed',
    'output', jsonb_build_object('object_key', (select door ->> 'target' from doors) || '.png')
  )
);
select is(
  pg_temp.seen_files(),
  (
    select format('%s.png; %s', d.door ->> 'target', split_part(d.door ->> 'target', '/', 2))
    from doors as d
  ),
  'shows the image of the completed generation, and no other one'
);
select is(tests.status_of('process_image'), 'completed', 'the run is completed');
select is(tests.balance_of(ana), '8 0 0', 'a completed generation is charged') from known;
select results_eq(
  'select credits, reason from credit_usage', $$ values (2, 'Paint it') $$,
  'credit_usage names the tool'
);
select results_eq(
  'select status, url, completed_at is not null, error from generations',
  $$
    select
      'completed',
      'https://x.test/storage/v1/object/public/generations/' || (door ->> 'target') || '.png',
      true,
      null::text
    from doors
  $$,
  'the generation has the public URL of the image'
);
select results_eq(
  'select prompt, ended_at is not null from app.generation_details', $$ values (null, true) $$,
  'the prompt of an ended generation is deleted'
);
select results_eq(
  $$
    select delete_at is null, delete_at is null or delete_at = app.now() + interval '1 hour'
    from app.generation_files
    order by 1
  $$,
  'values (false, true), (true, true)',
  'keeps the file of the completed attempt, and deletes the other file after the grace'
);
select results_eq(
  $$
    select n.kind, n.title, n.body, n.data ->> 'generation_id', n.data ->> 'url' = g.url
    from notifications as n, generations as g
  $$,
  $$
    select
      'generation_completed', 'Your image is ready', 'Paint it', pg_temp.last_id()::text, true
  $$,
  'the user is notified'
);
select results_eq(
  $$
    select
      k.key ~ '^[0-9a-f]{64}$', k.value ->> 'generation_id', k.value ->> 'url' = g.url,
      k.expires_at = app.now() + interval '24 hours'
    from cache.kv_store as k, generations as g
  $$,
  'select true, pg_temp.last_id()::text, true, true',
  'the cache has the result for 24 hours'
);

-- When the same user asks once more
select is(
  pg_temp.ask(),
  (
    select jsonb_build_object(
      'generation_id', id, 'status', 'completed', 'cached', true, 'url', url, 'result', null,
      'credits', 8
    )
    from generations
  ),
  'the cache answers the same request at once'
);
select is(tests.balance_of(ana), '8 0 0', 'a cached answer costs nothing') from known;
select is((select count(*) from jobs), 1::bigint, 'a cached answer starts no run');
select is(
  pg_temp.ask('{"color": "blue"}') ->> 'status', 'pending', 'other parameters are another request'
);

-- When the step fails
select tests.claim_steps();
select tests.hand_in_generation(
  pg_temp.last_id(),
  '{
    "outcome": "failed", "is_permanent": true,
    "error": {"slug": "image_blocked", "message": "The model refuses this photo."}
  }'
);
select results_eq(
  $$ select status, error, url, completed_at from generations where id = pg_temp.last_id() $$,
  $$ values ('failed', 'The model refuses this photo.', null, null::timestamptz) $$,
  'a failed generation says why'
);
select is(tests.balance_of(ana), '8 0 0', 'a failed generation gives its credits back') from known;
select results_eq(
  $$
    select kind, title, body from notifications
    where data ->> 'generation_id' = pg_temp.last_id()::text
  $$,
  $$
    values (
      'generation_failed', 'Your image could not be made', 'The model refuses this photo.'
    )
  $$,
  'the user is notified of a failure'
);
select is(
  (select count(*) from cache.kv_store), 1::bigint, 'a failed generation is not cached'
);
select isnt(
  pg_temp.ask('{"color": "blue"}') ->> 'generation_id',
  (select answer ->> 'generation_id' from answers order by n desc limit 1 offset 1),
  'a request after a failure starts a new generation'
);

-- When the user cancels
select tests.claim_steps();
select tests.read_generation(pg_temp.last_id());
select tests.sign_in((select ana from known));
select is(
  cancel_generation(pg_temp.last_id()) - 'generation_id',
  '{"status": "cancelled", "cached": false, "url": null, "result": null, "credits": 8}',
  'cancel_generation gives the credits back'
);
select is(
  cancel_generation(pg_temp.last_id()) ->> 'status', 'cancelled',
  'a cancelled generation stays cancelled'
);
select is(
  tests.refusal_of(
    (
      select format('select cancel_generation(%L)', answer ->> 'generation_id')
      from answers
      where n = 1
    )
  ) ->> 'slug',
  'generation_ended',
  'refuses to cancel a completed generation'
);
reset role;
select is(tests.balance_of(ana), '8 0 0', 'a cancelled generation costs nothing') from known;
select is(tests.status_of('process_image'), 'cancelled', 'the run is cancelled');
select is_empty(
  $$
    select from app.generation_files
    where generation_id = pg_temp.last_id() and delete_at is null
  $$,
  'the file of a cancelled attempt is deleted'
);
select is(
  tests.refusal_of(
    (
      select format('select worker.read_generation(%s, %s)', c.id, c.fence)
      from tests.claims as c order by c.fence desc limit 1
    )
  ) ->> 'slug',
  'step_lost',
  'the worker reads nothing of a cancelled generation'
);

-- When somebody retries the run of an ended generation
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of(
    (select format('select retry_job(%s)', run_id) from generations where id = pg_temp.last_id())
  ) ->> 'slug',
  'job_closed',
  'retry_job refuses the run of an ended generation'
);
select is(
  tests.refusal_of(
    format('select retry_job(%s)', (select run_id from generations where status = 'failed'))
  ) ->> 'slug',
  'job_closed',
  'retry_job refuses the run of a failed generation'
);
reset role;

-- When a photo is analysed
create temporary table measured (answer jsonb);
grant select, insert on measured to public;
select tests.sign_in((select ana from known));
insert into measured select tests.measure((select photo from known));
reset role;
select is(
  (select answer - 'generation_id' from measured),
  '{"status": "pending", "cached": false, "url": null, "result": null, "credits": 7}',
  'an analysis is pending and holds its cost'
);
select tests.complete_generation(
  (select (answer ->> 'generation_id')::uuid from measured), '{"result": {"nose": 1}}'
);
select tests.sign_in((select ana from known));
select is(
  tests.measure((select photo from known)),
  (
    select jsonb_build_object(
      'generation_id', answer -> 'generation_id', 'status', 'completed', 'cached', true,
      'url', null, 'result', '{"nose": 1}'::jsonb, 'credits', 7
    )
    from measured
  ),
  'the cache answers an analysis with its result'
);
reset role;

-- When the worker returns an output that cannot be used
select pg_temp.ask('{"color": "green"}');
select tests.complete_generation(
  pg_temp.last_id(),
  (select jsonb_build_object('object_key', (door ->> 'target') || '.png') from doors)
);
select is(
  (select status from generations where id = pg_temp.last_id()), 'failed',
  'an image of another generation fails the generation'
);
select alike(
  (select error from generations where id = pg_temp.last_id()),
  'Something went wrong on our side.%',
  'the error for the user shows no internal message'
);
select is(tests.balance_of(ana), '7 0 0', 'an output that cannot be used costs nothing') from known;

-- When the last credits are not enough
select tests.sign_in((select ana from known));
select is(
  (
    select string_agg(
      tests.paint((select photo from known), jsonb_build_object('color', c.color)) ->> 'credits',
      ' '
    )
    from unnest(array['a', 'b', 'c']) as c (color)
  ),
  '5 3 1',
  'each request holds its cost'
);
select is(
  tests.refusal_of(
    format('select tests.paint(%L, %L)', (select photo from known), '{"color": "d"}')
  ) - 'code' - 'hint',
  '{"slug": "credits_insufficient", "message": "This costs 2 credits, and 1 is available."}',
  'a request without credits is refused with its cost and the balance'
);
reset role;
select is(
  (select count(*) from generations where tool_parameters ->> 'color' = 'd')
    + (select count(*) from jobs where id not in (select run_id from generations)),
  0::bigint,
  'a refused request leaves no generation and no run'
);
select is_empty('select * from ops.credit_faults', 'the books are right');
select * from finish();
rollback;
