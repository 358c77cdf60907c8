-- app.send_document
--
-- Called by   functions for clients that return one JSON document
-- Why         A function that returns json answers null for any offset except 0, because PostgREST
--             counts the document as one row. With domain "*/*", PostgREST answers such a request
--             with 416, and sends the document for every Accept header. The function then sets the
--             content type.
create or replace function app.send_document(document json, tag text default null)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_headers jsonb := jsonb '[{"Content-Type": "application/json; charset=utf-8"}]';
  v_wanted text;
begin
  -- The same header as gate.pre_request sets for a request with an API key.
  if auth.jwt() -> 'api_key' is not null then
    v_headers := v_headers || jsonb '{"Cache-Control": "private, no-store"}';
  elsif send_document.tag is not null then
    v_headers := v_headers || jsonb '{"Cache-Control": "private, no-cache"}';
  end if;
  if send_document.tag is not null then
    v_headers := v_headers || jsonb_build_object('ETag', format('"%s"', send_document.tag));
  end if;
  perform set_config('response.headers', v_headers::text, true);

  if send_document.tag is not null
    and current_setting('request.method', true) in ('GET', 'HEAD')
  then
    v_wanted := current_setting('request.headers', true)::json ->> 'if-none-match';
    if btrim(v_wanted) = '*' or strpos(v_wanted, format('"%s"', send_document.tag)) > 0 then
      perform set_config('response.status', '304', true);
      return null;
    end if;
  end if;

  return send_document.document;
end
$$;

comment on function app.send_document(json, text) is
$$Returns a document as the whole answer of a request, and sets its content type.

tag: the entity tag without quotes. A GET whose If-None-Match has the tag gets 304 and no body.$$;
