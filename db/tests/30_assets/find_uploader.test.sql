begin;
select plan(6);

-- Given no header that is trusted to name the address
select tests.become('sidecar');
select results_eq(
  $$ select caller, is_everybody from sidecar.find_uploader('{"x-client": "192.0.2.1"}') $$,
  $$ values ('address unknown', true) $$,
  'all callers have one name'
);
reset role;

-- Given such a header
update app.settings set client_address_header = 'x-client';
select tests.become('sidecar');
select results_eq(
  $$ select caller, is_everybody from sidecar.find_uploader('{"x-client": "192.0.2.1"}') $$,
  $$ values ('address 192.0.2.1', false) $$,
  'a caller is named by its address'
);
select results_eq(
  $$ select caller, is_everybody from sidecar.find_uploader('{"x-client": "2001:db8:1:2::3"}') $$,
  $$ values ('address 2001:db8:1:2::/64', false), ('address 2001:db8:1::/48', false) $$,
  'an IPv6 caller is named by its network, and then by the network of its provider''s customer'
);
select results_eq(
  $$ select caller, is_everybody from sidecar.find_uploader('{"x-client": "no address"}') $$,
  $$ values ('address unknown', false) $$,
  'callers with a malformed address share a name, and its limits'
);
select results_eq(
  $$ select caller, is_everybody from sidecar.find_uploader(null) $$,
  $$ values ('address unknown', false) $$,
  'callers without an address share a name, and its limits'
);

select tests.become('anon');
select throws_ok(
  $$ select sidecar.find_uploader('{}') $$,
  '42501', null, 'anon cannot call sidecar.find_uploader'
);

select * from finish();
rollback;
