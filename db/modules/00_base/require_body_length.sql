-- app.require_body_length, gate.require_body_length
--
-- Called by   gate.pre_request
-- Errors      PT400 length_invalid, PT411 length_required, PT413 request_too_large
-- Why         A body is refused before Postgres parses it, because a 20 MB document would end in
--             the caller's statement timeout, as a 500. If a request has both headers, HTTP ignores
--             Content-Length, and over HTTP/2 a body may have neither header.
create or replace function app.require_body_length(headers json, method text)
  returns void
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_length text := require_body_length.headers ->> 'content-length';
begin
  if require_body_length.headers ->> 'transfer-encoding' is not null
    or (v_length is null and require_body_length.method in ('POST', 'PUT', 'PATCH'))
  then
    perform app.fail(
      411,
      'length_required',
      'The request does not say how long its body is.',
      'Send Content-Length (0 for an empty body), and no Transfer-Encoding.'
    );
  end if;
  if v_length !~ '^[0-9]{1,18}$' then
    perform app.fail(
      400,
      'length_invalid',
      'Content-Length is not a number of bytes.',
      'Send the length of the body once, in digits.'
    );
  end if;
  if v_length::bigint > 6291456 then
    perform app.fail(
      413,
      'request_too_large',
      'The request body is larger than 6 MiB.',
      'Send at most 6 MiB in one request.'
    );
  end if;
end
$$;

comment on function app.require_body_length(json, text) is
  'Refuses a request whose body is larger than 6 MiB, or of unknown length.';

create or replace function gate.require_body_length(headers json, method text)
  returns void
  language sql
  stable
return app.require_body_length(headers, method);

comment on function gate.require_body_length(json, text) is
  'Refuses a request whose body is larger than 6 MiB, or of unknown length.';

grant execute on function app.require_body_length(json, text) to anon, authenticated, service_role;
grant execute on function gate.require_body_length(json, text) to anon, authenticated, service_role;
