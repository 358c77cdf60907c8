begin;
select plan(15);

select tests.become('anon');
select public.share_flow(tests.example_flow(), '11111111-1111-4111-8111-111111111111', 'public');
insert into public.flows (id, name, nodes, edges) values ('aaaaaaaa-0000-4000-8000-000000000001', 'never shared', '[]', '[]');

-- When a second is left
reset role;
select tests.travel('59 minutes 59 seconds');
select tests.become('anon');
select lives_ok($$ select public.get_shared_resource('11111111-1111-4111-8111-111111111111') $$, 'a share lives to its last second');
select is(current_setting('response.headers', true), '[{"Cache-Control": "public, max-age=1"}, {"Content-Type": "application/json; charset=utf-8"}]', 'and may be cached no longer than that');

-- When the hour is over
reset role;
select tests.travel('1 hour');
select tests.become('anon');
select throws_ok(
  $$ select public.get_shared_resource('11111111-1111-4111-8111-111111111111') $$,
  'PT404', 'There is no such share, or it has expired.', 'an expired share is gone before any cleanup'
);
select throws_ok(
  $$ select public.get_shared_resource(gen_random_uuid()) $$,
  'PT404', 'There is no such share, or it has expired.', 'just as one that never was'
);
select throws_ok($$ select public.get_shared_resource(null) $$, 'PT404', null, 'null is no share');
select is_empty('select id from public.shared_resources', 'it is listed no more');
select is_empty('select id from public.flows', 'nor is its flow');

-- Its id is free again
select lives_ok(
  $$ select public.share_flow('{"name": "again", "nodes": [], "edges": []}', '11111111-1111-4111-8111-111111111111', 'public') $$,
  'the id of an expired share can be used again'
);
reset role;
select is_empty($$ select id from public.flows where name = 'Example' $$, 'what it had shared is gone');

-- When the schedules run
select is(app.delete_unshared_resources(), 1, 'what was never shared is purged after an hour');
select is(app.delete_expired_shares(), 0, 'a live share stays');
select tests.travel('3 hours');
select is(app.delete_expired_shares(), 1, 'an expired one is deleted');
select is(app.delete_expired_shares(), 0, 'once');
select is_empty('select id from public.flows union all select flow_id from public.agents', 'with its resource and everything below it');

-- service_role takes a share down
select tests.travel('0 seconds');
delete from app.rate_limits;
select public.share_flow(tests.example_flow(), '22222222-1111-4111-8111-111111111111', 'public');
select tests.become('service_role');
delete from public.shared_resources where id = '22222222-1111-4111-8111-111111111111';
select is_empty('select id from public.flows', 'deleting a share deletes its resource');

select * from finish();
rollback;
