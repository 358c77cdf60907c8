-- worker.record_template_use: the version of a template that a job used, and the comparison of
-- versions by their jobs.
begin;
select plan(8);

-- Given two published versions, and a run of three steps
select public.publish_template_version(
  'demo', '1.0.0', tests.template_files('1.0.0', 'a'), set_default => true
);
select public.publish_template_version('demo', '1.1.0', tests.template_files('1.1.0', 'b'));
insert into public.job_types (name) values ('prompting');
create temporary table ids as
select app.submit_run(
  '{"key": "r", "type": "group", "steps": [
    {"key": "a", "type": "prompting"}, {"key": "b", "type": "prompting"},
    {"key": "c", "type": "prompting"}
  ]}',
  null, null
) as run;
create temporary table steps as
select j.key, j.id from public.jobs as j where j.parent_id = (select run from ids);
grant select on steps to public;

-- When the worker records uses
select tests.become('worker');
select is(
  (
    select worker.record_template_use(s.id, 'demo', '1.0.0', array[repeat('f', 64)])
    from steps as s
    where s.key = 'a'
  ),
  false,
  'records nothing for texts that were not published under the version'
);
select is(
  (
    select worker.record_template_use(s.id, 'demo', '1.0.0', array[repeat('a', 64)])
    from steps as s
    where s.key = 'a'
  ),
  true,
  'records a use of published texts'
);
select is(
  (
    select worker.record_template_use(s.id, 'demo', '1.0.0', array[repeat('a', 64)])
    from steps as s
    where s.key = 'a'
  ),
  false,
  'writes nothing when the same use is recorded again'
);
select worker.record_template_use(s.id, 'demo', '1.1.0', '{}')
from steps as s
where s.key in ('b', 'c');
select is(
  worker.record_template_use(-1, 'demo', '1.1.0', '{}'), false,
  'returns false for a job that does not exist'
);
select is(
  (
    select worker.record_template_use(s.id, 'demo', '9.9.9', '{}') from steps as s where s.key = 'c'
  ),
  false,
  'returns false for a version that does not exist'
);
reset role;
select is_empty(
  $$ select 1 from app.template_uses as u join steps as s on s.id = u.job_id where s.key = 'c' $$,
  'forgets the earlier use of a job that used unpublished texts last'
);

-- When the steps have ended
update public.jobs
set status = 'completed', finished_at = now(), started_at = now() - interval '2 seconds',
  worked_at = now(),
  output = '{"usage": {"input_tokens": 10, "output_tokens": 3}}'
where id = (select id from steps where key = 'a');
update public.jobs
set status = 'failed', finished_at = now(), started_at = now(),
  output = '{"usage": {"input_tokens": "many"}}'
where id = (select id from steps where key = 'b');
select results_eq(
  $$
    select
      version, runs, completed, failures, failures_percent, latency_p50_ms, input_tokens,
      output_tokens
    from ops.template_versions_compared
    where template = 'demo'
  $$,
  $$
    values
      (
        '1.1.0', 1::bigint, 0::bigint, 1::bigint, 100.0, null::bigint, null::numeric, null::numeric
      ),
      ('1.0.0', 1, 1, 0, 0.0, 2000, 10, 3)
  $$,
  'ops.template_versions_compared counts runs, failures, latency and tokens of each version'
);
delete from app.runs where id = (select run from ids);
select is_empty('select 1 from app.template_uses', 'deletes the uses of a run with the run');

select * from finish();
rollback;
