-- A provider that refuses without saying for how long is asked ever less often.
begin;
select plan(3);
insert into job_types (name) values ('text');
create temporary table known (ana uuid);
insert into known (ana) select tests.create_user('ana@example.com');
select tests.submit_steps('{"key": "t", "type": "text"}', 'group', ana) from known;
create temporary table pauses (n integer, pause interval);

-- Given a step that fails nine times without a delay of the provider
do $$
begin
  for n in 1 .. 9 loop
    perform tests.claim_steps();
    perform tests.hand_in_result(
      't',
      '{"outcome": "failed", "error": {"slug": "provider_busy", "message": "Later."},
        "retry_in_ms": 5000, "retry_grows": true}'
    );
    insert into pauses
    select n, l.not_before - app.now() from app.lanes as l, known as k where l.owner_id = k.ana;
    perform tests.travel(n * interval '301 seconds');
  end loop;
end
$$;

-- Then each pause is twice the last one, up to five minutes
select results_eq(
  'select pause from pauses order by n',
  $$
    values
      ('5 s'::interval), ('10 s'), ('20 s'), ('40 s'), ('80 s'), ('160 s'), ('5 min'), ('5 min'),
      ('5 min')
  $$,
  'doubles the pause up to five minutes'
);
select is(
  (select failures from app.job_queue as q join jobs as j on j.id = q.job_id where j.key = 't'), 0,
  'counts such a pause as a delay, not as a failure'
);

-- When the provider names a delay of its own
select tests.claim_steps();
select tests.hand_in_result(
  't', '{"outcome": "failed", "error": {"slug": "provider_busy"}, "retry_in_ms": 7000}'
);
select is(
  (select l.not_before - app.now() from app.lanes as l, known as k where l.owner_id = k.ana), '7 s',
  'waits as long as the provider says'
);

select * from finish();
rollback;
