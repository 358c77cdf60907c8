begin;
select plan(20);

select results_eq(
  'select name, cron, function from app.schedules order by name',
  $$
    values
      ('admit-pending-tasks', '*/5 * * * *', 'app.admit_pending_tasks'),
      ('announce-plan-ends', '10 * * * *', 'app.announce_plan_ends'),
      ('cancel-overdue-holds', '*/5 * * * *', 'app.cancel_overdue_holds'),
      ('check-credits', '20 3 * * *', 'app.check_credits'),
      ('clean-orphaned-assets', '15 * * * *', 'app.enqueue_asset_cleaning'),
      ('cleanup-cache', '0 3 * * *', 'app.delete_expired_entries'),
      ('create-missing-profiles', '* * * * *', 'app.create_missing_profiles'),
      ('delete-ended-holds', '50 3 * * *', 'app.delete_ended_holds'),
      ('delete-expired-shares', '0 * * * *', 'app.delete_expired_shares'),
      ('delete-finished-runs', '20 3 * * *', 'app.delete_finished_runs'),
      ('delete-finished-tasks', '40 3 * * *', 'app.delete_finished_tasks'),
      ('delete-generation-keys', '10 3 * * *', 'app.delete_generation_keys'),
      ('delete-old-notifications', '30 3 * * *', 'app.delete_old_notifications'),
      ('delete-spent-media-days', '25 4 * * *', 'app.delete_spent_media_days'),
      ('delete-spent-rates', '15 4 * * *', 'app.delete_spent_rates'),
      ('delete-unshared-resources', '30 * * * *', 'app.delete_unshared_resources'),
      ('expire-credits', '* * * * *', 'app.expire_credits'),
      ('find-unknown-media', '50 3 * * *', 'app.enqueue_media_audit'),
      ('find-unknown-objects', '45 3 * * *', 'app.enqueue_asset_audit'),
      ('grant-due-periods', '* * * * *', 'app.grant_due_periods'),
      ('inquire-orders', '* * * * *', 'app.inquire_orders'),
      ('publish-api-key-uses', '* * * * *', 'app.publish_api_key_uses'),
      ('remove-deleted-files', '*/5 * * * *', 'app.enqueue_file_removal'),
      ('remove-deleted-media', '*/5 * * * *', 'app.enqueue_media_removal'),
      ('remove-old-uploads', '40 3 * * *', 'app.enqueue_upload_removal'),
      ('repeat-callbacks', '* * * * *', 'app.repeat_callbacks'),
      ('return-lapsed-plans', '*/5 * * * *', 'app.return_lapsed_plans'),
      ('sweep-template-uploads', '25 * * * *', 'app.enqueue_template_sweep')
  $$,
  'these are all schedules'
);
select is_empty(
  $$
    select s.name from app.schedules as s
    left join pg_proc as p on p.oid = to_regprocedure(s.function || '()')
    where p.prorettype is distinct from 'integer'::regtype
  $$,
  'each runs a function without arguments that returns how many rows it handled'
);
select throws_ok(
  $$ insert into app.schedules values ('evil', '* * * * *', 'pg_catalog.pg_sleep(10); drop') $$,
  '23514', null, 'nothing but a function of ours can be scheduled'
);
select throws_ok(
  $$ insert into app.schedules values ('odd', 'every day', 'app.nothing') $$,
  '23514', null, 'the cron expression has five fields'
);

select throws_ok(
  format('insert into app.schedules values (%L, %L, %L)', 'wrong', cron, 'app.wrong'),
  '23514', null, format('"%s", which one of the two schedulers cannot read, is refused', cron)
)
from unnest(
  array[
    '1-5/2 * * * *', '* * * *', '* * * * * *', '*/ * * * *', ', * * * *', '1, * * * *',
    '5  * * * *', '@hourly', ''
  ]
)
  as wrong (cron);
select lives_ok(
  $$
    insert into app.schedules (name, cron, function)
    select 'fine-' || n, cron, 'app.fine_' || n
    from unnest(
      array['* * * * *', '*/5 0 1 1 0', '0,30 9-17 * * 1-5', '5 4,16 */2 * *', '0-10,20-30 * * * *']
    ) with ordinality as f (cron, n)
  $$,
  'accepts cron expressions that both schedulers can read'
);
delete from app.schedules where name like 'fine-%';

-- When a batch is run
insert into app.rate_limits values ('t', 'k', now() - interval '1 day');
select is(
  worker.run_schedule('delete-spent-rates'),
  1,
  'runs one batch and says how much it handled'
);
select is(worker.run_schedule('delete-spent-rates'), 0, 'says 0 when nothing is left');
select throws_ok(
  $$ select worker.run_schedule('nothing') $$,
  'PT404', null, 'refuses an unknown schedule'
);

-- Where pg_cron is absent the worker runs them all; where it is present, none
select tests.become('worker');
select results_eq(
  'select count(*) > 0 from worker.list_schedules()',
  $$ select not exists (select from pg_extension where extname = 'pg_cron') $$,
  'the worker runs the schedules exactly where pg_cron does not'
);

-- When workers, also some whose clocks are wrong, have recorded runs
insert into graphile_worker._private_known_crontabs (identifier, known_since, last_execution)
values
  ('hours-ahead', now(), now() + interval '2 hours'),
  ('seconds-ahead', now(), now() + interval '30 seconds'),
  ('minute-ago', now(), now() - interval '1 minute'),
  ('past', now(), now() - interval '1 hour');
do $$ begin perform worker.list_schedules(); end $$;
select results_eq(
  $$
    select identifier, last_execution - now()
    from graphile_worker._private_known_crontabs
    where identifier in ('hours-ahead', 'seconds-ahead', 'minute-ago', 'past')
    order by identifier
  $$,
  $$
    values
      ('hours-ahead', null::interval),
      ('minute-ago', interval '-1 minute'),
      ('past', null),
      ('seconds-ahead', interval '30 seconds')
  $$,
  'forgets runs that workers with right clocks cannot repeat, so that no schedule pauses'
);
select throws_ok(
  'select name from app.schedules',
  '42501', null, 'the worker cannot read the table of schedules'
);

select * from finish();
rollback;
