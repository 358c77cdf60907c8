-- The schedule deletes tasks that ended longer ago than the retention.
begin;
select plan(7);
select tests.announce_versions();
create temporary table known (ana uuid, task uuid);
insert into known (ana) select tests.create_user('ana@example.com');
grant select, update on known to public;

-- Given a completed, a cancelled and two open tasks
select tests.sign_in((select ana from known));
update known set task = (submit_task('completed')).id;
select submit_task('running');
reset role;
select tests.claim_steps();
select tests.open_task((select task from known));
select tests.complete_task((select task from known), 1, '{"text": "x"}');
select tests.sign_in((select ana from known));
select submit_task('cancelled'), submit_task('waiting');
select cancel_task(id) from tasks where mandate = 'cancelled';
reset role;
select is(app.delete_finished_tasks(), 0, 'keeps tasks that have just ended');
select tests.travel('89 days');
select is(app.delete_finished_tasks(), 0, 'keeps tasks for 90 days');
select tests.travel('91 days');
select is(app.delete_finished_tasks(), 2, 'deletes tasks that ended 91 days ago');
select is(
  (select string_agg(mandate, ' ' order by mandate) from tasks),
  'running waiting',
  'keeps open tasks, however old'
);
select is(
  (select count(*) from app.runs), 2::bigint, 'deletes the runs of deleted tasks, and no others'
);
select is(app.delete_finished_tasks(), 0, 'has nothing left to delete');
select is((select count(*) from app.task_states), 2::bigint, 'deletes the private rows');

select * from finish();
rollback;
