begin;
select plan(8);

-- Given a live asset, an orphan, one that is being deleted, and two uploads of which one is claimed
select tests.create_asset(format('0000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 3) as n;
update public.assets set status = 'orphaned' where id = '00000002-0000-4000-8000-000000000000';
update public.assets set status = 'deleting' where id = '00000003-0000-4000-8000-000000000000';
insert into app.asset_uploads (name, hash, size_byte, mime_type, object_key, claimed_at)
values
  ('x', repeat('0', 64), 1, 'image/gif', 'key 1', null),
  ('x', repeat('0', 64), 1, 'image/gif', 'key 2', now()),
  ('x', repeat('0', 64), 1, 'image/gif', 'key 3', now());

select is(worker.forget_assets('{}'), 0, 'deletes nothing for an empty list');
select tests.become('worker');
select is(
  worker.forget_assets(array['00000003-0000-4000-8000-000000000000']::uuid[]), 1,
  'the worker deletes an asset that it has claimed'
);
reset role;
select is(
  worker.forget_assets(array(select id from public.assets)), 0,
  'deletes no asset that is live or orphaned'
);
select results_eq(
  'select status from public.assets order by id', array['live', 'orphaned'],
  'the claimed asset is gone, and the others stay'
);
select is(
  worker.forget_assets(array['00000003-0000-4000-8000-000000000000']::uuid[]), 0,
  'a repeated call deletes nothing'
);
select is(
  worker.forget_assets(array(select id from app.asset_uploads)), 2, 'deletes claimed uploads only'
);
select results_eq(
  'select object_key from app.asset_uploads', array['key 1'], 'an upload in progress stays'
);

select tests.become('anon');
select throws_ok(
  $$ select worker.forget_assets('{}') $$, '42501', null, 'anon cannot call worker.forget_assets'
);

select * from finish();
rollback;
