begin;
select plan(13);

select set_config(
  'request.headers',
  '{
    "x-real-ip": "203.0.113.9", "x-forwarded-for": "1.1.1.1, 198.51.100.7",
    "v6": "2001:db8:1:2:3:4:5:6", "odd": "<b>", "mapped": "::ffff:203.0.113.9",
    "three": "203.0.113", "long": "203.0.113.9999999",
    "port": "203.0.113.9:5555", "v6port": "[2001:db8:1:2::9]:5555"
  }',
  true
);

select is(app.client_address(), 'unknown', 'trusts no header until one is set');
update app.settings set client_address_header = 'x-real-ip';
select is(app.client_address(), '203.0.113.9', 'reads the trusted header');
update app.settings set client_address_header = 'x-forwarded-for';
select is(
  app.client_address(),
  '198.51.100.7',
  'takes the last entry of a list, which the nearest proxy appended'
);
update app.settings set client_address_header = 'v6';
select is(app.client_address(), '2001:db8:1:2::/64', 'takes a whole /64 for one IPv6 client');
update app.settings set client_address_header = 'mapped';
select is(app.client_address(), '203.0.113.9', 'reads an IPv4 address that is mapped to IPv6');
update app.settings set client_address_header = 'port';
select is(app.client_address(), '203.0.113.9', 'removes a port');
update app.settings set client_address_header = 'v6port';
select is(
  app.client_address(),
  '2001:db8:1:2::/64',
  'removes a port and brackets from an IPv6 address'
);
update app.settings set client_address_header = 'odd';
select is(app.client_address(), 'unknown', 'returns unknown for a value that is not an address');
update app.settings set client_address_header = 'three';
select is(app.client_address(), 'unknown', 'returns unknown for an address of three parts');
update app.settings set client_address_header = 'long';
select is(app.client_address(), 'unknown', 'returns unknown for digits that no address has');
update app.settings set client_address_header = 'absent';
select is(app.client_address(), 'unknown', 'returns unknown when the header is missing');
select set_config('request.headers', '', true);
select is(app.caller_key(), 'address unknown', 'identifies an anonymous caller by address');
select set_config('request.jwt.claims', '{"sub": "7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11"}', true);
select is(
  app.caller_key(), 'user 7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11',
  'identifies a signed-in caller by user'
);

select * from finish();
rollback;
