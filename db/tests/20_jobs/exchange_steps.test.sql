-- Every arrow of docs/states.md, allowed and refused, through the worker's door.
begin;
select plan(57);

insert into job_types (name, max_failures, backoff, backoff_max) values ('noop', 2, '10 s', '10 s');
create temporary table me as select '7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11'::uuid as worker;
create temporary table held (key text, id bigint, fence bigint, step jsonb);
create temporary table answer (refused jsonb, steps jsonb, wake_in_ms bigint);

create function tests.exchange(results jsonb, want integer) returns text language plpgsql as $$
begin
  delete from answer;
  insert into answer
  select a.* from jsonb_to_record(worker.exchange_steps((select worker from me), results, want))
    as a (refused jsonb, steps jsonb, wake_in_ms bigint);
  insert into held select s ->> 'key', (s ->> 'id')::bigint, (s ->> 'fence')::bigint, s from answer, jsonb_array_elements(steps) as s;
  return (select string_agg(s ->> 'key', ' ' order by s ->> 'key') from answer, jsonb_array_elements(steps) as s);
end
$$;
-- Hands in one result for the step with this key, and takes what comes next.
create function tests.hand_in(key text, rest jsonb, want integer default 0) returns text language sql as $$
  select tests.exchange(
    (select jsonb_build_array(jsonb_build_object('id', h.id, 'fence', h.fence) || rest)
     from held as h where h.key = hand_in.key order by h.fence desc limit 1), want)
$$;
create function tests.status(key text) returns text language sql as $$
  select coalesce(q.status, j.status)
  from jobs as j left join app.job_queue as q on q.job_id = j.id where j.key = status.key order by j.id desc limit 1
$$;
create function tests.submit(steps text, type text default 'group') returns bigint language sql as $$
  select app.submit_run(format('{"key": "root", "type": "%s", "steps": [%s]}', type, steps)::jsonb, null, null)
$$;

-- queued → running → completed, blocked → queued, joining → completed
select tests.submit('{"key": "a", "type": "noop"}, {"key": "b", "type": "noop", "depends_on": ["a"]}');
select is(tests.exchange('[]', 10), 'a', 'only what waits for nothing is taken');
select is(tests.exchange('[]', 10), null, 'and nobody takes it twice');
select is(tests.hand_in('a', '{"outcome": "completed", "output": {"n": 1}}', 10), 'b', 'a result and the next step are one call');
select is((select step #> '{outputs,0}' from held where key = 'b'), '[["a"], {"n": 1}]', 'it comes with the outputs that it depends on');
select is(tests.hand_in('a', '{"outcome": "completed"}', 10), null, 'the same result again');
select is((select refused -> 0 ->> 'reason' from answer), 'step_lost', 'is refused');
select is((select output from jobs where key = 'a'), '{"n": 1}', 'and changes nothing');
select is(tests.hand_in('b', '{"outcome": "completed"}'), null, 'the last one');
select is(tests.status('root'), 'completed', 'completes the run');
select results_eq('select count(*)::int from app.job_queue', array[0], 'and leaves nothing in the queue');

-- running → queued: transient failure, reschedule, return
select tests.submit('{"key": "t", "type": "noop"}');
select tests.exchange('[]', 1);
select tests.hand_in('t', '{"outcome": "returned"}');
select is((select failures from app.job_queue where job_id = (select max(id) from held)), 0, 'what is returned counts nothing');
select is(tests.exchange('[]', 1), 't', 'and is ready at once');
select ok((select count(distinct fence) = 2 and max(fence) > min(fence) from held where key = 't'), 'with a higher fence');
select tests.hand_in('t', '{"outcome": "rescheduled", "state": {"tick": 1}, "retry_in_ms": 60000}');
select is(tests.exchange('[]', 1), null, 'what is rescheduled waits');
select ok((select wake_in_ms between 59000 and 60000 from answer), 'and the worker learns for how long');
select tests.travel('61 seconds');
select is(tests.exchange('[]', 1), 't', 'it comes when it is due');
select is((select step -> 'state' from held where key = 't' order by fence desc limit 1), '{"tick": 1}', 'with what it saved');
select tests.hand_in('t', '{"outcome": "failed", "error": {"slug": "flaked", "message": "Again."}}');
select is((select failures from app.job_queue where job_id = (select max(id) from held)), 1, 'a failure counts');
select is((select concat_ws(' ', status, error_slug, error_message) from jobs where id = (select max(id) from held)), 'queued flaked Again.', 'and says why');
select is(tests.exchange('[]', 1), null, 'and has a pause');
select tests.travel('80 seconds');
select is(tests.exchange('[]', 1), 't', 'after which it is tried again');
select tests.hand_in('t', '{"outcome": "failed", "error": {"slug": "flaked", "message": "Again."}}');
select is(tests.status('t'), 'failed', 'until it has failed often enough');
select results_eq($$ select status, error_slug, error_message from jobs where key = 'root' order by id desc limit 1 $$, $$ values ('failed', 'flaked', 'Step "t" failed: Again.') $$, 'and then fails its run, which says why');

-- A provider's delay holds the lane, not the step
select tests.submit('{"key": "p", "type": "noop"}, {"key": "q", "type": "noop"}');
select tests.exchange('[]', 1);
select tests.hand_in('p', '{"outcome": "failed", "retry_in_ms": 30000}');
select is(tests.exchange('[]', 5), null, 'nothing of that lane starts');
select tests.travel('111 seconds');
select is(tests.exchange('[]', 5), 'p q', 'until the provider takes requests again');
select tests.hand_in('p', '{"outcome": "failed", "is_permanent": true, "error": {"slug": "gone", "message": "No."}}');
select is(tests.status('p'), 'failed', 'a permanent failure is the last');
select is(tests.status('q'), 'running', 'under fail_run, what runs is still running');
select is((select worker.heartbeat((select worker from me), (select jsonb_agg(jsonb_build_object('id', id, 'fence', fence)) from held where key = 'q')) -> 'stop' -> 0 -> 'id'), (select to_jsonb(id) from held where key = 'q'), 'but is told to stop');
select isnt(tests.status('root'), 'failed', 'and the root waits for it');
select tests.hand_in('q', '{"outcome": "returned"}');
select is(tests.status('q') || ' ' || tests.status('root'), 'skipped failed', 'then both end');

-- skip_dependents, continue
select tests.submit('{"key": "s", "type": "noop", "on_failure": "skip_dependents", "steps": [{"key": "s1", "type": "noop"}]}, {"key": "s2", "type": "noop", "depends_on": ["s"]}, {"key": "s3", "type": "group", "depends_on": ["s2"], "steps": [{"key": "s4", "type": "noop"}]}, {"key": "o", "type": "noop"}');
select tests.exchange('[]', 10);
select tests.hand_in('s', '{"outcome": "failed", "is_permanent": true}');
select is(concat_ws(' ', tests.status('s'), tests.status('s1'), tests.status('s2'), tests.status('s3'), tests.status('s4'), tests.status('o')), 'failed skipped skipped skipped skipped running', 'what waits for it is skipped all the way, with what is below; others go on');
select tests.hand_in('o', '{"outcome": "completed"}');
select is(tests.status('root'), 'completed', 'and the parent still settles');
select tests.submit('{"key": "c", "type": "noop", "on_failure": "continue"}, {"key": "d", "type": "noop", "depends_on": ["c"]}');
select tests.exchange('[]', 10);
select is(tests.hand_in('c', '{"outcome": "failed", "is_permanent": true, "error": {"slug": "gone"}}', 5), 'd', 'under continue dependents go on');
select is((select step #> '{outputs,0,1}' from held where key = 'd'), '{"error": "gone"}', 'and are told why');
select tests.hand_in('d', '{"outcome": "completed"}');

-- Children
select tests.submit('{"key": "m", "type": "noop", "collect": "children", "steps": [{"key": "m0", "type": "noop"}]}, {"key": "n", "type": "noop", "depends_on": ["m"]}');
select is(tests.exchange('[]', 10), 'm', 'a child waits for its parent''s own work');
select is(tests.hand_in('m', '{"outcome": "completed", "output": {"own": 1}, "children": [{"key": "m1", "type": "noop"}, {"key": "m2", "type": "noop", "depends_on": ["m1"]}]}', 10), 'm0 m1', 'a completion brings more of them');
select is(tests.status('m'), 'joining', 'and joins them');
select tests.hand_in('m0', '{"outcome": "completed", "output": 0}');
select tests.hand_in('m1', '{"outcome": "completed", "output": 1}', 1);
select is(tests.hand_in('m2', '{"outcome": "completed", "output": 2}', 5), 'n', 'the last child completes the parent');
select is((select step -> 'outputs' from held where key = 'n'), 'null', 'whose outputs come in pages');
select is((select worker.read_outputs(id, fence) -> 'outputs' from held where key = 'n'), '[[["m"], {"own": 1}], [["m", "m0"], 0], [["m", "m1"], 1], [["m", "m2"], 2]]', 'whose output carries theirs');
select tests.hand_in('n', '{"outcome": "completed"}');

-- What a provider delays counts apart, and what comes again says how far it is
select tests.submit('{"key": "busy", "type": "noop"}');
select tests.exchange('[]', 1);
select tests.hand_in('busy', '{"outcome": "failed", "error": {"slug": "provider_busy"}, "retry_in_ms": 1000}'), tests.travel((111 + 2 * n) * interval '1 second'), tests.exchange('[]', 1)
from generate_series(1, 5) as n;
select results_eq(
  $$ select q.failures, q.delays, q.status from app.job_queue as q join jobs as j on j.id = q.job_id where j.key = 'busy' $$,
  $$ values (0, 5, 'running') $$, 'who is told when to come back has not failed'
);
select tests.hand_in('busy', '{"outcome": "rescheduled", "progress": 0.25, "retry_in_ms": 0}');
select is((select progress from jobs where key = 'busy'), 0.25::real, 'what comes again says how far it is');
select tests.exchange('[]', 1);
update app.job_queue set delays = 99 where job_id = (select id from jobs where key = 'busy');
select tests.hand_in('busy', '{"outcome": "failed", "error": {"slug": "provider_busy"}, "retry_in_ms": 1000}');
select is(tests.status('busy'), 'failed', 'a hundred times are enough');

-- A worker that lives and never got its steps
select tests.submit('{"key": "lost", "type": "noop"}, {"key": "kept", "type": "noop"}');
select tests.travel('130 seconds');
select tests.exchange('[]', 2);
select tests.travel('159 seconds');
select worker.heartbeat((select worker from me), '[]');
select is(tests.status('lost'), 'running', 'its answer may be on its way');
select tests.travel('161 seconds');
select worker.heartbeat((select worker from me), (select jsonb_agg(jsonb_build_object('id', id, 'fence', fence)) from held where key = 'kept'));
select results_eq(
  $$ select j.key collate "default", q.status, q.failures, j.error_slug from app.job_queue as q join jobs as j on j.id = q.job_id where j.key in ('lost', 'kept') order by 1 $$,
  $$ values ('kept', 'running', 0, null), ('lost', 'queued', 1, 'worker_lost') $$, 'what it does not name after its lease goes back'
);
select tests.hand_in('kept', '{"outcome": "completed"}');
select cancel_job((select max(id) from app.runs)) from (select set_config('request.jwt.claims', '{"role": "service_role"}', true)) as s;

-- Outputs of a batch
select tests.submit('{"key": "large", "type": "noop"}, ' || (select string_agg(format('{"key": "w%s", "type": "noop", "depends_on": ["large"]}', n), ', ') from generate_series(1, 20) as n));
select tests.exchange('[]', 1);
select tests.hand_in('large', jsonb_build_object('outcome', 'completed', 'output', repeat('x', 1000000)), 20);
select is(
  (select count(*)::int from held where key ~ '^w' and jsonb_typeof(step -> 'outputs') = 'array'), 4,
  'a batch carries 4 MiB of outputs; the others are read in pages'
);
select is(
  (select min(octet_length(worker.read_outputs(id, fence)::text)) > 1000000 from held where key ~ '^w'), true, 'as they can be'
);
select tests.hand_in('w1', jsonb_build_object('outcome', 'rescheduled', 'state', repeat('x', 1100000)));
select is((select error_slug from jobs where key = 'w1'), 'state_too_large', 'what a step saves has a size, too');
select cancel_job((select max(id) from app.runs where finished_at is null)) where exists (select from app.runs where finished_at is null);

-- One bad result never spoils its neighbours
select tests.submit('{"key": "x1", "type": "noop", "on_failure": "continue"}, {"key": "x2", "type": "noop", "on_failure": "continue"}, {"key": "x3", "type": "noop"}');
select tests.exchange('[]', 10);
select tests.exchange(
  jsonb_build_array(7, '{"id": "x"}'::jsonb, '{"id": 1e300, "fence": 1}'::jsonb, '{"id": -1, "fence": 0.5}'::jsonb)
  || (select jsonb_agg(jsonb_build_object('id', id, 'fence', fence) || case key
      when 'x1' then '{"outcome": "completed", "children": [{"key": "No", "type": "noop"}]}'
      when 'x2' then jsonb_build_object('outcome', 'completed', 'output', repeat('x', 1100000))
      else '{"outcome": "completed", "output": "fine"}' end order by key) from held where key ~ '^x'),
  0
);
select is((select jsonb_array_length(refused) from answer), 4, 'what is no result is refused');
select results_eq(
  $$ select key collate "default", status, error_slug from jobs where key ~ '^x' order by key $$,
  $$ values ('x1', 'failed', 'children_invalid'), ('x2', 'failed', 'output_too_large'), ('x3', 'completed', null) $$,
  'a result that is wrong fails alone, with a readable error'
);
select throws_ok($$ select worker.exchange_steps((select worker from me), '{}', 1) $$, 'PT422', null, 'only a list is taken');

select tests.submit('{"key": "y1", "type": "noop", "on_failure": "continue"}, {"key": "y2", "type": "noop", "on_failure": "continue"}, {"key": "y3", "type": "noop"}, {"key": "y4", "type": "noop"}');
select tests.exchange('[]', 10);
update app.settings set run_steps_max = 3;
select tests.exchange(
  (select jsonb_agg(jsonb_build_object('id', id, 'fence', fence) || case key
      when 'y1' then '{"outcome": "completed", "children": [5, null, "x"]}'
      when 'y2' then '{"outcome": "completed", "children": [{"key": "z", "type": "noop"}]}'
      when 'y3' then '{"outcome": "rescheduled", "retry_in_ms": 100000000000000000}'
      else '{"outcome": "completed", "output": "fine"}' end::jsonb order by key) from held where key ~ '^y'),
  0
);
update app.settings set run_steps_max = default;
select results_eq(
  $$ select key collate "default", status, error_slug from jobs where key ~ '^y' order by key $$,
  $$ values ('y1', 'failed', 'children_invalid'), ('y2', 'failed', 'children_invalid'), ('y3', 'queued', null), ('y4', 'completed', null) $$,
  'whatever is wrong with it: children that are no steps, or too many, a pause of a million years'
);
select is((select run_at - app.now() from app.job_queue as q join jobs as j on j.id = q.job_id where j.key = 'y3'), '1 day'::interval, 'which is a day at most');
select lives_ok($$ select worker.heartbeat(gen_random_uuid(), (select jsonb_agg(jsonb_build_object('id', id, 'fence', fence, 'progress', '1e-60'::jsonb)) from held where key = 'x3')) $$, 'progress may be as small as it likes');
delete from app.runs where finished_at is null;

-- Silent workers, the sweep
select tests.submit('{"key": "l", "type": "noop"}');
select tests.exchange('[]', 1);
update app.workers set heartbeat_at = app.now() - interval '1 minute';
select worker.heartbeat(gen_random_uuid(), '[]');
select results_eq($$ select status, failures from app.job_queue where parent_id is not null $$, $$ values ('queued', 1) $$, 'a silent worker''s steps return, and count a failure');
select tests.hand_in('l', '{"outcome": "completed"}');
select is((select refused -> 0 ->> 'reason' from answer), 'step_lost', 'what it still hands in is refused');

-- The door
select tests.become('worker');
select throws_ok('select job_id from app.job_queue', '42501', null, 'the worker sees no table');

select * from finish();
rollback;
