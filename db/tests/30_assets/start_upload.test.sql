begin;
select plan(11);
update app.settings
set asset_uploads_per_minute = 10, asset_max_bytes = 1000000, client_address_header = 'x-client';

-- Given a caller who announces a small file
select tests.become('sidecar');
select results_eq(
  $$ select max_bytes, too_large::jsonb, units from sidecar.start_upload('ana', 262143) $$,
  $$
    values (
      1000000,
      jsonb_build_object(
        'code', 'PT413', 'details', 'asset_too_large',
        'message', 'The file has more than 1000000 bytes.', 'hint', 'Send a smaller file.'
      ),
      1
    )
  $$,
  'returns the limit, the answer to a larger file, and the cost'
);
reset role;
select throws_ok(
  $$ select sidecar.reserve_upload('ana', 1, 'h', 1000001, 1, 'image/png', null) $$,
  'PT413', 'The file has more than 1000000 bytes.',
  'reserve_upload refuses a larger file with the same message'
);

-- When the length of a file is announced, or not
select tests.become('sidecar');
select results_eq(
  $$
    select s.units
    from unnest(array[0, null, 262144, 1000000, 300000000])
      with ordinality as announced (bytes, n)
    cross join lateral sidecar.start_upload(format('caller %s', n), bytes) as s
    order by n
  $$,
  array[1, 1, 2, 4, 1],
  'an upload costs a unit, and one more per 256 KiB, unless its length is unknown or refused'
);

-- When a caller uploads too much
select lives_ok(
  $$ select sidecar.start_upload('ben', 1000000), sidecar.start_upload('ben', 1000000) $$,
  'admits uploads up to the rate'
);
select throws_ok(
  $$ select sidecar.start_upload('ben', 1000000) $$, 'PGRST', null,
  'refuses an upload above the rate'
);
select lives_ok(
  $$ select sidecar.start_upload('cid', 1000000) $$, 'another caller has a rate of its own'
);
reset role;
update app.settings set asset_uploads_per_minute = 2;
select tests.become('sidecar');
select lives_ok(
  $$ select sidecar.start_upload('dan', 1000000) $$,
  'admits a file that costs more than the whole limit'
);

-- The doors of the releases before
select results_eq(
  $$ select max_bytes from sidecar.admit_file('{"x-client": "192.0.2.1"}') $$, array[1000000],
  'admit_file returns the limit'
);
select is(
  sidecar.admit_upload('{"x-client": "192.0.2.1"}'), 1000000, 'admit_upload returns the limit'
);
select throws_ok(
  $$ select sidecar.start_upload('address 192.0.2.1', 1) $$,
  'PGRST', null, 'the old doors count into the same rate'
);

select tests.become('anon');
select throws_ok(
  $$ select sidecar.start_upload('x', 1) $$, '42501', null, 'anon cannot call sidecar.start_upload'
);

select * from finish();
rollback;
