-- Users read their own jobs, without input and output; nobody writes jobs through the API.
begin;
select plan(8);

insert into job_types (name) values ('noop');
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;

-- Given a run of Ana's
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "a", "type": "noop", "input": {"secret": 1}},
    {"key": "g", "type": "group", "depends_on": ["a"], "steps": [
      {"key": "a", "type": "noop", "priority": 5}
    ]}
  ]}', ana, null);

-- Then Ana reads it
select tests.sign_in((select ana from known));
select results_eq(
  $$
    select j.key collate "default", p.key collate "default", j.type, j.status, j.progress
    from jobs as j left join jobs as p on p.id = j.parent_id
    where j.root_id = (select run from known) order by j.id
  $$,
  $$
    values
      ('root', null::text, 'group', 'joining', 0::real),
      ('b', 'root', 'noop', 'blocked', 0),
      ('a', 'root', 'noop', 'queued', 0),
      ('g', 'root', 'group', 'blocked', 0),
      ('a', 'g', 'noop', 'blocked', 0)
  $$,
  'shows every step of the run to its owner'
);
select throws_ok(
  'select input from jobs',
  '42501',
  null,
  'hides the input of a step from its owner'
);
select throws_ok(
  'select output from jobs',
  '42501',
  null,
  'hides the output of a step from its owner'
);
select throws_ok(
  $$ update jobs set status = 'completed' $$,
  '42501',
  null,
  'lets no user write jobs'
);
select results_eq(
  $$ select name, description from job_types where name = 'group' $$,
  $$ values ('group', 'Steps that belong together.') $$,
  'shows name and description of job types'
);
select lives_ok('select * from job_types', 'shows every column of job types');

-- And nobody else does
select tests.sign_in((select ben from known));
select is_empty(
  'select id from jobs where root_id = (select run from known)',
  'hides the run from another user'
);
select tests.become('anon');
select throws_ok(
  'select id from jobs',
  '42501',
  null,
  'hides every job from callers who are not signed in'
);

select * from finish();
rollback;
