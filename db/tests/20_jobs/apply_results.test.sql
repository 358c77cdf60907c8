-- A malformed result harms only its own step.
begin;
select plan(12);
insert into job_types (name) values ('noop');

-- Given a batch with values that are not results, malformed results, and one good result
select tests.submit_steps(
  '{"key": "x1", "type": "noop", "on_failure": "continue"},
  {"key": "x2", "type": "noop", "on_failure": "continue"}, {"key": "x3", "type": "noop"}'
);
select tests.claim_steps();
select tests.exchange(
  '[7, {"id": "x"}, {"id": 1e300, "fence": 1}, {"id": -1, "fence": 0.5}]'
  || jsonb_build_array(
    tests.step_result(
      'x1', '{"outcome": "completed", "children": [{"key": "No", "type": "noop"}]}'
    ),
    tests.step_result(
      'x2', jsonb_build_object('outcome', 'completed', 'output', repeat('x', 1100000))
    ),
    tests.step_result('x3', '{"outcome": "completed", "output": "fine"}')
  )
);
select is(
  jsonb_array_length(tests.last_answer() -> 'refused'),
  4,
  'refuses values that are not results'
);
select results_eq(
  $$ select key collate "default", status, error_slug from jobs where key ~ '^x' order by key $$,
  $$
    values
      ('x1', 'failed', 'children_invalid'), ('x2', 'failed', 'output_too_large'),
      ('x3', 'completed', null)
  $$,
  'fails a step with malformed children or too large an output, and completes the others'
);
select is(
  (select error_message from jobs where key = 'x1'),
  'Invalid step key "No". Use 1 to 80 characters of a-z, 0-9, "_", ".", ":" and "-".',
  'shows what is wrong with the children, and what to do'
);
select is(
  (select error_message from jobs where key = 'x2'),
  'The output has 1100002 bytes, but steps of this type may return 1048576. Return less, or raise '
    'job_types.max_output_bytes.',
  'shows how large the output may be, and what to do'
);

-- Given children that are not steps, too many children, children that are not a list, a state that
-- is too large, and an unknown outcome
select tests.submit_steps(
  (
    select string_agg(format('{"key": "y%s", "type": "noop", "on_failure": "continue"}', n), ', ')
    from generate_series(1, 6) as n
  )
);
select tests.claim_steps();
update app.settings set run_steps_max = 10;
select tests.exchange(
  jsonb_build_array(
    tests.step_result('y1', '{"outcome": "completed", "children": [5, null, "x"]}'),
    tests.step_result('y2', (
      select jsonb_build_object(
        'outcome', 'completed',
        'children', jsonb_agg(jsonb_build_object('key', 'z' || n, 'type', 'noop'))
      )
      from generate_series(1, 4) as n
    )),
    tests.step_result('y3', '{"outcome": "completed", "children": {}}'),
    tests.step_result(
      'y4', jsonb_build_object('outcome', 'rescheduled', 'state', repeat('x', 1100000))
    ),
    tests.step_result('y5', '{"outcome": "completed", "output": "fine"}'),
    tests.step_result('y6', '{"outcome": "nonsense"}')
  )
);
update app.settings set run_steps_max = default;
select results_eq(
  $$ select key collate "default", status, error_slug from jobs where key ~ '^y' order by key $$,
  $$
    values
      ('y1', 'failed', 'children_invalid'), ('y2', 'failed', 'children_invalid'),
      ('y3', 'failed', 'children_invalid'),
      ('y4', 'failed', 'state_too_large'), ('y5', 'completed', null), ('y6', 'queued', null)
  $$,
  'fails each malformed result by itself'
);
select is(
  tests.last_answer() -> 'refused',
  jsonb_build_array(jsonb_build_object('id', id, 'index', 5, 'reason', 'result_invalid')),
  'refuses a result with an unknown outcome'
)
from tests.claims where key = 'y6';
select is(
  (select status from app.job_queue where job_id = (select id from tests.claims where key = 'y6')),
  'running',
  'keeps the step of a refused result running'
);
select is(
  (select error_message from jobs where key = 'y1'),
  'A step is not a JSON object. A step has the fields key, type, input, depends_on, steps, '
    'on_failure, collect and priority. See the description of submit_run.',
  'shows that a child is not an object'
);
select is(
  (select error_message from jobs where key = 'y2'),
  'The run would have more than 10 steps. Submit several smaller runs, or ask the operator to '
    'raise app.settings.run_steps_max.',
  'shows that the run has no room for the children'
);
select is(
  (select error_message from jobs where key = 'y3'),
  'children is not a JSON array. Return an array of steps.',
  'shows that the children are no list'
);
select is(
  (select error_message from jobs where key = 'y4'),
  'The state that the step saved is larger than 1 MiB. Save only what its next turn needs.',
  'shows that the state is too large'
);

-- Given a failure without a reason
select tests.submit_steps('', 'noop');
select tests.claim_steps();
select tests.hand_in_result(
  'root',
  '{"outcome": "failed", "is_permanent": true, "error": {"slug": "No slug"}}'
);
select is(
  (
    select concat_ws(': ', error_slug, error_message)
    from jobs where key = 'root' order by id desc limit 1
  ),
  'handler_failed: The handler failed without a reason. See the log of the worker.',
  'gives a failure without a reason a slug and a message'
);

select * from finish();
rollback;
