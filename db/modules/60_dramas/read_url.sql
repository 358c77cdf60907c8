-- app.read_url
--
-- Why         what a worker sends is read without ever failing
create or replace function app.read_url(value jsonb)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(read_url.value) = 'string'
      and read_url.value #>> '{}' ~ '^https?://[^\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"<>]+$'
      and octet_length(read_url.value #>> '{}') <= 2000
      then read_url.value #>> '{}'
  end;
end
$$;

comment on function app.read_url(jsonb) is 'An http(s) URL; null for anything else.';
