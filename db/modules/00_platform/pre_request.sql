-- gate.pre_request
--
-- Called by   PostgREST, as the caller, before each request
-- Errors      PT411 length_required, PT413 request_too_large
-- Why         a body is refused by its announced size before Postgres parses it: a 20 MB document would die at the
--             caller's statement timeout, as a 500
create or replace function gate.pre_request()
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_text text := current_setting('request.headers', true);
  v_headers json;
begin
  -- Most requests have no body: they are not worth reading JSON for.
  if v_text is null or (strpos(v_text, '"content-length"') = 0 and strpos(v_text, '"transfer-encoding"') = 0) then
    return;
  end if;

  v_headers := v_text::json;
  -- Written out: app.fail would need USAGE on schema app for every caller.
  if (v_headers ->> 'content-length')::numeric > 6291456 then
    raise exception using
      errcode = 'PT413',
      message = 'A request body may have 6 MiB at most.',
      detail = 'request_too_large',
      hint = 'Send less at once.';
  end if;

  if v_headers ->> 'transfer-encoding' is not null and v_headers ->> 'content-length' is null then
    raise exception using
      errcode = 'PT411',
      message = 'A request with a body must say its length.',
      detail = 'length_required',
      hint = 'Send Content-Length instead of a chunked body.';
  end if;
end
$$;

comment on function gate.pre_request() is 'Runs before each request; refuses bodies that are over 6 MiB (413 request_too_large) or do not say (411).';

revoke execute on function gate.pre_request() from public;
grant usage on schema gate to anon, authenticated, service_role;
grant execute on function gate.pre_request() to anon, authenticated, service_role;
