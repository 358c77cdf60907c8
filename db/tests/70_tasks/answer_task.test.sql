-- answer_task answers the open question of a task once.
begin;
select plan(46);
select tests.announce_versions();
create temporary table known (ana uuid, task uuid);
insert into known (ana) select tests.create_user('ana@example.com');
grant select on known to public;
-- A task that asks a question with this schema after its first tick.
create function pg_temp.ask(schema jsonb) returns void language plpgsql as $$
begin
  perform tests.sign_in((select ana from known));
  delete from tasks;
  perform submit_task('m', 3);
  reset role;
  update known set task = t.id from public.tasks as t;
  perform tests.claim_steps();
  perform tests.open_task((select task from known));
  perform tests.finish_tick(
    (select task from known), 1,
    jsonb_build_object('text', '?') || coalesce(jsonb_build_object('schema', schema), '{}'),
    604800000
  );
  perform tests.sign_in((select ana from known));
end
$$;
create function pg_temp.slug_of(tick integer, answer text) returns text language sql as $$
  select coalesce(
    tests.refusal_of(
      format('select answer_task((select task from known), %L, %L)', tick, answer)
    ) ->> 'slug',
    'answered'
  );
$$;
grant execute on function pg_temp.slug_of(integer, text) to public;
update plans set tasks_per_day = null;

-- When answers of each type come
create temporary table answers (schema jsonb, answer text, slug text);
insert into answers
values
  (null, '5', 'answered'),
  (null, '{"a": [null]}', 'answered'),
  (null, 'null', 'answer_invalid'),
  ('null', '"x"', 'answered'),
  ('{"type": "string"}', '"x"', 'answered'),
  ('{"type": "string"}', '5', 'answer_invalid'),
  ('{"type": "string"}', 'null', 'answer_invalid'),
  ('{"type": "number"}', '-1.7e308', 'answered'),
  -- A worker would read infinity.
  ('{"type": "number"}', '-1e309', 'answer_invalid'),
  ('{"type": "string"}', '"1e131071, \" 1e131071"', 'answered'),
  (null, '[1e131071]', 'answer_invalid'),
  (null, '["\\", 1E+1000, "\""]', 'answer_invalid'),
  (null, '[1e308]', 'answered'),
  ('{"type": "number"}', '"5"', 'answer_invalid'),
  ('{"type": "boolean"}', 'false', 'answered'),
  ('{"type": "boolean"}', '[]', 'answer_invalid'),
  ('{"enum": ["a", "b"]}', '"b"', 'answered'),
  ('{"enum": ["a", "b"]}', '"c"', 'answer_invalid'),
  ('{"enum": ["a", "b"]}', '["a"]', 'answer_invalid');
grant select on answers to public;
create function pg_temp.try_answer(schema jsonb, answer text) returns text language plpgsql as $$
declare
  v_slug text;
begin
  perform pg_temp.ask(try_answer.schema);
  v_slug := pg_temp.slug_of(1, try_answer.answer);
  reset role;
  return v_slug;
end
$$;
select is(
  pg_temp.try_answer(schema, answer), slug,
  format('says %s to %s for the schema %s', slug, answer, coalesce(schema::text, 'of nothing'))
)
from answers;

-- When an answer names another question, or is too large
select pg_temp.ask(null);
select is(pg_temp.slug_of(tick, '5'), 'question_closed', 'refuses an answer to tick ' || tick)
from unnest(array[0, 2, -1, 2147483647]) as tick;
select is(pg_temp.slug_of(null, '5'), 'question_closed', 'refuses an answer without a tick');
select is(pg_temp.slug_of(1, null), 'answer_invalid', 'refuses no answer');
select is(
  pg_temp.slug_of(1, to_json(repeat('x', 65535))::text), 'answer_too_large',
  'refuses more than 64 KiB'
);
select throws_ok(
  $$ select answer_task((select task from known), 1, '"\u0000"') $$, '22P05', null,
  'refuses a character that Postgres cannot store, as a request that is wrong'
);
select throws_ok(
  $$ select answer_task((select task from known), 1, '"\ud83d"') $$, '22P02', null,
  'refuses half a character'
);
select is(
  pg_temp.slug_of(1, '{"a": 1, "b": 2}'), 'answered', 'still accepts an answer after all that'
);
select is(pg_temp.slug_of(1, '{"b":2,"a":1}'), 'answered', 'accepts the same answer again');
select is(pg_temp.slug_of(1, '5'), 'answer_taken', 'refuses another answer');
select is(pg_temp.slug_of(2, '5'), 'question_closed', 'answers no question that was not asked');
reset role;
select is((select count(*) from app.task_answers), 1::bigint, 'stores one answer');

-- When the next tick has used the answer
select tests.claim_steps();
select tests.finish_tick((select task from known), 2);
select is_empty(
  'select from app.task_states where question is not null or answer is not null',
  'forgets the answer when a tick has used it'
);
select tests.sign_in((select ana from known));
select is(
  pg_temp.slug_of(1, '{"a": 1, "b": 2}'), 'answered', 'returns the task to the same answer, later'
);
reset role;
select tests.claim_steps();
select tests.complete_task((select task from known), 3, '{"text": "x"}');
select tests.sign_in((select ana from known));
select is(
  pg_temp.slug_of(1, '{"a": 1, "b": 2}'), 'answered', 'also after the task has completed'
);
select is(pg_temp.slug_of(1, '6'), 'answer_taken', 'refuses another answer also then');
reset role;

-- When the deadline passes
select pg_temp.ask(null);
reset role;
select is(
  (select deadline from app.task_states),
  app.now() + interval '7 days',
  'has the time at which the step is due as deadline'
);
select tests.travel('7 days');
select tests.sign_in((select ana from known));
select is(pg_temp.slug_of(1, '5'), 'question_closed', 'refuses an answer after the deadline');
reset role;
select is(tests.claim_steps(), 'task', 'runs the step at the deadline');
select is(
  tests.open_task((select task from known), false) ->> 'is_closed',
  'true',
  'tells the worker that the question is closed'
);
select tests.hand_in_task(
  (select task from known),
  '{"outcome": "failed", "is_permanent": true,
    "error": {"slug": "answer_missing", "message": "Nobody answered. Retry the task."}}'
);
select tests.sign_in((select ana from known));
select is(
  (select concat_ws(' ', status, result, error) from tasks),
  'error {"text": "after 1"} Nobody answered. Retry the task.',
  'ends the task'
);

-- When the user retries
select is(
  (retry_task((select task from known))).status, 'accepted', 'asks again after a retry'
);
select is(
  pg_temp.slug_of(1, '5'), 'question_closed', 'takes no answer before the question is asked again'
);
reset role;
select tests.claim_steps();
select is(
  tests.open_task((select task from known)) - 'state' - 'task_id' - 'mandate',
  '{"max_ticks": 3, "tick": 1, "question": {"text": "?", "tick": 1}, "answer": null,
    "is_closed": false, "answer_within_ms": 604800000, "buying_is_stopped": false}',
  'gives the question to the new run'
);
select tests.finish_tick((select task from known), 1, '{"text": "?"}', 604800000);
select is(
  (
    select concat_ws(' ', t.status, t.result, s.deadline - app.now())
    from tasks as t
    join app.task_states as s on s.task_id = t.id
  ),
  'input_required {"text": "after 1", "question": {"text": "?", "tick": 1}} 7 days',
  'asks the question again with a new deadline'
);

select * from finish();
rollback;
