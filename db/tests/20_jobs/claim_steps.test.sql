-- Claims serve the lanes of owners and types in turn, however few steps a worker wants at a time.
begin;
select plan(12);

insert into job_types (name) values ('noop'), ('other');
create temporary table known (ana uuid, ben uuid);
insert into known select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
create function tests.submit_many(owner_id uuid, count integer, type text default 'noop')
  returns bigint language sql as $$
  select tests.submit_steps(
    (
      select string_agg(format('{"key": "s%s", "type": "%s"}', n, submit_many.type), ', ')
      from generate_series(1, submit_many.count) as n
    ),
    'group', submit_many.owner_id
  )
$$;
-- The owners of the claimed steps: a for Ana, b for Ben.
create function tests.claim_owners(want integer) returns text language sql as $$
  select coalesce(
    string_agg(
      case s ->> 'owner_id' when (select ana::text from known) then 'a' else 'b' end,
      '' order by s ->> 'owner_id'
    ),
    ''
  )
  from jsonb_array_elements(worker.exchange_steps(tests.worker_id(), '[]', want) -> 'steps') as s
$$;
create function tests.clear() returns void language sql as $$
  delete from app.runs;
  delete from app.lanes;
$$;

-- Given one owner, and then two
select tests.submit_many(ana, 20) from known;
select is(tests.claim_owners(1), 'a', 'serves an owner who is alone');
select tests.submit_many(ben, 20) from known;
select is(
  (
    select length(replace(string_agg(tests.claim_owners(1), ''), 'a', ''))
    from generate_series(1, 10)
  ),
  5,
  'serves two owners in turn when one step is wanted at a time'
);
select is(
  length(replace(tests.claim_owners(6), 'a', '')),
  3,
  'serves each of two owners half of the steps that are wanted'
);
select tests.submit_many(ana, 3, 'other') from known;
select is(length(tests.claim_owners(3)), 3, 'serves each type of an owner as a lane of its own');
select tests.clear();

-- Given an owner with fewer steps than their share
select tests.submit_many(ana, 2), tests.submit_many(ben, 20) from known;
select is(
  length(replace(tests.claim_owners(10), 'a', '')),
  8,
  'claims more steps from one lane when the other lane has too few'
);
select tests.clear();

-- Given 60 lanes that are awake and empty, before one lane with a step
insert into app.lanes (owner_id, type, wake_at)
select gen_random_uuid(), 'noop', now() from generate_series(1, 60);
select tests.submit_many(ben, 1) from known;
update app.lanes set served_at = now() where owner_id = (select ben from known);
select is(tests.claim_owners(10), 'b', 'finds the step behind empty lanes');
select is(
  (select count(*)::integer from app.lanes where wake_at < 'infinity'),
  0,
  'puts empty lanes to sleep'
);
select tests.clear();
select tests.submit_many(ana, 1) from known;
select tests.claim_owners(5);
select is(
  (select count(*)::integer from app.lanes where wake_at < 'infinity'),
  1,
  'keeps a lane awake that is alone and had a step'
);
select tests.claim_owners(5);
select is(
  (select count(*)::integer from app.lanes where wake_at < 'infinity'),
  0,
  'puts this lane to sleep once a claim finds it empty'
);

-- Given a worker with handlers for one of two types
select tests.clear();
select tests.submit_many(ana, 1, 'other'), tests.submit_many(ben, 1) from known;
select is(
  jsonb_array_length(worker.exchange_steps(tests.worker_id(), '[]', 5, array['other']) -> 'steps'),
  1,
  'claims only steps of the types that the worker names'
);
select is(
  worker.exchange_steps(tests.worker_id(), '[]', 5, array['other']) ->> 'wake_in_ms',
  null,
  'lets a worker wait for no step of another type'
);

-- Given a lane at the limit of its owner
update job_types set owner_running_limit = 1 where name = 'other';
select tests.clear();
select tests.submit_many(ana, 5, 'other'), tests.submit_many(ben, 5) from known;
select tests.claim_owners(2);
select is(tests.claim_owners(3), 'bbb', 'serves other lanes instead of a lane at its limit');

select * from finish();
rollback;
