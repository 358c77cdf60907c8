begin;
select plan(4);

-- Given an upload, an asset, and keys of all kinds
create temporary table known as
select object_key from sidecar.reserve_asset('x', encode(sha256('a'), 'hex'), 1, 'image/gif');
select sidecar.record_asset(split_part(object_key, '/', 2)::uuid, 'http://h/' || object_key)
from known;
insert into known
select object_key
from sidecar.reserve_asset('x', encode(sha256('b'), 'hex'), 1, 'image/gif');
create function pg_temp.unknown(variadic keys text[]) returns setof text language sql as
  $$ select object_key from worker.find_unknown_objects(keys) $$;

select is_empty(
  'select pg_temp.unknown(variadic array(select object_key from known))',
  'does not return the key of an upload or an asset'
);
select set_eq(
  $$
    select pg_temp.unknown(
      'shared-assets/aaaaaaaa-0000-4000-8000-000000000001/x.gif',
      'shared-assets/aaaaaaaa-0000-4000-8000-000000000001/',
      'shared-assets/aaaaaaaa-0000-4000-8000-000000000001/x/y.gif',
      'shared-assets/AAAAAAAA-0000-4000-8000-000000000001/x.gif',
      'shared-assets/../x.gif',
      'shared-assets/x.gif',
      'drama-assets/aaaaaaaa-0000-4000-8000-000000000001/x.gif',
      'backup/shared-assets/aaaaaaaa-0000-4000-8000-000000000001/x.gif',
      '',
      null
    )
  $$,
  array['shared-assets/aaaaaaaa-0000-4000-8000-000000000001/x.gif'],
  'returns only keys that look like asset keys, so that no other object is ever deleted'
);
select set_eq(
  $$ select pg_temp.unknown(variadic array(select object_key || '.bak' from known)) $$,
  $$ select object_key || '.bak' from known $$,
  'returns another key in the folder of an asset'
);
select tests.become('anon');
select throws_ok(
  $$ select worker.find_unknown_objects('{}') $$, '42501', null,
  'anon cannot call worker.find_unknown_objects'
);

select * from finish();
rollback;
