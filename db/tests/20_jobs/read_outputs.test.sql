-- A claimed step comes with the outputs that it depends on, or reads them page by page.
begin;
select plan(16);
insert into job_types (name) values ('noop');

select is(
  tests.refusal_of('select worker.read_outputs(1, 1)') ->> 'slug',
  'step_lost',
  'refuses to read outputs for a step that the caller does not hold'
);
select throws_ok('select worker.read_outputs(1, 1)', 'PT409', null, 'answers 409 for such a step');
select tests.submit_steps('{"key": "one", "type": "noop"}');
select tests.claim_steps();
select is(
  worker.read_outputs(id, fence) -> 'outputs',
  '[]',
  'returns an empty page for a step that depends on nothing'
)
from tests.claims where key = 'one';

-- Given that the worker lost the step and claimed it again
select tests.hand_in_result('one', '{"outcome": "returned"}', 1);
select is(
  (
    select string_agg(
      coalesce(
        tests.refusal_of(format('select worker.read_outputs(%s, %s)', c.id, c.fence)) ->> 'slug',
        'readable'
      ),
      ' ' order by c.fence
    )
    from tests.claims as c where c.key = 'one'
  ),
  'step_lost readable',
  'refuses the fence of an earlier claim'
);
select tests.hand_in_result('one');

-- Given 20 steps that depend on an output of 1 MB
select tests.submit_steps(
  '{"key": "large", "type": "noop"}, '
    || (
      select string_agg(
        format('{"key": "w%s", "type": "noop", "depends_on": ["large"]}', n), ', '
      )
      from generate_series(1, 20) as n
    )
);
select tests.claim_steps();
select tests.hand_in_result(
  'large',
  jsonb_build_object('outcome', 'completed', 'output', repeat('x', 1000000)),
  20
);
select is(
  (
    select count(*)::integer
    from tests.claims where key ~ '^w' and jsonb_typeof(step -> 'outputs') = 'array'
  ),
  4,
  'returns at most 4 MiB of outputs with the steps of a batch'
);
select is(
  (
    select min(octet_length(worker.read_outputs(id, fence)::text)) > 1000000
    from tests.claims where key ~ '^w'
  ),
  true,
  'lets every step read the outputs that did not come with it'
);

-- Given steps that depend on 24 bytes, 12 of them from the children of a step that collects
insert into job_types (name, max_input_bytes) values ('exact', 24), ('tight', 23);
select tests.submit_steps(
  '{"key": "left", "type": "noop"}, {"key": "right", "type": "noop", "collect": "children"}, '
    '{"key": "exact", "type": "exact", "depends_on": ["left", "right"]}, '
    '{"key": "tight", "type": "tight", "depends_on": ["left", "right"]}'
);
select tests.claim_steps();
select tests.hand_in_result('left', '{"outcome": "completed", "output": "12345678"}');
select tests.hand_in_result(
  'right',
  '{"outcome": "completed", "output": {}, "children": [{"key": "child", "type": "noop"}]}',
  5
);
select tests.hand_in_result('child', '{"outcome": "completed", "output": "1234567890"}', 5);
select is(
  tests.claimed_step('exact') -> 'fault',
  'null',
  'returns no fault for a step that depends on as many bytes as its type allows'
);
select is(
  jsonb_array_length(
    worker.read_outputs(
      (tests.claimed_step('exact') ->> 'id')::bigint,
      (tests.claimed_step('exact') ->> 'fence')::bigint
    ) -> 'outputs'
  ),
  3,
  'lets this step read the outputs'
);
select is(
  tests.claimed_step('tight') -> 'fault',
  '{"slug": "input_too_large", "message": "The outputs that the step depends on have 24 bytes, but '
    'steps of this type may get 23. Return less from these steps, or raise '
    'job_types.max_input_bytes."}',
  'names both sizes to a step that depends on more bytes than its type allows'
);
select is(tests.claimed_step('tight') -> 'outputs', 'null', 'returns such a step without outputs');
select is(
  tests.refusal_of(
    format(
      'select worker.read_outputs(%s, %s)',
      tests.claimed_step('tight') ->> 'id',
      tests.claimed_step('tight') ->> 'fence'
    )
  ) ->> 'slug',
  'input_too_large',
  'refuses to let it read outputs, because a worker of the last release ignores the fault'
);

-- Given a step that depends on a single output, which is too large for its type alone
select tests.submit_steps(
  '{"key": "a", "type": "noop"}, {"key": "b", "type": "tight", "depends_on": ["a"]}'
);
select tests.claim_steps();
select tests.hand_in_result(
  'a', jsonb_build_object('outcome', 'completed', 'output', repeat('x', 30)), 1
);
select is(
  tests.claimed_step('b') -> 'outputs',
  'null',
  'does not return outputs that are too large for the type, however small they are'
);

-- Given a step that depends on 270 MB, more than a jsonb can be, and a single step
select tests.submit_steps(
  (
    select string_agg(format('{"key": "h%s", "type": "noop"}', n), ', ')
    from generate_series(1, 270) as n
  )
    || ', {"key": "join", "type": "noop", "depends_on": '
    || (select jsonb_agg(format('h%s', n)) from generate_series(1, 270) as n)
    || '}'
);
select tests.claim_steps(500);
select tests.exchange(
  (select jsonb_agg(tests.step_result(format('h%s', n))) from generate_series(1, 270) as n)
);
-- A subquery, because Postgres then compresses the output once.
update jobs set output = to_jsonb(repeat('x', 1000000)) where key = 'h1';
update jobs
set output = (select j.output from jobs as j where j.key = 'h1'), output_bytes = 1000002
where key ~ '^h';
select tests.submit_steps('{"key": "single", "type": "noop"}');
select is(tests.claim_steps(), 'join single', 'claims a step that depends on 270 MB');
select is(
  tests.claimed_step('join') #>> '{fault,slug}',
  'input_too_large',
  'returns the fault of a step that depends on 270 MB'
);
select is(
  tests.claimed_step('single') -> 'fault',
  'null',
  'returns the other steps of such a batch without a fault'
);

-- When the worker hands the step in with its fault
select tests.hand_in_result(
  'join',
  jsonb_build_object(
    'outcome', 'failed',
    'is_permanent', true,
    'error', tests.claimed_step('join') -> 'fault'
  )
);
select is(
  (select format('%s %s', j.status, j.error_slug) from jobs as j where j.key = 'join'),
  'failed input_too_large',
  'shows the owner why the step failed'
);

select * from finish();
rollback;
