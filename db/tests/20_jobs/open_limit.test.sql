-- A step without a saved state is not claimed while a limit of open steps, or a stop, forbids it.
begin;
select plan(21);
insert into job_types (name, owner_open_limit, owner_running_limit, is_paid)
values ('film', 2, 10, true), ('text', null, null, true), ('free', null, null, false);
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;
create function pg_temp.wait_for(key text, delay_ms integer) returns void language sql as $$
  select tests.hand_in_result(
    wait_for.key,
    jsonb_build_object(
      'outcome', 'rescheduled', 'state', jsonb_build_object('of', wait_for.key),
      'retry_in_ms', wait_for.delay_ms
    )
  );
$$;
create function pg_temp.node(key text) returns jsonb language sql as $$
  select n -> 'waiting'
  from jsonb_path_query(
    job_tree((select run from known))::jsonb, '$.children[*] ? (@.key == $key)',
    jsonb_build_object('key', node.key)
  ) as n;
$$;
grant execute on function pg_temp.node(text) to public;

-- Given five steps of one owner, and one of another
update known set run = tests.submit_steps(
  (
    select string_agg(format('{"key": "a%s", "type": "film"}', n), ', ')
    from generate_series(1, 5) as n
  ),
  'group', ana
);
select tests.submit_steps('{"key": "b1", "type": "film"}', 'group', ben) from known;
-- Wants four: after two steps of each owner at first, one place is left for a second round.
select is(
  tests.claim_steps(4), 'a1 a2 b1', 'claims as many steps of each owner as may be open at a time'
);
select is(tests.claim_steps(), null, 'counts a running step without a state as open');
select pg_temp.wait_for('a1', 60000), pg_temp.wait_for('a2', 90000);
select is(
  tests.claim_steps(), null, 'claims no step without a state while the others wait for their turn'
);
select is(
  round((tests.last_answer() ->> 'wake_in_ms')::numeric / 1000),
  5::numeric,
  'lets a lane at the limit sleep for five seconds, although steps without a state are due'
);

-- When the owner asks why
select tests.sign_in((select ana from known));
select is(
  pg_temp.node('a3') ->> 'slug', 'open_limit', 'shows why a step without a state waits'
);
select is(pg_temp.node('a1'), 'null', 'shows no reason for a step that waits for its own time');
reset role;

-- When a step with a state is due
select tests.travel('61 seconds');
select is(tests.claim_steps(), 'a1', 'claims a step with a state at the limit');
select tests.hand_in_result('a1', '{"outcome": "completed"}', 5);
select is(
  (select string_agg(distinct key, ' ') from tests.claims where key like 'a%'),
  'a1 a2 a3',
  'claims the next step in the call that completes an open one'
);

-- When a step fails because its operation has ended, and is tried again
select tests.hand_in_result('a3', '{"outcome": "failed", "state": null}');
select is(
  tests.claim_steps(), 'a4', 'gives the place of a step without a state to the next step'
);
select tests.hand_in_result('a4', '{"outcome": "returned"}');

-- When the run is cancelled and retried with more states than the limit admits
update job_types set owner_open_limit = 4 where name = 'film';
select tests.travel('80 seconds');
select tests.claim_steps();
select pg_temp.wait_for('a3', 0), pg_temp.wait_for('a4', 0), pg_temp.wait_for('a5', 0);
update job_types set owner_open_limit = 1 where name = 'film';
select tests.become('service_role');
select cancel_job((select run from known));
select retry_job((select run from known));
reset role;
select is(
  tests.claim_steps(), 'a2 a3 a4 a5', 'claims each step with a state, also beyond the limit'
);
select app.cancel_runs(array(select id from app.runs));

-- Given that buying is stopped
update app.settings set buying_is_stopped = true;
update known set run = tests.submit_steps(
  '{"key": "c1", "type": "text"}, {"key": "c2", "type": "film"}, {"key": "c3", "type": "free"}',
  'group', ana
);
select is(tests.claim_steps(), 'c3', 'claims only steps that buy nothing while buying is stopped');
select is(tests.claim_steps(), null, 'claims no paid step at all while buying is stopped');
select is(
  round((tests.last_answer() ->> 'wake_in_ms')::numeric / 1000),
  5::numeric,
  'lets paid lanes sleep while buying is stopped'
);
select tests.sign_in((select ana from known));
select is(
  pg_temp.node('c1') ->> 'slug', 'buying_stopped', 'shows that buying is stopped'
);
reset role;

-- When buying resumes
update app.settings set buying_is_stopped = false;
select is(
  worker.send_heartbeat(tests.worker_id(), '[]', '{"text": 1, "film": 1}') ->> 'wake_in_ms',
  '0',
  'wakes workers at once when buying resumes'
);
select is(tests.claim_steps(), 'c1 c2', 'claims paid steps when buying resumes');

-- When it stops again while an operation is under way
select pg_temp.wait_for('c2', 0);
select tests.hand_in_result('c1', '{"outcome": "returned"}');
update app.settings set buying_is_stopped = true;
select is(
  tests.claim_steps(), 'c2', 'claims a paid step with a state although buying is stopped'
);
select is(
  (
    select string_agg(
      concat_ws(' ', c.key, c.step ->> 'buying_is_stopped'), ', ' order by c.key, c.fence
    )
    from tests.claims as c
    where c.key in ('c1', 'c2', 'c3')
  ),
  'c1 false, c2 false, c2 true, c3 false',
  'tells each paid step at its claim whether buying is stopped'
);
select tests.hand_in_result('c2', '{"outcome": "failed", "state": null}');
select tests.travel('1 hour');
select is(
  tests.claim_steps(), null, 'begins no other operation for it while buying is stopped'
);

-- When a lane at the limit wakes after five seconds, two seconds before its step with a state is
-- due
update app.settings set buying_is_stopped = false;
select tests.claim_steps();
select pg_temp.wait_for('c2', 8000);
select tests.travel('1 hour 6 seconds');
select tests.claim_steps();
select is(
  round((tests.last_answer() ->> 'wake_in_ms')::numeric / 1000),
  2::numeric,
  'lets a lane at the limit sleep no longer than until its next step with a state is due'
);

-- When the step is due, and its version is newer than that of the worker
update app.job_queue set version = 2;
select tests.travel('1 hour 10 seconds');
select is(
  tests.claim_steps(), null, 'claims no step with a state whose version the worker does not know'
);
select * from finish();
rollback;
