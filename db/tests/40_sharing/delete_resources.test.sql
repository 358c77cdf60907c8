-- service_role takes a share down.
begin;
select plan(2);
select public.share_flow(
  tests.example_flow(), '22222222-1111-4111-8111-111111111111', 'public'
);
select public.share_flow(
  tests.example_flow(), '33333333-1111-4111-8111-111111111111', 'public'
);

select tests.become('service_role');
delete from public.shared_resources where id = '22222222-1111-4111-8111-111111111111';
select is((select count(*) from public.flows), 1::bigint, 'deleting a share deletes its flow only');
delete from public.shared_resources where id = '33333333-1111-4111-8111-111111111111';
select is_empty('select id from public.flows', 'deleting every share deletes every flow');

select * from finish();
rollback;
