begin;
select plan(6);

select lives_ok(
  $$ select app.enqueue('run_schedule', '{"name": "a"}', 'key-a') $$,
  'enqueues a job'
);
select lives_ok(
  $$ select app.enqueue('run_schedule', '{"name": "b"}', 'key-a') $$,
  'replaces a job that has the same key'
);
select results_eq(
  $$ select p.payload ->> 'name' from graphile_worker._private_jobs as p $$,
  array['b'],
  'keeps only the latest of two jobs with the same key'
);
select lives_ok(
  $$
    select app.enqueue_many(array_agg(spec))
    from (
      select (
        'run_schedule', json_build_object('name', n), null, null, null, null, null, null
      )::graphile_worker.job_spec
      from generate_series(1, 1000) as n
    ) as s (spec)
  $$,
  'enqueues a thousand jobs in one statement'
);
select results_eq(
  'select count(*) from graphile_worker._private_jobs', array[1001::bigint],
  'stores each of a thousand jobs'
);

select throws_ok(
  $$ set local role anon; select app.enqueue('run_schedule') $$,
  '42501', null, 'refuses a client that calls the queue'
);

select * from finish();
rollback;
