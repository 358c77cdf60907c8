begin;
select plan(9);
update app.settings
set asset_uploads_per_minute = 2, asset_max_bytes = 1000, client_address_header = 'x-client';

-- Given the sidecar, with the headers of a request
select tests.become('sidecar');
select results_eq(
  $$ select max_bytes, too_large::jsonb from sidecar.admit_file('{"x-client": "192.0.2.1"}') $$,
  $$
    values (
      1000,
      jsonb_build_object(
        'code', 'PT413', 'details', 'asset_too_large',
        'message', 'The file has more than 1000 bytes.', 'hint', 'Send a smaller file.'
      )
    )
  $$,
  'returns the limit, and the answer to a larger file'
);
reset role;
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 1001, 'image/png') $$,
  'PT413', 'The file has more than 1000 bytes.',
  'reserve_asset refuses a larger file with the same message'
);
select tests.become('sidecar');
select lives_ok(
  $$ select sidecar.admit_file('{"x-client": "192.0.2.1"}') $$, 'admits uploads up to the rate'
);

-- When a client uploads too much
select throws_ok(
  $$ select sidecar.admit_file('{"x-client": "192.0.2.1"}') $$,
  'PGRST', null, 'refuses an upload above the rate'
);
select lives_ok(
  $$ select sidecar.admit_file('{"x-client": "192.0.2.2"}') $$,
  'another client address has a rate of its own'
);
select lives_ok(
  $$
    select sidecar.admit_file(
      '{"x-client": "192.0.2.3", "authorization": "Bearer x", "other": ["a", "b"]}'
    )
  $$,
  'other headers do not matter'
);

-- When a client has no address
select lives_ok(
  $$ select sidecar.admit_file('{}'), sidecar.admit_file(null) $$,
  'clients without an address share one rate'
);
select throws_ok(
  $$ select sidecar.admit_file('{"x-client": "no address"}') $$,
  'PGRST', null, 'a malformed address counts as no address'
);

select tests.become('anon');
select throws_ok(
  $$ select sidecar.admit_file('{}') $$, '42501', null, 'anon cannot call sidecar.admit_file'
);

select * from finish();
rollback;
