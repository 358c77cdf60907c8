-- A run of groups completes in one call, and no row is written once per group.
begin;
select plan(3);

create temporary table known (run bigint, updates bigint);

-- Given 50 groups, each of which depends on the one before
insert into known (updates)
select pg_stat_get_xact_tuples_updated('app.job_queue'::regclass);
update known
set run = tests.submit_steps(
  (
    select string_agg(
      format(
        '{"key": "g%s", "type": "group", "depends_on": %s}',
        n,
        case when n = 1 then '[]' else format('["g%s"]', n - 1) end
      ),
      ', '
    )
    from generate_series(1, 50) as n
  )
);
select is(
  (
    select string_agg(distinct j.status, ' ')
    from jobs as j
    where j.root_id = (select run from known)
  ),
  'completed',
  'completes a chain of groups'
);
select is(
  pg_stat_get_xact_tuples_updated('app.job_queue'::regclass) - (select updates from known),
  -- 49 groups stop waiting, and the root has no open children.
  50::bigint,
  'counts the parent of a chain down once, and not once per group'
);

-- Given groups in groups, of which the next group depends on the first
update known
set run = tests.submit_steps(
  '{"key": "a", "type": "group", "steps": [
    {"key": "x", "type": "group"}, {"key": "y", "type": "group", "depends_on": ["x"]}]},
  {"key": "b", "type": "group", "depends_on": ["a"], "steps": [{"key": "x", "type": "group"}]}'
);
select is(
  (
    select string_agg(distinct j.status, ' ')
    from jobs as j
    where j.root_id = (select run from known)
  ),
  'completed',
  'completes groups whose children must complete first'
);

select * from finish();
rollback;
