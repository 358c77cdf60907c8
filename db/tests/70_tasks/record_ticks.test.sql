-- A finished tick is stored once and in order; a state that is not a tick fails its step alone.
begin;
select plan(27);
select tests.announce_versions();
create temporary table known (ana uuid);
insert into known (ana) select tests.create_user('ana@example.com');
grant select on known to public;
insert into plans (id, name, tasks_running, tasks_open, tasks_per_day)
values ('endless', 'Endless', null, null, null);
update users set plan_id = 'endless';
create function pg_temp.of(mandate text) returns uuid language sql as $$
  select t.id from public.tasks as t where t.mandate = $1;
$$;
create function pg_temp.seen(mandate text) returns text language sql as $$
  select concat_ws(' ', t.status, t.tick, t.result) from public.tasks as t where t.mandate = $1;
$$;
create function pg_temp.begin_task(mandate text) returns void language plpgsql as $$
begin
  perform tests.sign_in((select ana from known));
  perform submit_task($1, 3);
  reset role;
  perform tests.claim_steps();
  perform tests.open_task(pg_temp.of($1));
end
$$;
create function pg_temp.hand_in(mandate text, state jsonb) returns void language sql as $$
  select tests.hand_in_task(
    pg_temp.of($1), jsonb_build_object('outcome', 'rescheduled', 'state', $2, 'retry_in_ms', 0)
  );
$$;

-- When a state is not that of the next tick
select pg_temp.begin_task(mandate), pg_temp.hand_in(mandate, state)
from (
  values
    ('skips a tick', '{"tick": 2, "result": {"text": "x"}}'::jsonb),
    ('has no tick', '{"result": {"text": "x"}}'),
    ('has a tick below zero', '{"tick": -1, "result": {"text": "x"}}'),
    ('has a text as tick', '{"tick": "x", "result": {"text": "x"}}'),
    ('has a huge tick', '{"tick": 2147483648, "result": {"text": "x"}}'),
    ('has no result', '{"tick": 1}'),
    ('has a result without text', '{"tick": 1, "result": {"text": 5}}'),
    ('has a list as usage', '{"tick": 1, "result": {"text": "x"}, "usage": []}'),
    ('asks without text', '{"tick": 1, "result": {"text": "x"}, "question": {}}'),
    (
      'asks with a schema of another form',
      '{"tick": 1, "result": {"text": "x"}, "question": {"text": "?", "schema": {"type": "list"}}}'
    ),
    (
      'asks for one of no texts',
      '{"tick": 1, "result": {"text": "x"}, "question": {"text": "?", "schema": {"enum": []}}}'
    ),
    ('asks again what it never asked', '{"tick": 0, "question": {"text": "?"}}'),
    ('is a list', '[1]')
) as v (mandate, state);
select is(
  concat_ws(
    ' ', t.status, (select j.error_slug from jobs as j where j.id = t.run_id), t.tick is null
  ),
  'error callback_failed t',
  'fails a step whose state ' || t.mandate
)
from tasks as t
order by t.created_at, t.mandate;
select is(
  (select distinct error from tasks),
  'The agent had an internal fault. Retry the task. If the task fails again, tell the operator '
    'the id of its run.',
  'tells the user nothing of the inside of the agent'
);

-- When two results of one batch differ in worth
select pg_temp.begin_task('good'), pg_temp.begin_task('bad');
select tests.exchange(
  jsonb_build_array(
    jsonb_build_object(
      'id', g.id, 'fence', g.fence, 'outcome', 'rescheduled',
      'state', '{"tick": 1, "result": {"text": "x"}}'::jsonb
    ),
    jsonb_build_object(
      'id', b.id, 'fence', b.fence, 'outcome', 'rescheduled', 'state', '{"tick": 7}'::jsonb
    )
  )
)
from tests.claims as g
join tasks as gt on gt.run_id = g.id and gt.mandate = 'good'
cross join tests.claims as b
join tasks as bt on bt.run_id = b.id and bt.mandate = 'bad';
select is(
  pg_temp.seen('good') || '; ' || pg_temp.seen('bad'),
  'in_progress 1 {"text": "x"}; error',
  'stores the tick of a step whose neighbour fails'
);

-- When a task waits before its first tick, and between two ticks
select pg_temp.begin_task('waits');
select pg_temp.hand_in('waits', 'null');
select is(pg_temp.seen('waits'), 'started', 'changes nothing when a step waits before a tick');
select tests.claim_steps();
select pg_temp.hand_in('waits', '{"tick": 1, "result": {"text": "x"}, "usage": {"calls": 1}}');
create temporary table before as select xmin::text as version from tasks where mandate = 'waits';
select tests.claim_steps();
select pg_temp.hand_in('waits', '{"tick": 1, "result": {"text": "y"}}');
select is(
  (select xmin::text from tasks where mandate = 'waits'),
  (select version from before),
  'writes no new version of a task that only waits'
);

-- When the last tick is over
create temporary table saved as
select s.xmin::text as version from app.task_states as s where s.task_id = pg_temp.of('waits');
select tests.claim_steps();
select pg_temp.hand_in('waits', '{"tick": 2, "result": {"text": "x"}}');
select is(
  (select s.xmin::text from app.task_states as s where s.task_id = pg_temp.of('waits')),
  (select version from saved),
  'writes nothing but the row of a task that asks nothing'
);
select is(
  (select usage from tasks where mandate = 'waits'),
  '{"calls": 1}',
  'keeps the usage of the last tick that has one'
);
select tests.claim_steps();
select pg_temp.hand_in('waits', '{"tick": 3, "result": {"text": "x"}}');
select tests.claim_steps();
select pg_temp.hand_in('waits', '{"tick": 4, "result": {"text": "x"}}');
select is(
  pg_temp.seen('waits'), 'error 3 {"text": "x"}', 'stores no tick after max_ticks'
);

-- When one step of a batch asks a question, and the other does not
reset role;
select pg_temp.begin_task('plain'), pg_temp.begin_task('asks');
update app.job_queue as q
set
  state = jsonb_build_object('tick', 1, 'result', '{"text": "x"}'::jsonb)
    || case when t.mandate = 'asks' then '{"question": {"text": "?"}}' else '{}' end::jsonb
from tasks as t
where q.job_id = t.run_id and t.mandate in ('plain', 'asks');
create temporary table batch as
select
  array_agg(t.run_id order by t.run_id) as ids,
  array_agg(t.run_id) filter (where t.mandate = 'plain') as plain_ids
from tasks as t
where t.mandate in ('plain', 'asks');
select is(
  app.record_plain_ticks(b.ids),
  b.ids,
  'changes no task before it locks the owners of tasks that ask'
)
from batch as b;
select app.record_ticks(b.ids) from batch as b;
select is(
  pg_temp.seen('plain') || '; ' || pg_temp.seen('asks'),
  'in_progress 1 {"text": "x"}; '
    'input_required 1 {"text": "x", "question": {"text": "?", "tick": 1}}',
  'stores both ticks'
);
update app.job_queue as q
set state = '{"tick": 2, "result": {"text": "x"}}'
from batch as b
where q.job_id = any (b.plain_ids);
select is(
  (select coalesce(app.record_plain_ticks(b.plain_ids), '{}') from batch as b),
  '{}',
  'stores every plain tick without the checks of questions'
);

-- When a run of the type has no task
select app.submit_run('{"key": "lost", "type": "run_task"}', (select ana from known), null);
select tests.claim_steps();
select tests.hand_in_result('lost', '{"outcome": "rescheduled", "state": {"tick": 1}}');
select is(tests.status_of('lost'), 'failed', 'fails the step of a run without a task');
select is(
  tests.refusal_of(
    (
      select format('select worker.start_task(%s, %s)', id, fence)
      from tests.claims
      where key = 'lost'
    )
  ) ->> 'slug',
  'step_lost',
  'opens no task for a run without one'
);
select is_empty('select from app.callback_faults', 'leaves no call to repeat');
select is(
  (select count(*) from tasks where status = 'error'), 15::bigint, 'has harmed no other task'
);

select * from finish();
rollback;
