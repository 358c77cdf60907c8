-- app.network_limit
create or replace function app.network_limit("limit" integer)
  returns integer
  language sql
  immutable
  set search_path = ''
return least(network_limit."limit"::bigint * 16, 2147483647);

comment on function app.network_limit(integer) is
  'Returns the limit of an IPv6 /48 network for a limit of one /64 in it.';
