-- The door of the release before sidecar.admit_file.
begin;
select plan(4);
update app.settings
set asset_uploads_per_minute = 2, asset_max_bytes = 1000, client_address_header = 'x-client';

select tests.become('sidecar');
select is(
  sidecar.admit_upload('{"x-client": "192.0.2.1"}'), 1000, 'returns how many bytes a file may have'
);
select lives_ok(
  $$ select sidecar.admit_file('{"x-client": "192.0.2.1"}') $$, 'admits a second upload'
);
select throws_ok(
  $$ select sidecar.admit_upload('{"x-client": "192.0.2.1"}') $$,
  'PGRST', null, 'counts into the same rate as sidecar.admit_file'
);

select tests.become('anon');
select throws_ok(
  $$ select sidecar.admit_upload('{}') $$, '42501', null, 'anon cannot call sidecar.admit_upload'
);

select * from finish();
rollback;
