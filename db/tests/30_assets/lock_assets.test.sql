begin;
select plan(7);
select tests.create_asset(format('aaaaaaaa-0000-4000-8000-00000000000%s', n)::uuid)
from generate_series(1, 3) as n;
update public.assets set status = 'orphaned' where id = 'aaaaaaaa-0000-4000-8000-000000000002';
update public.assets set status = 'deleting' where id = 'aaaaaaaa-0000-4000-8000-000000000003';

select lives_ok(
  $$ select app.lock_assets(array['aaaaaaaa-0000-4000-8000-000000000001']::uuid[]) $$,
  'accepts a live asset'
);
select lives_ok(
  $$ select app.lock_assets(array['aaaaaaaa-0000-4000-8000-000000000002']::uuid[]) $$,
  'accepts an orphan'
);
select throws_ok(
  $$
    select app.lock_assets(
      array['aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000003']::uuid[]
    )
  $$,
  'PT422', 'Asset aaaaaaaa-0000-4000-8000-000000000003 not found.',
  'refuses an asset that is being deleted'
);
select throws_ok(
  $$ select app.lock_assets(array['aaaaaaaa-0000-4000-8000-000000000004']::uuid[]) $$,
  'PT422', null, 'refuses an unknown asset'
);
select lives_ok(
  $$
    select app.lock_assets(array[null, null]::uuid[]), app.lock_assets('{}'),
      app.lock_assets(null)
  $$,
  'ignores nulls'
);
select results_eq(
  $$ select unnest(app.find_shown_assets(array(select id from public.assets))) $$,
  'select id from public.assets limit 0',
  'locking an asset does not show it'
);
select tests.become('anon');
select throws_ok(
  $$ select app.lock_assets('{}') $$, '42501', null, 'anon cannot call app.lock_assets'
);

select * from finish();
rollback;
