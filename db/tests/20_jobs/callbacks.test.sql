-- What products register with the job engine is called once per transition, and harms nobody else when it raises.
begin;
select plan(45);

insert into job_types (name, max_failures, backoff, backoff_max)
values ('called', 3, '1 ms', '1 ms'), ('plain', 3, '1 ms', '1 ms');
create temporary table held (key text, id bigint, fence bigint);
create table app.calls (n bigint generated always as identity, callback text, ids bigint[], seen text[]);
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');

create function tests.exchange(results jsonb, want integer) returns jsonb language plpgsql as $$
declare
  v_answer jsonb := worker.exchange_steps('7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11', exchange.results, exchange.want);
begin
  insert into held
  select s ->> 'key', (s ->> 'id')::bigint, (s ->> 'fence')::bigint
  from jsonb_array_elements(v_answer -> 'steps') as s;
  return v_answer;
end
$$;
-- The result of the step with this key, for a batch.
create function tests.result(key text, rest jsonb default '{"outcome": "completed"}') returns jsonb language sql as $$
  select jsonb_build_object('id', h.id, 'fence', h.fence) || rest
  from held as h where h.key = result.key order by h.fence desc limit 1
$$;
create function tests.submit(root text, owner_id uuid default null) returns bigint language plpgsql as $$
begin
  update known set run = app.submit_run(submit.root::jsonb, submit.owner_id, null);
  perform tests.exchange('[]', 100);
  return (select run from known);
end
$$;
create function tests.keys(ids bigint[]) returns text language sql as $$
  select string_agg(j.key, ' ' order by u.n) from unnest(ids) with ordinality as u (id, n) left join jobs as j on j.id = u.id
$$;
create function tests.status(key text) returns text language sql as $$
  select j.status from jobs as j where j.key = status.key order by j.id desc limit 1
$$;
-- The calls since the last look, in order: callback(keys).
create function tests.calls() returns text language plpgsql as $$
declare
  v_calls text;
begin
  select string_agg(format('%s(%s)', c.callback, array_to_string(c.seen, ' ')), ', ' order by c.n) into v_calls from app.calls as c;
  delete from app.calls;
  return v_calls;
end
$$;

create function app.note_call(callback text, ids bigint[]) returns void language sql as $$
  insert into app.calls (callback, ids, seen)
  select callback, ids, array(
    select format('%s:%s', j.key, j.status) from unnest(ids) with ordinality as u (id, n) join public.jobs as j on j.id = u.id order by u.n
  )
$$;
create function app.note_completed(ids bigint[]) returns void language plpgsql as $$
begin
  perform app.note_call('completed', ids);
  if exists (select from public.jobs where id = any (ids) and input = '"deadlock"') then
    raise exception using errcode = '40P01', message = 'deadlock';
  elsif exists (select from public.jobs where id = any (ids) and input = '"poison"') then
    raise exception 'The secret of % cannot be stored', ids;
  elsif exists (select from public.jobs where id = any (ids) and input = '"assert"') then
    assert false, 'asserted';
  end if;
end
$$;
create function app.note_rescheduled(ids bigint[]) returns void language sql as $$ select app.note_call('rescheduled', ids) $$;
create function app.note_ended(ids bigint[]) returns void language plpgsql as $$
begin
  perform app.note_call('ended', ids);
  if exists (select from public.jobs where id = any (ids) and input = '"bad end"') then
    raise exception 'No end';
  end if;
end
$$;
create function app.note_reopened(ids bigint[]) returns void language plpgsql as $$
begin
  perform app.note_call('reopened', ids);
  if exists (select from public.jobs where id = any (ids) and input = '"refuse"') then
    perform app.fail(409, 'refused', 'Not again.', 'Start a new one.');
  end if;
end
$$;

select throws_ok($$ select app.register_callbacks('called', 'app.nothing') $$, '42883', null, 'refuses a function that does not exist');
select throws_ok($$ select app.register_callbacks('called', 'public.cancel_job') $$, null, null, 'refuses a function outside app');
select lives_ok(
  $$ select app.register_callbacks('called', 'app.note_completed', 'app.note_rescheduled', 'app.note_ended', 'app.note_reopened') $$,
  'registers functions of app'
);

-- on_completed: own work done
select tests.submit('{"key": "root", "type": "group", "steps": [{"key": "b", "type": "called"}, {"key": "a", "type": "called"},
  {"key": "p", "type": "plain"}, {"key": "c", "type": "called"}, {"key": "last", "type": "plain", "depends_on": ["a", "b", "c", "p"]}]}');
select tests.exchange(jsonb_build_array(tests.result('c', '{"outcome": "returned"}'), tests.result('a'), tests.result('p'), tests.result('b')), 0);
select is(tests.calls(), 'completed(b:completed a:completed)', 'calls on_completed once for a batch, lowest id first, for its own type only');
select tests.exchange('[]', 10);
select tests.exchange(
  jsonb_build_array(tests.result('c', '{"outcome": "completed", "children": [{"key": "kid", "type": "plain"}]}')), 0);
select is(tests.calls(), 'completed(c:joining)', 'calls on_completed while the children of the step are open');
select tests.exchange('[]', 10);
select tests.exchange(jsonb_build_array(tests.result('kid')), 0);
select is(tests.calls(), null, 'does not call on_completed again when the children are done');
select is(tests.status('c'), 'completed', 'the step completes with its last child');
select tests.exchange('[]', 10);
select tests.exchange(jsonb_build_array(tests.result('last')), 0);
select is(tests.calls(), null, 'calls nothing at the end of a run whose root has another type');

-- on_rescheduled, on_run_ended of a completed and of a failed run
select tests.submit('{"key": "turns", "type": "called"}');
select tests.exchange(jsonb_build_array(tests.result('turns', '{"outcome": "rescheduled", "state": 1, "retry_in_ms": 0}')), 10);
select is(tests.calls(), 'rescheduled(turns:queued)', 'calls on_rescheduled for a step that saved its state');
select tests.exchange(jsonb_build_array(tests.result('turns', '{"outcome": "failed", "error": {"slug": "x", "message": "x"}}')), 0);
select is(tests.calls(), null, 'calls nothing for a failure that is tried again');
update app.job_queue set run_at = app.now() where job_id = (select run from known);
update app.lanes set wake_at = app.now() where wake_at < 'infinity';
select tests.exchange('[]', 10);
select tests.exchange(jsonb_build_array(tests.result('turns')), 0);
select is(tests.calls(), 'completed(turns:completed), ended(turns:completed)', 'calls on_completed before on_run_ended');
select tests.submit('{"key": "fails", "type": "called"}');
select tests.exchange(jsonb_build_array(tests.result('fails', '{"outcome": "failed", "is_permanent": true}')), 0);
select is(tests.calls(), 'ended(fails:failed)', 'calls on_run_ended for a failed run, and no on_completed');

-- on_run_reopened, and a second end
set local request.jwt.claims = '{"role": "service_role"}';
select is(retry_job((select run from known)), 'queued', 'opens the run again');
select is(tests.calls(), 'reopened(fails:blocked)', 'calls on_run_reopened before a step starts');
select cancel_job((select run from known));
select is(tests.calls(), 'ended(fails:cancelled)', 'calls on_run_ended once for each end');
select cancel_job((select run from known));
select is(tests.calls(), null, 'calls nothing for a run that is cancelled already');
select tests.submit('{"key": "once", "type": "called", "input": "refuse"}');
select cancel_job((select run from known));
select tests.calls();
select throws_ok($$ select retry_job((select run from known)) $$, 'PT409', 'Not again.', 'lets on_run_reopened refuse a retry');
select is(tests.status('once'), 'cancelled', 'a refused retry changes nothing');

-- Deleted while open
select tests.submit('{"key": "gone", "type": "called"}');
delete from app.runs where id = (select run from known);
select is(tests.calls(), 'ended(gone:queued)', 'calls on_run_ended for an open run that is deleted, before its rows go');
select is((select count(*)::integer from jobs where key = 'gone'), 0, 'the steps go with the run');
select tests.submit('{"key": "hers", "type": "called"}', (select ana from known));
delete from auth.users where id = (select ana from known);
select is(tests.calls(), 'ended(hers:cancelled)', 'calls on_run_ended once for an open run of a deleted user');
select is((select count(*)::integer from jobs where key = 'hers'), 0, 'the run goes with its user');

-- The retention purge
select tests.submit('{"key": "old", "type": "called"}');
select tests.exchange(jsonb_build_array(tests.result('old')), 0);
select tests.calls();
select tests.travel('31 days');
select ok(app.delete_finished_runs() > 0, 'the retention purge deletes finished runs');
select is(tests.calls(), null, 'the retention purge calls nothing');
select tests.travel('0 s');

-- A callback that raises
select tests.submit('{"key": "mixed", "type": "group", "steps": [{"key": "good", "type": "called"}, {"key": "bad", "type": "called", "input": "poison", "on_failure": "continue"},
  {"key": "worse", "type": "called", "input": "assert", "on_failure": "continue"}, {"key": "other", "type": "plain"}, {"key": "after", "type": "plain", "depends_on": ["bad"]}]}');
select is(
  tests.exchange(jsonb_build_array(
    '{"id": 987654321, "fence": 1, "outcome": "completed"}'::jsonb,
    tests.result('bad', '{"outcome": "completed", "output": {"n": 1}, "children": [{"key": "kid", "type": "plain"}]}'),
    tests.result('good'), tests.result('other'), tests.result('worse'),
    '{"id": null, "fence": 0, "outcome": "completed"}'::jsonb), 0) -> 'refused',
  '[{"index": 0, "id": 987654321, "reason": "step_lost"}, {"index": 5, "id": null, "reason": "result_invalid"}]',
  'the refused results of a batch whose callback raised keep their places'
);
select is(tests.status('good') || ' ' || tests.status('other'), 'completed completed', 'the neighbours of a step whose callback raises complete');
select is(tests.status('bad') || ' ' || tests.status('worse'), 'failed failed', 'steps whose callback raises fail');
select is((select error_slug from jobs where key = 'bad'), 'callback_failed', 'the step says callback_failed');
select unalike((select error_message from jobs where key = 'bad'), '%secret%', 'what the callback raised is not shown to the owner');
select is((select count(*)::integer from jobs where root_id = (select run from known) and key = 'kid'), 0, 'the step brings no children');
select is(tests.calls(), 'completed(good:completed)', 'nothing stays of a call that raised');
update jobs set input = '"cured"' where key in ('bad', 'worse');
select tests.exchange('[]', 10);
select tests.exchange(jsonb_build_array(tests.result('after')), 0);
select is(tests.status('mixed'), 'completed', 'the run ends as the policy of the failed step says');
select retry_job((select run from known));
select tests.exchange('[]', 10);
select tests.exchange(jsonb_build_array(
  tests.result('bad', '{"outcome": "completed", "children": [{"key": "kid", "type": "plain"}]}'), tests.result('worse')), 10);
select is(tests.status('bad') || ' ' || tests.status('worse'), 'joining completed', 'a retry of the run runs the step again');
select tests.calls();

-- Faults of the server are nobody's
select tests.submit('{"key": "locks", "type": "called", "input": "deadlock"}');
select throws_ok(
  $$ select tests.exchange(jsonb_build_array(tests.result('locks')), 0) $$, '40P01', null, 'a deadlock in a callback repeats the batch'
);
select is((select status from app.job_queue where job_id = (select run from known)), 'running', 'the step is still running after it');
select cancel_job((select run from known));

-- An end that raises
select tests.submit('{"key": "end", "type": "called", "input": "bad end"}');
select tests.calls();
select tests.exchange(jsonb_build_array(tests.result('end')), 0);
select is(tests.status('end'), 'completed', 'a run ends although its on_run_ended raises');
select is(
  (select format('%s %s %s', callback, attempts, error) from app.callback_faults where run_id = (select run from known)),
  'app.note_ended 1 app.note_ended raised P0001: No end',
  'the call is stored with what it raised'
);
select is(app.repeat_callbacks(), 0, 'the stored call waits a minute');
select tests.travel('1 minute');
select is(app.repeat_callbacks(), 1, 'the stored call is repeated when it is due');
select is((select format('%s %s', attempts, next_at - app.now()) from app.callback_faults), '2 00:02:00', 'a second failure doubles the pause');
update jobs set status = 'failed', worked_at = null where key = 'end';
select throws_ok($$ select retry_job((select run from known)) $$, 'PT409', 'The end of the run is not processed yet.', 'a run whose end is owed is not opened again');
update jobs set input = null where key = 'end';
select is(retry_job((select run from known)), 'queued', 'a retry makes up for the end first');
select is(tests.calls(), 'completed(end:completed), ended(end:failed), reopened(end:blocked)', 'the end is called before the reopening');
select is((select count(*)::integer from app.callback_faults), 0, 'nothing is owed after that');

select app.register_callbacks('called');
select is((select count(*)::integer from app.job_callbacks where type = 'called'), 0, 'a registration without functions removes the row');

select * from finish();
rollback;
