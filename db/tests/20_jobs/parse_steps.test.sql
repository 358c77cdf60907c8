-- submit_run refuses malformed steps, and names what is wrong.
begin;
select plan(31);

insert into job_types (name) values ('noop');
create function tests.refused_steps(steps text) returns jsonb language plpgsql as $$
begin
  return tests.refusal_of(format(
    'select submit_run(%L)',
    format('{"key": "root", "type": "group", "steps": [%s]}', refused_steps.steps)
  ));
end
$$;
create function tests.slug(steps text) returns text language sql
return tests.refused_steps(steps) ->> 'slug';
grant execute on all functions in schema tests to public;
create temporary table before as select count(*) from jobs;
grant select on before to public;
create temporary table faults (step text, message text);
insert into faults values
  ('7', 'A step is not a JSON object.'),
  ('{"type": "noop"}', 'A step has no key.'),
  ('{"key": "a"}', 'Step "a" has no type.'),
  ('{"key": "A", "type": "noop"}', 'Invalid step key "A".'),
  ('{"key": "a", "type": "x"}', 'Unknown job type "x".'),
  (
    '{"key": "a", "type": "noop", "depends_on": "b"}',
    'steps and depends_on of step "a" must be arrays.'
  ),
  (
    '{"key": "a", "type": "noop", "on_failure": "panic"}',
    'on_failure of step "a" must be fail_run, skip_dependents or continue.'
  ),
  ('{"key": "a", "type": "noop", "collect": "all"}', 'collect of step "a" must be "children".'),
  (
    '{"key": "a", "type": "noop", "priority": 101}',
    'priority of step "a" must be a whole number from -100 to 100.'
  ),
  ('{"key": "a", "type": "noop", "retries": 1}', 'Step "a" has an unknown field "retries".');
insert into faults
select
  format('{"key": "a", "type": "noop", "input": "%s"}', string_agg(md5(n::text), '')),
  'input of step "a" is larger than 1 MiB.'
from generate_series(1, 33000) as n;
grant select on faults to public;
select tests.become('service_role');

-- Types and keys
select is(
  tests.slug('{"key": "a", "type": "unheard_of"}'),
  'step_type_unknown',
  'refuses an unknown type'
);
select is(
  tests.slug('{"key": "A B", "type": "noop"}'),
  'step_key_invalid',
  'refuses a key with other characters than the allowed ones'
);
select is(
  tests.slug(format('{"key": "%s", "type": "noop"}', repeat('a', 81))),
  'step_key_invalid',
  'refuses a key of 81 characters'
);
select is(
  tests.slug('{"key": 7, "type": "noop"}'),
  'step_key_invalid',
  'refuses a key that is not a text'
);
select is(
  tests.slug('{"key": "a", "type": "noop"}, {"key": "a", "type": "noop"}'),
  'step_key_taken',
  'refuses two siblings with the same key'
);

-- Dependencies
select is(
  tests.slug('{"key": "a", "type": "noop", "depends_on": ["z"]}'),
  'step_dependency_unknown',
  'refuses a dependency on a key that does not exist'
);
select is(
  tests.slug(
    '{"key": "a", "type": "group", "steps": [{"key": "x", "type": "noop"}]},
    {"key": "b", "type": "noop", "depends_on": ["x"]}'
  ),
  'step_dependency_unknown',
  'refuses a dependency on a step that is not a sibling'
);
select is(
  tests.slug('{"key": "a", "type": "noop", "depends_on": ["a"]}'),
  'step_cycle',
  'refuses a step that depends on itself'
);
select is(
  tests.slug(
    '{"key": "a", "type": "noop", "depends_on": ["c"]},
    {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "c", "type": "noop", "depends_on": ["b"]}'
  ),
  'step_cycle',
  'refuses a cycle of dependencies'
);
select is(
  tests.slug('{"key": "a", "type": "noop", "depends_on": [null]}'),
  'step_dependency_unknown',
  'refuses a dependency that is null'
);
select is(
  tests.slug('{"key": "a", "type": "noop", "depends_on": [1, {}, []]}'),
  'step_dependency_unknown',
  'refuses dependencies that are not keys'
);
select is(
  tests.slug((
    select string_agg(
      format(
        '{"key": "s%s", "type": "noop", "depends_on": %s}',
        n,
        (select coalesce(jsonb_agg('s' || m), '[]') from generate_series(1, n - 1) as m)
      ),
      ', '
    )
    from generate_series(1, 460) as n
  )),
  'too_many_dependencies',
  'refuses more than 100,000 dependencies'
);

-- Shape
select is(
  tests.slug('{"key": "a", "type": "noop", "steps": 1}'),
  'step_invalid',
  'refuses children that are not a list'
);
select is(
  (
    with recursive deep as (
      select 1 as n, '{"key": "a", "type": "group"}'::jsonb as spec
      union all
      select
        n + 1,
        jsonb_build_object('key', 'a', 'type', 'group', 'steps', jsonb_build_array(spec))
      from deep where n < 101
    )
    select tests.slug(spec::text) from deep where n = 101
  ),
  'step_invalid',
  'refuses steps that are nested more than 100 levels deep'
);
select is(
  tests.slug('{"key": "a", "type": "noop", "steps": [1, "b", null, [], true]}'),
  'step_invalid',
  'refuses steps that are not objects'
);
select is(
  tests.slug('{"key": "a", "type": "noop", "retries": 1}'),
  'step_invalid',
  'refuses an unknown field'
);

-- Every fault is a sentence that names the step, and has a hint
select is(
  tests.refused_steps(f.step) ->> 'message',
  f.message,
  format('says: %s', f.message)
) from faults as f;
select is_empty(
  $$ select step from faults where tests.refused_steps(step) ->> 'hint' is null $$,
  'gives each fault a hint'
);

-- Size
reset role;
update app.settings set run_steps_max = 3;
select tests.become('service_role');
select is(
  tests.slug(
    '{"key": "a", "type": "noop"}, {"key": "b", "type": "noop"}, {"key": "c", "type": "noop"}'
  ),
  'too_many_steps',
  'refuses more steps than app.settings.run_steps_max'
);
select results_eq(
  'select count(*) from jobs',
  'select count from before',
  'inserts nothing of a refused run'
);
select is(
  tests.refused_steps('{"key": "a", "type": "noop"}, {"key": "b", "type": "noop"}'),
  null,
  'accepts exactly as many steps as app.settings.run_steps_max'
);

select * from finish();
rollback;
