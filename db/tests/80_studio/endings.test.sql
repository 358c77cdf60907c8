-- Runs, users, tools and photos end or are deleted while a generation holds credits, and later.
begin;
select plan(62);
select tests.prepare_studio();
create temporary table known (ana uuid, photo text, id uuid, run bigint);
insert into known (ana) values (tests.create_user('ana@example.com'));
update known set photo = tests.upload_photo(ana);
select tests.grant_credits(ana, 100, 'pack') from known;
grant select, update on known to public;
-- Starts a generation of this color; a worker reads it.
create function pg_temp.start(color text) returns void language plpgsql as $$
begin
  perform tests.sign_in((select ana from known));
  update known set id = (
    tests.paint(photo, jsonb_build_object('color', color)) ->> 'generation_id'
  )::uuid;
  reset role;
  update known set run = (select g.run_id from generations as g where g.id = known.id);
  perform tests.claim_steps();
  perform tests.read_generation((select id from known));
end
$$;
create function pg_temp.state() returns text language sql as $$
  select format(
    '%s %s held %s', coalesce(g.status, 'gone'), u.credits, u.credits_held
  )
  from known as k
  join users as u on u.id = k.ana
  left join generations as g on g.id = k.id
$$;
create function pg_temp.open_files() returns bigint language sql as
  'select count(*) from app.generation_files where delete_at is null';
create function pg_temp.retries() returns text language plpgsql as $$
declare
  v_slug text;
begin
  perform tests.sign_in((select ana from known));
  v_slug := tests.refusal_of(format('select retry_job(%s)', (select run from known))) ->> 'slug';
  reset role;
  return v_slug;
end
$$;

-- When an operator deletes the job type
select pg_temp.start('type');
create temporary table seen as select pg_temp.state() as state;
select throws_ok(
  $$delete from job_types where name = 'process_image'$$, '23503', null,
  'a job type whose runs are open stays'
);
select is(pg_temp.state(), state, 'and the generation keeps its hold') from seen;
select tests.sign_in((select ana from known));
select cancel_generation(id) from known;
reset role;
select throws_ok(
  $$delete from job_types where name = 'process_image'$$, '23503', null,
  'a job type whose runs have just ended stays'
);
select is_empty('select * from ops.credit_faults', 'and the books are right');

-- When the run is retried, cancelled or deleted while the hold is open
select pg_temp.start('a');
select is(pg_temp.state(), 'pending 100 held 2', 'a pending generation holds its cost');
select is(pg_temp.retries(), 'job_not_finished', 'retry_job refuses an open run');
select tests.sign_in((select ana from known));
select is(cancel_job(run), 'cancelled', 'cancel_job cancels the run') from known;
reset role;
select is(pg_temp.state(), 'cancelled 100 held 0', 'cancel_job gives the credits back');
select is(pg_temp.open_files(), 0::bigint, 'cancel_job has the files of the attempts deleted');
select is(pg_temp.retries(), 'job_closed', 'retry_job refuses the cancelled run');
select is(pg_temp.state(), 'cancelled 100 held 0', 'a refused retry changes nothing');
select pg_temp.start('b');
delete from app.runs where id = (select run from known);
select is(pg_temp.state(), 'cancelled 100 held 0', 'a deleted run cancels its generation');
select is(pg_temp.open_files(), 0::bigint, 'a deleted run leaves no file');
select is_empty('select from app.callback_faults', 'no end of a run is left over');

-- When the run is retried, cancelled or deleted just after it completed
select pg_temp.start('c');
select tests.complete_generation(id) from known;
select is(pg_temp.state(), 'completed 98 held 0', 'a completed generation is charged');
select is(pg_temp.retries(), 'job_completed', 'retry_job refuses a completed run');
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of(format('select cancel_job(%s)', run)) ->> 'slug', 'job_finished',
  'cancel_job refuses a completed run'
)
from known;
reset role;
delete from app.runs where id = (select run from known);
select is(pg_temp.state(), 'completed 98 held 0', 'a deleted run leaves its generation');
select tests.sign_in((select ana from known));
select is(
  tests.paint(photo, '{"color": "c"}') ->> 'cached', 'true', 'the cache needs no run'
)
from known;
reset role;

-- When the worker fails, and is lost
select pg_temp.start('d');
select tests.hand_in_generation(
  id, '{"outcome": "failed", "error": {"slug": "provider_busy", "message": "secret"}}'
)
from known;
select is(pg_temp.state(), 'pending 98 held 2', 'a temporary failure keeps the hold');
update app.job_queue set run_at = app.now();
update app.lanes set wake_at = '-infinity', not_before = '-infinity';
select pg_temp.start('d');
select is(
  (select count(*) from app.generation_files where generation_id = known.id), 2::bigint,
  'each attempt reserves a file'
)
from known;
select tests.hand_in_generation(
  id,
  '{
    "outcome": "failed", "is_permanent": true,
    "error": {"slug": "provider_busy", "message": "secret"}
  }'
)
from known;
select is(pg_temp.state(), 'failed 98 held 0', 'a permanent failure gives the credits back');
select alike(
  (select error from generations where id = known.id), 'The image service is not available%',
  'the user reads a message of the studio instead of the message of the provider'
)
from known;
select is(pg_temp.open_files(), 1::bigint, 'the files of failed attempts are deleted');
select is(pg_temp.retries(), 'job_closed', 'retry_job refuses the failed run');

-- When a hold is too old
select pg_temp.start('e');
select tests.travel('25 hours');
select app.cancel_overdue_holds();
select is(pg_temp.state(), 'cancelled 98 held 0', 'a hold that is too old ends its generation');
select tests.travel('0');

-- When the output of an analysis is too large or no object
select tests.sign_in((select ana from known));
update known set id = (tests.measure(photo) ->> 'generation_id')::uuid;
reset role;
select tests.complete_generation(id, jsonb_build_object('result', '[1]'::jsonb)) from known;
select is(pg_temp.state(), 'failed 98 held 0', 'refuses a list as result');
select tests.sign_in((select ana from known));
update known set id = (tests.measure(photo) ->> 'generation_id')::uuid;
reset role;
select tests.complete_generation(
  id, jsonb_build_object('result', jsonb_build_object('a', repeat('x', 65536)))
)
from known;
select is(pg_temp.state(), 'failed 98 held 0', 'refuses a result of more than 64 KiB');

-- When the operator removes the address of Storage while an image is pending
select pg_temp.start('e');
update app.settings set storage_url = null;
select tests.complete_generation(id) from known;
update app.settings set storage_url = 'https://x.test/storage/v1';
select is(pg_temp.state(), 'failed 98 held 0', 'an image without a URL gives the credits back');
select is(
  (select j.status from jobs as j where j.id = k.run), 'completed',
  'an image without a URL fails no callback'
)
from known as k;

-- When the worker names an object that it may not name
select pg_temp.start('f');
create function pg_temp.accepts(object_key text) returns boolean language plpgsql as $$
begin
  update jobs set output = jsonb_build_object('object_key', object_key)
  where id = (select run from known);
  return exists (
    select from app.read_generation_outputs(array(select run from known))
  );
end
$$;
select is(pg_temp.accepts(w.key), w.is_accepted, format('accepts %s: %s', w.what, w.is_accepted))
from known as k
join app.generation_files as f on f.generation_id = k.id
cross join lateral (
  values
    ('the file of the attempt', f.user_id || '/' || f.file_id || '.png', true),
    ('a WebP file', f.user_id || '/' || f.file_id || '.webp', true),
    ('a file without an extension', f.user_id || '/' || f.file_id, false),
    ('a file with another extension', f.user_id || '/' || f.file_id || '.html', false),
    ('a file in another folder', gen_random_uuid() || '/' || f.file_id || '.png', false),
    ('a file in a folder below', f.user_id || '/x/' || f.file_id || '.png', false),
    ('a path with ..', f.user_id || '/../' || f.file_id || '.png', false),
    ('the file of an unknown attempt', f.user_id || '/' || gen_random_uuid() || '.png', false),
    ('a key with a query', f.user_id || '/' || f.file_id || '.png?x=.png', false),
    ('a key with a line break', f.user_id || '/' || f.file_id || E'.png\n', false),
    (
      'the file of a deleted attempt',
      (
        select d.user_id || '/' || d.file_id || '.png'
        from app.generation_files as d
        where d.delete_at is not null
        limit 1
      ),
      false
    ),
    ('null', null, false)
) as w (what, key, is_accepted);

-- When the user deletes generations
select tests.sign_in((select ana from known));
select is(
  tests.refusal_of(format('delete from generations where id = %L', id)) ->> 'slug',
  'generation_open',
  'refuses to delete a pending generation'
)
from known;
select is(
  tests.refusal_of('delete from generations') ->> 'slug', 'generation_open',
  'refuses to delete all generations while one is pending'
);
reset role;
select tests.complete_generation(id) from known;
select is(pg_temp.state(), 'completed 96 held 0', 'the generation is completed') from known;
select tests.sign_in((select ana from known));
select is(tests.paint(photo, '{"color": "f"}') ->> 'cached', 'true', 'its result is cached')
from known;
update generations set is_favourite = true where id = (select id from known);
select is(
  list_generations(10, null, true) #>> '{generations,0,id}', id::text, 'it is a favourite'
)
from known;
delete from generations where id = (select id from known);
reset role;
select is_empty(
  'select from cache.kv_store, known where value ->> ''generation_id'' = id::text',
  'a deleted generation leaves the cache at once'
);
select results_eq(
  $$
    select f.delete_at - app.now()
    from app.generation_files as f, known as k
    where f.generation_id = k.id
    order by 1
  $$,
  $$ values (interval '0'), (interval '1 hour') $$,
  'deletes the file of a deleted generation at once, and files of other attempts later'
);
select pg_temp.start('f');
select is(pg_temp.state(), 'pending 96 held 2', 'the same request then starts a new generation');

-- When the cache has an entry whose generation is gone
select tests.complete_generation(id) from known;
insert into cache.kv_store (key, value, expires_at)
select 'k', jsonb_build_object('generation_id', gen_random_uuid()), 'infinity';
select is((app.find_generation('k')).generation_id, null, 'the entry is not used');
update cache.kv_store set expires_at = app.now() where key <> 'k';
select tests.sign_in((select ana from known));
select is(
  tests.paint(photo, '{"color": "f"}') ->> 'status', 'pending', 'an expired entry is not used'
)
from known;
reset role;
select is(
  worker.run_schedule('cleanup-cache'), 2, 'the schedule deletes expired entries'
);
select results_eq(
  'select key from cache.kv_store', $$ values ('k') $$, 'the schedule leaves live entries'
);

-- When the photo is replaced, or the tool changes
select tests.upload_photo(ana, 'photo.jpg', '"e2"') from known;
select pg_temp.start('f');
select is(pg_temp.state(), 'pending 94 held 4', 'another photo with the same name is a miss');
update tools set cost = 5, prompt = 'New {{color}}.' where key = 'paint';
select is(
  tests.read_generation(id) ->> 'prompt', 'Paint it f, strength 0.5, again f.',
  'a change of the tool does not change a pending generation'
)
from known;
delete from generations where status <> 'pending';
delete from tools where key = 'paint';
select tests.complete_generation(id) from known;
select is(
  (select (tool_id, tool_key, status, credits)::text from generations where id = known.id),
  '(,paint,completed,2)',
  'a generation completes at its old price although its tool is deleted'
)
from known;
select is_empty('select * from ops.credit_faults', 'the books are right');

-- When the user is deleted
select tests.sign_in((select ana from known));
select tests.measure((select photo from known));
reset role;
select tests.claim_steps();
select tests.read_generation(id) from generations where status = 'pending';
delete from auth.users where id = (select ana from known);
select is_empty(
  $$
    select from generations
    union all select from app.generation_details
    union all select from app.generation_requests
    union all select from app.generation_files
    union all select from cache.kv_store where key <> 'k'
    union all select from jobs
    union all select from credit_holds
  $$,
  'a deleted user leaves no generation, hold, file or entry of the cache'
);
select results_eq(
  'select user_id, bucket_id, delete_at from app.deleted_folders order by bucket_id',
  $$
    select ana, b, app.now()
    from known
    cross join unnest(array['generations', 'user_uploads']) as b
  $$,
  'the folders of a deleted user are deleted'
);
select is_empty('select from app.callback_faults', 'the end of every run was stored');
select is_empty('select * from ops.credit_faults', 'the books are right without the user');
select * from finish();
rollback;
