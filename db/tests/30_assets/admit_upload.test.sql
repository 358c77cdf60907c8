begin;
select plan(8);
update app.settings set asset_uploads_per_minute = 2, asset_max_bytes = 1000, client_address_header = 'x-client';

-- Given the sidecar, with the headers of a request
select tests.become('sidecar');
select is(sidecar.admit_upload('{"x-client": "192.0.2.1"}'), 1000, 'an upload is admitted, and told how many bytes it may have');
select lives_ok($$ select sidecar.admit_upload('{"x-client": "192.0.2.1"}') $$, 'up to the limit');

-- When a client sends too many
select throws_ok(
  $$ select sidecar.admit_upload('{"x-client": "192.0.2.1"}') $$,
  'PGRST', null, 'more are refused'
);
select lives_ok($$ select sidecar.admit_upload('{"x-client": "192.0.2.2"}') $$, 'another client has a limit of its own');
select lives_ok(
  $$ select sidecar.admit_upload('{"x-client": "192.0.2.3", "authorization": "Bearer x", "other": ["a", "b"]}') $$,
  'other headers do not matter'
);

-- When nobody can be told from another
select lives_ok($$ select sidecar.admit_upload('{}'), sidecar.admit_upload(null) $$, 'who has no address shares one limit');
select throws_ok($$ select sidecar.admit_upload('{"x-client": "no address"}') $$, 'PGRST', null, 'with whoever has none either');

-- And only the sidecar asks
select tests.become('anon');
select throws_ok($$ select sidecar.admit_upload('{}') $$, '42501', null, 'a client cannot call it');

select * from finish();
rollback;
