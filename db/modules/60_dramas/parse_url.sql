-- app.parse_url
--
-- Why         never fails: an error would undo a whole batch of steps. Postgres 15 cannot ask
--             whether a value fits a domain, so the cast is tried
create or replace function app.parse_url(value jsonb)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return case jsonb_typeof(parse_url.value)
    when 'string' then (parse_url.value #>> '{}')::app.http_url
  end;
exception
  when check_violation then
    return null;
end
$$;

comment on function app.parse_url(jsonb) is
  'Returns a JSON string that is an http(s) URL (domain app.http_url); null for any other JSON.';
