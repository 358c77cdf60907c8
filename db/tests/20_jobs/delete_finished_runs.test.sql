-- The schedule delete-finished-runs deletes runs after app.settings.job_retention.
begin;
select plan(4);

insert into job_types (name) values ('noop');
create temporary table known (old bigint, recent bigint);
insert into known
select
  tests.submit_steps('{"key": "a", "type": "noop"}'),
  tests.submit_steps('{"key": "a", "type": "noop"}');
select app.cancel_runs(array[old, recent]) from known;
update app.runs set finished_at = now() - interval '31 days' where id = (select old from known);
update app.settings set job_events_are_kept = true;
insert into app.job_events (run_id, job_id, status, happened_at)
select old, old, 'cancelled', now() from known;

select is(app.delete_finished_runs(), 1, 'returns the number of deleted runs');
select is_empty(
  'select id from jobs where root_id = (select old from known)',
  'deletes the steps of the run'
);
select is_empty(
  'select id from app.job_events where run_id = (select old from known)',
  'deletes the events of the run'
);
select is(
  (select count(*)::integer from jobs where root_id = (select recent from known)),
  2,
  'keeps runs that finished within the retention time'
);

select * from finish();
rollback;
