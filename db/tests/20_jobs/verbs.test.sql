-- cancel_job, retry_job, job_tree, job_graph, read_outputs, limits, retention.
begin;
select plan(32);

insert into job_types (name) values ('noop');
insert into job_types (name, owner_running_limit, running_limit, rate_limit, rate_window)
values ('narrow', 2, null, null, null), ('scarce', null, 3, null, null), ('rated', null, null, 2, '1 minute');
create temporary table users_of as select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table me as select '7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11'::uuid as worker;
grant select on users_of to public;
create temporary table held as select * from jsonb_to_recordset('[]') as h (key text, id bigint, fence bigint, owner_id uuid);
create function tests.take(want integer) returns bigint language sql as $$
  insert into held select h.* from jsonb_to_recordset(worker.exchange_steps((select worker from me), '[]', want) -> 'steps')
    as h (key text, id bigint, fence bigint, owner_id uuid);
  select count(*) from app.job_queue where status = 'running';
$$;
create function tests.finish_all(outcome text) returns jsonb language plpgsql as $$
declare
  v_results jsonb := (select coalesce(jsonb_agg(jsonb_build_object('id', id, 'fence', fence, 'outcome', outcome, 'is_permanent', true, 'output', to_jsonb(key))), '[]') from held);
begin
  delete from held;
  return worker.exchange_steps((select worker from me), v_results, 0) -> 'refused';
end
$$;
create temporary table made as select app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "a", "type": "noop"}, {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "g", "type": "group", "depends_on": ["a"], "steps": [{"key": "c", "type": "noop"}]}]}',
  (select ana from users_of), null) as id;
grant select on made to public;

-- What is not yours is not there
select tests.sign_in((select ben from users_of));
select throws_ok('select cancel_job((select id from made))', 'PT404', null, 'another user cannot cancel it');
select throws_ok('select retry_job((select id from made))', 'PT404', null, 'or retry it');
select throws_ok('select job_tree((select id from made))', 'PT404', null, 'or see its tree');
select throws_ok('select job_graph((select id from made))', 'PT404', null, 'or its graph');

-- job_tree and job_graph
reset role;
select is(tests.take(5), 1::bigint, 'one step runs');
select tests.finish_all('completed');
select tests.take(5);
select tests.sign_in((select ana from users_of));
select is(job_tree((select id from made)) ->> 'progress', '0.3333', 'progress is the mean of the children');
select is(
  job_tree((select id from made)) #> '{children,2,children,0,status}', '"running"',
  'the tree is nested, and knows what runs'
);
select ok(job_tree((select id from made)) #> '{children,0}' ?& array['id', 'key', 'type', 'status', 'progress', 'created_at', 'started_at', 'finished_at', 'error', 'children'], 'a node has all that is promised');
select matches(job_graph((select id from made)), '^flowchart TD\n  s\d+\["root<br/>group"\]:::joining\n', 'the graph is Mermaid, with a class per status');

-- cancel_job
select throws_ok($$ select cancel_job((select min(id) + 1 from jobs)) $$, 'PT409', null, 'a step is not cancelled by itself');
select throws_ok('select retry_job((select id from made))', 'PT409', null, 'what is at work is not retried');
select is(cancel_job((select id from made)), 'cancelled', 'the owner cancels');
select is(cancel_job((select id from made)), 'cancelled', 'twice, if need be');
select results_eq($$ select key collate "default", status from jobs where root_id = (select id from made) order by id $$, $$ values ('root', 'cancelled'), ('a', 'completed'), ('b', 'cancelled'), ('g', 'cancelled'), ('c', 'cancelled') $$, 'all that was not finished is cancelled');
reset role;
select is(app.quote_label(e'end"]; <b>\n`'), 'end#34;#93;#59; #60;b#62;#10;#96;', 'a label is safe whatever it holds');
select is(jsonb_array_length(tests.finish_all('completed')), 2, 'results that come too late are refused');
select is_empty('select * from app.job_queue', 'the queue is empty');

-- retry_job
select tests.sign_in((select ana from users_of));
select is(retry_job((select id from made)), 'joining', 'the owner retries');
reset role;
select is(tests.take(5), 2::bigint, 'what had not completed runs again, and nothing else');
select tests.finish_all('completed');
select tests.sign_in((select ana from users_of));
select is((select status from jobs where id = (select id from made)), 'completed', 'and completes');
select throws_ok('select retry_job((select id from made))', 'PT409', null, 'then there is nothing to retry');
select throws_ok('select cancel_job((select id from made))', 'PT409', null, 'and nothing to cancel');
reset role;
update jobs set status = 'failed', worked_at = null where id = (select id + 1 from made);
update app.settings set job_retries_per_hour = 2;
select tests.sign_in((select ana from users_of));
select lives_ok('select retry_job((select id from made))', 'a user retries');
select cancel_job((select id from made));
select throws_ok('select retry_job((select id from made))', 'PGRST', null, 'but not for ever: 429');
reset role;
update app.runs set is_closed = true where id = (select id from made);
update app.settings set job_retries_per_hour = default;
select tests.sign_in((select ana from users_of));
select throws_ok('select retry_job((select id from made))', 'PT409', 'The object that the run worked on was deleted.', 'and not what is closed');

-- Limits and fairness
reset role;
select app.submit_run(jsonb_build_object('key', 'r', 'type', 'group', 'steps', (select jsonb_agg(jsonb_build_object('key', t || n, 'type', t)) from generate_series(1, 5) as n, unnest(array['narrow', 'scarce', 'rated']) as t)), u.owner, null)
from (select unnest(array[ana, ben]) as owner from users_of) as u;
select tests.take(100);
select results_eq(
  $$ select l.type, count(*)::int from app.job_queue as q join app.lanes as l on l.id = q.lane_id where q.status = 'running' and l.type <> 'noop' group by 1 order by 1 $$,
  $$ values ('narrow', 4), ('rated', 2), ('scarce', 3) $$, 'limits hold: of an owner, of a type, per time'
);
select tests.finish_all('completed');
select tests.travel('31 seconds');
select tests.take(100);
select is((select count(*)::int from app.job_queue as q join app.lanes as l on l.id = q.lane_id where q.status = 'running' and l.type = 'rated'), 1, 'half a window later, half of the rate is there again');
select app.submit_run('{"key": "one", "type": "noop"}', (select ben from users_of), null);
select app.submit_run(jsonb_build_object('key', 'r', 'type', 'group', 'steps', (select jsonb_agg(jsonb_build_object('key', 'n' || n, 'type', 'noop')) from generate_series(1, 500) as n)), (select ana from users_of), null);
select tests.take(10);
select ok(exists (select from held where key = 'one'), 'one owner''s many steps do not keep another''s single one waiting');

-- read_outputs
select throws_ok('select worker.read_outputs(1, 1)', 'PT409', null, 'outputs are read by whoever holds the step');
select is((select worker.read_outputs(id, fence) -> 'outputs' from held where key = 'one'), '[]', 'nothing to read is an empty page');

-- Retention
update app.runs set finished_at = now() - interval '31 days' where id = (select id from made);
select is(app.delete_finished_runs(), 1, 'old runs are deleted');
select is_empty('select id from jobs where root_id = (select id from made)', 'with their steps');

select * from finish();
rollback;
