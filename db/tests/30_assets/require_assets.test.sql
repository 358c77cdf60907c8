begin;
select plan(7);
insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key, status)
select id::uuid, 'x', encode(sha256(id::bytea), 'hex'), 1, 'image/gif', format('http://h/shared-assets/%s/x.gif', id), format('shared-assets/%s/x.gif', id), status
from (
  values
    ('aaaaaaaa-0000-4000-8000-000000000001', 'live'),
    ('aaaaaaaa-0000-4000-8000-000000000002', 'orphaned'),
    ('aaaaaaaa-0000-4000-8000-000000000003', 'deleting')
) as new (id, status);

select lives_ok($$ select app.require_assets(array['aaaaaaaa-0000-4000-8000-000000000001']::uuid[]) $$, 'a live asset may be shown');
select lives_ok($$ select app.require_assets(array['aaaaaaaa-0000-4000-8000-000000000002']::uuid[]) $$, 'and so may an orphan');
select throws_ok(
  $$ select app.require_assets(array['aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000003']::uuid[]) $$,
  'PT422', 'There is no asset aaaaaaaa-0000-4000-8000-000000000003.', 'one that is being deleted is not there'
);
select throws_ok(
  $$ select app.require_assets(array['aaaaaaaa-0000-4000-8000-000000000004']::uuid[]) $$,
  'PT422', null, 'nor is one that never was'
);
select lives_ok($$ select app.require_assets(array[null, null]::uuid[]), app.require_assets('{}'), app.require_assets(null) $$, 'none is no asset');
select results_eq(
  $$ select unnest(app.find_shown_assets(array(select id from public.assets))) $$, 'select id from public.assets limit 0',
  'requiring an asset does not show it'
);
select tests.become('anon');
select throws_ok($$ select app.require_assets('{}') $$, '42501', null, 'it is not exposed');

select * from finish();
rollback;
