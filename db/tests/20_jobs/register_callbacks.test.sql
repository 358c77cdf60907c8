-- register_callbacks names the functions that the engine calls for a job type.
begin;
select plan(5);
create function app.note(job_ids bigint[]) returns void language sql as '';

select throws_ok(
  $$ select app.register_callbacks('called', 'app.nothing') $$,
  '42883',
  null,
  'refuses a function that does not exist'
);
select throws_ok(
  $$ select app.register_callbacks('called', 'public.cancel_job') $$,
  '42883',
  null,
  'refuses a function with other parameters'
);
create function public.note(job_ids bigint[]) returns void language sql as '';
select throws_ok(
  $$ select app.register_callbacks('called', 'public.note') $$,
  '23514',
  null,
  'refuses a function outside schema app'
);
select app.register_callbacks('called', on_completed => 'app.note', on_run_ended => 'app.note');
select app.register_callbacks('called', on_rescheduled => 'app.note');
select results_eq(
  $$
    select on_completed, on_rescheduled, on_run_ended, on_run_reopened
    from app.job_callbacks where type = 'called'
  $$,
  $$ values (null::text, 'app.note', null::text, null::text) $$,
  'replaces the earlier registration of the type'
);
select app.register_callbacks('called');
select is_empty(
  $$ select from app.job_callbacks where type = 'called' $$,
  'removes the registration when it is called without functions'
);

select * from finish();
rollback;
