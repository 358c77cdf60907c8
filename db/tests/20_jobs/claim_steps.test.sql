-- Fairness between lanes: nobody's many steps keep another's from their turn, however few are wanted at a time.
begin;
select plan(12);

insert into job_types (name) values ('noop'), ('other');
create temporary table me as select '7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11'::uuid as worker;
create temporary table users_of as select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create function tests.submit(owner uuid, count integer, type text default 'noop') returns bigint language sql as $$
  select app.submit_run(
    jsonb_build_object(
      'key', 'root', 'type', 'group',
      'steps', (select jsonb_agg(jsonb_build_object('key', 's' || n, 'type', type)) from generate_series(1, count) as n)
    ), owner, null)
$$;
create function tests.claim(want integer) returns text language sql as $$
  select coalesce(string_agg(case s ->> 'owner_id' when (select ana::text from users_of) then 'a' when (select ben::text from users_of) then 'b' else 'o' end, '' order by s ->> 'owner_id'), '')
  from jsonb_array_elements(worker.exchange_steps((select worker from me), '[]', want) -> 'steps') as s
$$;
create function tests.clear() returns void language sql as $$
  delete from app.runs;
  delete from app.lanes;
$$;

-- One at a time
select tests.submit(ana, 20) from users_of;
select is(tests.claim(1), 'a', 'who is alone is served');
select tests.submit(ben, 20) from users_of;
select is(
  (select length(replace(string_agg(tests.claim(1), ''), 'a', '')) from generate_series(1, 10)),
  5,
  'of two, each gets every other one, also where one is wanted at a time'
);
select is(length(replace(tests.claim(6), 'a', '')), 3, 'or half of what is wanted');
select tests.submit(ana, 3, 'other') from users_of;
select is(length(tests.claim(3)), 3, 'an owner''s types are lanes, too');
select tests.clear();

-- What one lane leaves, others get
select tests.submit(ana, 2), tests.submit(ben, 20) from users_of;
select is(length(replace(tests.claim(10), 'a', '')), 8, 'what one lane does not have comes from the other');
select tests.clear();

-- Many lanes that are awake and empty stand before one that has something
insert into app.lanes (owner_id, type, wake_at) select gen_random_uuid(), 'noop', now() from generate_series(1, 60);
select tests.submit(ben, 1) from users_of;
update app.lanes set served_at = now() where owner_id = (select ben from users_of);
select is(tests.claim(10), 'b', 'lanes that have nothing hide nobody');
select is((select count(*)::int from app.lanes where wake_at < 'infinity'), 0, 'and sleep from then on');
select tests.clear();
select tests.submit(ana, 1) from users_of;
select tests.claim(5);
select is((select count(*)::int from app.lanes where wake_at < 'infinity'), 1, 'one that is alone stays awake while it gives anything');
select tests.claim(5);
select is((select count(*)::int from app.lanes where wake_at < 'infinity'), 0, 'and sleeps once it is found empty');

-- A worker that knows some types only
select tests.clear();
select tests.submit(ana, 1, 'other'), tests.submit(ben, 1) from users_of;
select is(jsonb_array_length(worker.exchange_steps((select worker from me), '[]', 5, array['other']) -> 'steps'), 1, 'a worker gets what it has handlers for');
select is(worker.exchange_steps((select worker from me), '[]', 5, array['other']) ->> 'wake_in_ms', null, 'and waits for nothing else');

-- Limits per owner: a lane at its limit takes no place
update job_types set owner_running_limit = 1 where name = 'other';
select tests.clear();
select tests.submit(ana, 5, 'other'), tests.submit(ben, 5) from users_of;
select tests.claim(2);
select is(tests.claim(3), 'bbb', 'who is at the limit takes nobody''s place');

select * from finish();
rollback;
