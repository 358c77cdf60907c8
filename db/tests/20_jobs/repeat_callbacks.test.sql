-- The schedule repeat-callbacks repeats stored calls. A call that always fails delays no other.
begin;
select plan(8);
select tests.create_callbacks();

-- Given 250 stored calls of runs that are deleted
insert into app.callback_faults (run_id, callback, failed_at, next_at, error)
select n, 'app.note_ended', app.now(), app.now() - n * interval '1 s', 'x'
from generate_series(1, 250) as n;
select results_eq(
  'select app.repeat_callbacks() from generate_series(1, 4)',
  array[100, 100, 50, 0],
  'repeats 100 runs per call, until no stored call is due'
);
select is_empty('select from app.callback_faults', 'deletes every call that succeeded');
delete from app.calls;

-- Given stored calls of which two run into a lock timeout and a statement timeout
create function app.fail_ended(job_ids bigint[]) returns void language plpgsql as $$
begin
  if job_ids[1] = 2 then
    raise exception using errcode = '55P03', message = 'locked';
  elsif job_ids[1] = 3 then
    raise exception using errcode = '57014', message = 'too slow';
  end if;
  perform app.note_ended(job_ids);
end
$$;
insert into app.callback_faults (run_id, callback, failed_at, next_at, error)
select n, 'app.fail_ended', app.now(), app.now(), 'x' from generate_series(1, 5) as n;
select lives_ok(
  'select app.repeat_callbacks()',
  'commits although two of the calls run into timeouts'
);
select is(
  tests.list_calls(),
  'ended(1:deleted), ended(4:deleted), ended(5:deleted)',
  'keeps what the other calls did'
);
select results_eq(
  'select run_id::integer, attempts, error from app.callback_faults order by run_id',
  $$
    values
      (2, 2, 'app.fail_ended raised 55P03: locked'),
      (3, 2, 'app.fail_ended raised 57014: too slow')
  $$,
  'counts an attempt for the calls that ran into timeouts'
);

-- Given calls that take long
delete from app.callback_faults;
create function app.end_slowly(job_ids bigint[]) returns void language plpgsql as $$
begin
  -- Moves the clock instead of waiting.
  perform tests.travel((job_ids[1] * 6) * interval '1 s');
end
$$;
insert into app.callback_faults (run_id, callback, failed_at, next_at, error)
select n, 'app.end_slowly', app.now(), app.now(), 'x' from generate_series(1, 5) as n;
select is(
  app.repeat_callbacks(),
  2,
  'stops after 10 seconds, so that the calls that succeeded commit'
);
select is(
  (select count(*)::integer from app.callback_faults),
  3,
  'leaves the other calls to the next batch'
);

-- Given a run that another session would hold: retry_job repeats the calls of such a run
select is(
  (select function from app.schedules where name = 'repeat-callbacks'),
  'app.repeat_callbacks',
  'is what the schedule repeat-callbacks runs'
);

select * from finish();
rollback;
