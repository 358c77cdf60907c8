-- Every claim observes the limits of a type: running steps, running steps per owner, rate.
begin;
select plan(5);

insert into job_types (name, owner_running_limit, running_limit, rate_limit, rate_window)
values
  ('noop', null, null, null, null), ('narrow', 2, null, null, null),
  ('scarce', null, 3, null, null), ('rated', null, null, 2, '1 minute');
create temporary table known (ana uuid, ben uuid);
insert into known select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');

-- Given two owners with five steps of each limited type
select tests.submit_steps(
  (
    select string_agg(format('{"key": "%s%s", "type": "%s"}', t, n, t), ', ')
    from generate_series(1, 5) as n, unnest(array['narrow', 'scarce', 'rated']) as t
  ),
  'group',
  u.owner
)
from (select unnest(array[ana, ben]) as owner from known) as u;
select tests.claim_steps(100);
select results_eq(
  $$
    select l.type, count(*)::integer from app.job_queue as q join app.lanes as l on l.id = q.lane_id
    where q.status = 'running' group by 1 order by 1
  $$,
  $$ values ('narrow', 4), ('rated', 2), ('scarce', 3) $$,
  'claims no more steps than the limit of an owner, of a type, and of a type per time allows'
);

-- When half of the rate's window has passed
select tests.exchange(
  (
    select jsonb_agg(jsonb_build_object('id', id, 'fence', fence, 'outcome', 'completed'))
    from tests.claims
  )
);
select tests.travel('31 seconds');
select tests.claim_steps(100);
select is(
  (
    select count(*)::integer
    from app.job_queue as q join app.lanes as l on l.id = q.lane_id
    where q.status = 'running' and l.type = 'rated'
  ),
  1,
  'starts half of the rate after half of its window'
);

-- Given a single step of Ben's and 500 of Ana's
select app.submit_run('{"key": "one", "type": "noop"}', ben, null) from known;
select tests.submit_steps(
  (
    select string_agg(format('{"key": "n%s", "type": "noop"}', n), ', ')
    from generate_series(1, 500) as n
  ),
  'group',
  ana
) from known;
select matches(
  tests.claim_steps(10),
  '\mone\M',
  'claims the single step of one owner although another owner has 500 steps'
);

-- Given an owner at the limit
delete from app.runs;
delete from app.lanes;
insert into job_types (name, owner_running_limit) values ('single', 1);
select tests.submit_steps(
  (
    select string_agg(format('{"key": "a%s", "type": "single"}', n), ', ')
    from generate_series(1, 5) as n
  ),
  'group',
  ana
) from known;
select tests.submit_steps(
  (
    select string_agg(format('{"key": "b%s", "type": "noop"}', n), ', ')
    from generate_series(1, 5) as n
  ),
  'group',
  ben
) from known;
select is(tests.claim_steps(2), 'a1 b1', 'claims steps of each of two owners');
select is(
  tests.claim_steps(3),
  'b2 b3 b4',
  'claims more steps of the other owner when one owner is at the limit'
);

select * from finish();
rollback;
