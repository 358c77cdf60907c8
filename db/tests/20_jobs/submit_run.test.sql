begin;
select plan(34);

insert into job_types (name) values ('noop');
create temporary table users_of as select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on users_of to public;

-- Given a run
reset role;
create temporary table made as
select app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "a", "type": "noop", "input": {"secret": 1}},
    {"key": "g", "type": "group", "depends_on": ["a"], "steps": [{"key": "a", "type": "noop", "priority": 5}]}
  ]}',
  (select ana from users_of),
  'first'
) as id;
grant select on made to public;
select tests.become('service_role');
select is(
  submit_run('{"key": "root", "type": "group"}', (select ana from users_of), 'first'),
  (select id from made),
  'the same key of the same owner gives the first run'
);
select isnt(
  submit_run('{"key": "root", "type": "noop"}', (select ben from users_of), 'first'),
  (select id from made),
  'another owner may use the same key'
);
select is(
  submit_run('{"key": "root", "type": "noop"}', null, 'first'),
  submit_run('{"key": "root", "type": "noop"}', null, 'first'),
  'so may nobody, once'
);

-- Then its owner sees it, and nobody else does
select tests.sign_in((select ana from users_of));
select results_eq(
  $$
    select j.key collate "default", p.key collate "default", j.type, j.status, j.progress from jobs as j left join jobs as p on p.id = j.parent_id
    where j.root_id = (select id from made) order by j.id
  $$,
  $$
    values
      ('root', null::text, 'group', 'joining', 0::real),
      ('b', 'root', 'noop', 'blocked', 0),
      ('a', 'root', 'noop', 'queued', 0),
      ('g', 'root', 'group', 'blocked', 0),
      ('a', 'g', 'noop', 'blocked', 0)
  $$,
  'the owner sees every step'
);
select throws_ok('select input from jobs', '42501', null, 'but no input');
select throws_ok('select output from jobs', '42501', null, 'and no output');
select throws_ok($$ update jobs set status = 'completed' $$, '42501', null, 'and changes nothing');
select throws_ok($$ select submit_run('{"key": "root", "type": "noop"}') $$, '42501', null, 'users submit no raw DAG');
select results_eq($$ select name, description from job_types where name = 'group' $$, $$ values ('group', 'Steps that belong together.') $$, 'types have names and descriptions');
select throws_ok('select timeout from job_types', '42501', null, 'and nothing else to read');
select tests.sign_in((select ben from users_of));
select is_empty('select id from jobs where root_id = (select id from made)', 'another user sees nothing of it');
select tests.become('anon');
select throws_ok('select id from jobs', '42501', null, 'nor does anyone who is not signed in');

-- What is refused changes nothing
reset role;
create function tests.slug(spec jsonb, owner uuid default null, key text default null) returns text language plpgsql as $$
declare
  v_slug text;
begin
  perform submit_run(spec, owner, key);
  return 'taken';
exception
  when others then
    get stacked diagnostics v_slug = pg_exception_detail;
    return v_slug;
end
$$;
create function tests.steps(steps text) returns text language sql as $$
  select tests.slug(format('{"key": "root", "type": "group", "steps": [%s]}', steps)::jsonb)
$$;
grant execute on all functions in schema tests to public;
create temporary table before as select count(*) from jobs;
grant select on before to public;
select tests.become('service_role');
select is(tests.slug('[]'), 'spec_invalid', 'a run is an object');
select is(tests.slug(null), 'spec_invalid', 'not null');
select is(tests.slug('{"key": "r", "type": "group"}', gen_random_uuid()), 'owner_not_found', 'of a user that is there');
select is(tests.slug('{"key": "r", "type": "group"}', null, ''), 'idempotency_key_invalid', 'with a key that is not empty');
select is(tests.steps('{"key": "a", "type": "unheard_of"}'), 'step_type_unknown', 'a type must be known');
select is(tests.steps('{"key": "A B", "type": "noop"}'), 'step_key_invalid', 'a key must be plain');
select is(tests.steps(format('{"key": "%s", "type": "noop"}', repeat('a', 81))), 'step_key_invalid', 'and short');
select is(tests.steps('{"key": 7, "type": "noop"}'), 'step_key_invalid', 'and a text');
select is(tests.steps('{"key": "a", "type": "noop"}, {"key": "a", "type": "noop"}'), 'step_key_taken', 'and its own');
select is(tests.steps('{"key": "a", "type": "noop", "depends_on": ["z"]}'), 'step_dependency_unknown', 'a dependency is a sibling');
select is(
  tests.steps('{"key": "a", "type": "group", "steps": [{"key": "x", "type": "noop"}]}, {"key": "b", "type": "noop", "depends_on": ["x"]}'),
  'step_dependency_unknown', 'and no nephew'
);
select is(tests.steps('{"key": "a", "type": "noop", "depends_on": ["a"]}'), 'step_cycle', 'nothing waits for itself');
select is(
  tests.steps('{"key": "a", "type": "noop", "depends_on": ["c"]}, {"key": "b", "type": "noop", "depends_on": ["a"]}, {"key": "c", "type": "noop", "depends_on": ["b"]}'),
  'step_cycle', 'nor in a circle'
);
select is(tests.steps('{"key": "a", "type": "noop", "steps": 1}'), 'step_invalid', 'children are a list');
select is(tests.steps('{"key": "a", "type": "noop", "depends_on": [null]}'), 'step_dependency_unknown', 'dependencies are named');
select is(tests.steps('{"key": "a", "type": "noop", "depends_on": [1, {}, []]}'), 'step_dependency_unknown', 'by their keys');
select is(
  (with recursive deep as (
    select 1 as n, '{"key": "a", "type": "group"}'::jsonb as spec
    union all
    select n + 1, jsonb_build_object('key', 'a', 'type', 'group', 'steps', jsonb_build_array(spec)) from deep where n < 101
  )
  select tests.steps(spec::text) from deep where n = 101),
  'step_invalid', 'a hundred levels are enough'
);
select is(
  tests.steps((select string_agg(format('{"key": "s%s", "type": "noop", "depends_on": %s}', n, (select coalesce(jsonb_agg('s' || m), '[]') from generate_series(1, n - 1) as m)), ', ') from generate_series(1, 460) as n)),
  'too_many_dependencies', 'so are a hundred thousand dependencies'
);
select is(tests.steps('{"key": "a", "type": "noop", "steps": [1, "b", null, [], true]}'), 'step_invalid', 'of objects');
select is(tests.steps('{"key": "a", "type": "noop", "retries": 1}'), 'step_invalid', 'unknown fields are refused');
reset role;
update app.settings set run_steps_max = 3;
select tests.become('service_role');
select is(
  tests.steps('{"key": "a", "type": "noop"}, {"key": "b", "type": "noop"}, {"key": "c", "type": "noop"}'),
  'too_many_steps', 'a run has a size'
);
select results_eq('select count(*) from jobs', 'select count from before', 'nothing of it is left');

select * from finish();
rollback;
