-- A claimed step comes with the outputs that it depends on, or reads them page by page.
begin;
select plan(5);
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

select * from finish();
rollback;
