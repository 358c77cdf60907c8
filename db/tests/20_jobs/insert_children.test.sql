-- A completed step may bring children, which its parent joins.
begin;
select plan(6);
insert into job_types (name) values ('noop');

-- Given a step with a child of its own, whose dependent collects
select tests.submit_steps(
  '{"key": "m", "type": "noop", "collect": "children", "steps": [{"key": "m0", "type": "noop"}]},
  {"key": "n", "type": "noop", "depends_on": ["m"]}'
);
select is(tests.claim_steps(), 'm', 'lets a child wait for the own work of its parent');
select is(
  tests.hand_in_result(
    'm',
    '{"outcome": "completed", "output": {"own": 1}, "children": [
      {"key": "m1", "type": "noop"}, {"key": "m2", "type": "noop", "depends_on": ["m1"]}
    ]}',
    10
  ),
  'm0 m1',
  'starts the children, both the submitted child and those that the step brings'
);
select is(tests.status_of('m'), 'joining', 'shows the parent as joining while children are open');
select tests.hand_in_result('m0', '{"outcome": "completed", "output": 0}');
select tests.hand_in_result('m1', '{"outcome": "completed", "output": 1}', 1);
select is(
  tests.hand_in_result('m2', '{"outcome": "completed", "output": 2}', 5),
  'n',
  'completes the parent with its last child'
);

-- Then the dependent gets the outputs of the children
select is(
  tests.claimed_step('n') -> 'outputs',
  'null',
  'returns no outputs with a step that depends on a collecting step'
);
select is(
  worker.read_outputs(id, fence) -> 'outputs',
  '[[["m"], {"own": 1}], [["m", "m0"], 0], [["m", "m1"], 1], [["m", "m2"], 2]]',
  'lets worker.read_outputs return the outputs of the children below that of the step'
)
from tests.claims where key = 'n';

select * from finish();
rollback;
